"""What a user asks of ``bench orchestrate``: the options of the command line, read into a request and its plan."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import datasets
from orchestrator.documents import RunInfo
from orchestrator.engines.compose import ComposeEngine
from orchestrator.errors import UsageError
from orchestrator.explain import nearest
from orchestrator.monitor.sampler import LEAST_SECONDS, MOST_SECONDS, SAMPLE_SECONDS
from orchestrator.plan import Plan, make_plan
from orchestrator.request import Request
from orchestrator.store import RunStore
from orchestrator.suite import load_suite

ENGINES = ("auto", "docker", "local")  # and compose, which no user asks for: a service of compose.yaml does
UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


@dataclass(frozen=True)
class Asked:
    """The options of ``bench orchestrate``: ``given``, those of a Request that the user gave, as the command line has
    them; and how and where to run. ``command``: the words after ``bench``. ``sample_seconds``: between two samples of
    what a job uses; 0: none."""

    given: Mapping[str, Any]
    engine: str | None
    data_dir: Path | None
    output: Path
    run: Path | None
    again: bool
    command: list[str]
    sample_seconds: float = SAMPLE_SECONDS


def planned(asked: Asked, before: RunInfo | None) -> tuple[Request, Plan]:
    """Return what is asked for and its plan: the options that were given, else those of the run that goes on.

    Raises UsageError with every mistake of the command line and the suite at once.
    """
    mistakes = [] if asked.engine is None else engine_mistakes(asked.engine)
    if asked.again and asked.run is None:
        mistakes.append("--again replaces rows of a run; name that run with --run.")
    if asked.sample_seconds and not LEAST_SECONDS <= asked.sample_seconds <= MOST_SECONDS:
        allowed = f"{LEAST_SECONDS:g} to {MOST_SECONDS:g} seconds between two samples, or 0 for none"
        mistakes.append(f"--sample-seconds is {asked.sample_seconds:g}; give {allowed}.")
    base = Request()
    if before is not None and asked.run is not None:
        base = before.request.model_copy(update={"suite": str(RunStore(asked.run).suite_file)})
    request = base.model_copy(update=_parsed(asked.given, mistakes))
    if request.synthetic and not mistakes:
        with contextlib.suppress(UsageError):  # of the suite: the plan names it with all others
            request = _on_synthetic_data(request)
    try:
        plan = make_plan(request, cpus())
    except UsageError as error:
        raise UsageError([*mistakes, *error.mistakes]) from None
    if mistakes:
        raise UsageError(mistakes)
    settled = {"frameworks": plan.asked, "threads": plan.threads, "repeats": plan.repeats}
    return request.model_copy(update=settled), plan


def _on_synthetic_data(request: Request) -> Request:
    """Return the request with random numbers in place of each of its suite's datasets, made now if need be."""
    stand_ins = {}
    for name in {workload.dataset for workload in load_suite(request.suite).workloads}:
        info = datasets.describe(name)
        most = request.limit_rows if request.limit_rows and not info.views else None
        train, test = (min(there, most or there) for there in (info.train_rows, info.test_rows))
        stand_ins[name] = datasets.make_synthetic(name, train, test)
    return request.model_copy(update={"datasets": stand_ins})


def _parsed(given: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    """Return the given options as a Request has them; what cannot be read is a mistake and left out."""
    readers: dict[str, tuple[str, Callable[[Any], Any], str]] = {
        "memory_bytes": ("--memory", parse_bytes, "a number and a unit, such as 8GiB or 500MiB"),
        "threads": ("--threads", parse_counts, "whole numbers with commas, such as 1,2,4"),
        "epochs": ("--epochs", parse_counts, "whole numbers with commas, such as 1,5,10"),
        "datasets": ("--dataset", parse_pairs, "OLD=NEW, such as cifar10=cifar10-subset"),
    }
    parsed = dict(given)
    for name, (flag, read, wanted) in readers.items():
        if name in given:
            parsed[name] = read(given[name])
            if parsed[name] is None:
                mistakes.append(f"{flag} is {given[name]!r}; give {wanted}.")
                del parsed[name]
    return parsed


def parse_counts(text: str) -> list[int] | None:
    """Return ``1,2,4`` as numbers in the order given, each once, or None."""
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"-?\d{1,9}", word) for word in words):
        return None
    return list(dict.fromkeys(map(int, words)))


def parse_pairs(texts: Sequence[str]) -> dict[str, str] | None:
    """Return ``["a=b", ...]`` as {a: b}, or None."""
    pairs = [[part.strip() for part in text.split("=")] for text in texts]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        return None
    return {pair[0]: pair[1] for pair in pairs}


def cpus() -> list[int]:
    """Return the CPUs that this process may use."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def engine_mistakes(name: str) -> list[str]:
    return [] if name in (*ENGINES, ComposeEngine.name) else [f"Unknown engine {name!r}. {nearest(name, ENGINES)}"]


def parse_bytes(text: str) -> int | None:
    """Return ``8GiB``, ``500 MB`` or ``1073741824`` in bytes, or None."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match.group(2).upper() not in UNITS:
        return None
    return int(float(match.group(1)) * UNITS[match.group(2).upper()])
