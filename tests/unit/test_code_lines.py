"""Lines of code as a metric: what is one, which run, and that a job's own choices decide."""

import importlib.util
from pathlib import Path
from typing import Any

from tests.unit.test_harness import prepared  # noqa: F401
from workers.harness import run_job
from workers.lines import LineTrace, owners
from workers.spec import Job

SOURCE = '''"""A docstring
of two lines."""

import os

TABLE = {
    "twice": lambda x: x * 2,
    "thrice": lambda x: (
        x * 3
    ),
}


def run(name, deep):
    """Not a line."""
    value = TABLE[name](
        1
    )
    if deep:
        value += 1
        value += 1
    else:
        value -= 1
    return value
'''


def module_of(tmp_path: Path) -> tuple[Any, Path]:
    path = tmp_path / "traced.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("traced", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, path


def counted(tmp_path: Path, *arguments: Any) -> set[int]:
    """Return the lines on which the logical lines start that a call of run() takes."""
    module, path = module_of(tmp_path)
    trace = LineTrace([path])
    with trace:
        module.run(*arguments)
    return {line for _, line, _ in trace.logical}


def test_a_statement_is_one_line_however_long_and_a_lambda_is_one_too(tmp_path: Path) -> None:
    found = owners(SOURCE)
    assert found[16] == found[17] == (16, 4)
    assert found[8] == found[9] == (8, 14)
    assert 1 not in found
    assert found[14] == found[15] == (14, 0)  # a docstring is of its definition, which a call does not run


def test_what_does_not_run_does_not_count(tmp_path: Path) -> None:
    assert counted(tmp_path, "twice", True) == {7, 16, 19, 20, 21, 24}
    assert counted(tmp_path, "thrice", False) == {8, 16, 19, 23, 24}


def test_a_job_counts_its_workers_lines_alone(prepared: tuple[Job, Path]) -> None:  # noqa: F811
    job, folder = prepared
    result = run_job(job.model_copy(update={"kind": "lines"}), folder)
    assert (result.status, result.reason, result.epochs) == ("ok", None, [])
    assert 0 < result.code_lines["build"] < result.code_lines["train"]
    assert result.code_lines["both"] == result.code_lines["build"] + result.code_lines["train"]


def test_a_recipe_that_needs_more_has_more_lines(prepared: tuple[Job, Path]) -> None:  # noqa: F811
    job, folder = prepared
    plain = run_job(job.model_copy(update={"kind": "lines"}), folder).code_lines["train"]
    clipped = job.recipe.model_copy(update={"clip_norm": 0.1})
    more = run_job(job.model_copy(update={"kind": "lines", "recipe": clipped}), folder).code_lines["train"]
    assert more == plain + 3  # in NumpyWorker.update: the norm, the scale and the scaling
