"""Suites: named lists of workloads, as YAML. The built-in ones and a user's own pass through the same model."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from orchestrator.errors import UsageError
from orchestrator.explain import explain, nearest
from orchestrator.mistakes import mistakes_in, mistakes_in_study
from orchestrator.request import framework_labels
from orchestrator.workload import AsPublished, Workload, as_published
from workers.compat import Count, Field, Index, Positive, Text
from workers.spec import Record, ValidationError

SUITES_DIR = Path(__file__).resolve().parent / "suites"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Suite(Record):
    """A named list of workloads. Repeat r of ``repeats`` uses seed + r.

    ``timeout_seconds``: of a job, where the user gives none. ``frameworks``, ``threads``: what is measured where the
    user names none. ``source``: the study that the suite repeats. ``paper``: {framework: how that study had it},
    variant ``paper``. The study's figures, where they are known, stand in a file beside the suite's: SUITE.csv.
    """

    suite: Text
    title: Text
    source: Text | None = None
    repeats: Count = 3
    timeout_seconds: Positive = 1800.0
    seed: Index = 1
    frameworks: list[Text] = []
    threads: list[Count] = []
    workloads: list[Workload] = Field(min_length=1)
    paper: dict[str, AsPublished] = {}


def builtin_suites() -> list[str]:
    """Return the names of the suites that come with the project."""
    return sorted(path.stem for path in SUITES_DIR.glob("*.yaml"))


def suite_path(name: str) -> Path:
    """Return the file of a built-in suite, or of a user's own. Raises UsageError for a name that is neither."""
    path = Path(name)
    if name in builtin_suites():
        return SUITES_DIR / f"{name}.yaml"
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        raise UsageError([f"Unknown suite {name!r}. {nearest(name, builtin_suites())} Or give a YAML file."])
    return path


def load_suite(name: str) -> Suite:
    """Return a built-in suite by its name, or a user's own by its file. Raises UsageError with every mistake."""
    path = suite_path(name)
    try:
        # YAML 1.2, in which 1e-3 is a number and `no` a word.
        data: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError([f"Suite {path}: cannot be read ({error.strerror})."]) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError([f"Suite {path}: not YAML: {' '.join(str(error).split())}"]) from None
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        raise UsageError([f"Suite {path}: {explain(Suite, data, dict(item))}" for item in error.errors()]) from None
    mistakes = _mistakes(suite)
    if mistakes:
        raise UsageError([f"Suite {path}: {text}" for text in mistakes])
    return suite


def _mistakes(suite: Suite) -> list[str]:
    """Return what is wrong with a suite whose fields are each valid."""
    mistakes = []
    for workload in suite.workloads:
        own = mistakes_in(workload)
        mistakes += [f"workload {workload.name!r}: {text}" for text in own]
        for label, study in suite.paper.items():
            theirs = [text for text in mistakes_in(as_published(workload, study)) if text not in own]
            mistakes += [f"workload {workload.name!r} as paper.{label} has it: {text}" for text in theirs]
    framework_labels(",".join(suite.frameworks or ["all"]), mistakes)
    workloads = [workload.name for workload in suite.workloads]
    for label, study in suite.paper.items():
        mistakes += [f"paper: {text}" for text in mistakes_in_study(label, study, workloads)]
    names = [("suite", suite.suite), *(("workload", item.name) for item in suite.workloads)]
    mistakes += [
        f"{what} {name!r}: names become folders; allowed: at most 64 letters, digits, '.', '_' and '-', "
        f"a letter or digit first."
        for what, name in names
        if not NAME.fullmatch(name)
    ]
    repeated = {item.name for item in suite.workloads if [w.name for w in suite.workloads].count(item.name) > 1}
    return mistakes + [f"workload {name!r} stands there more than once." for name in sorted(repeated)]
