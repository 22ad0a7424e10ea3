"""From how a process ended to a result: its own where there is one, else what can be said in its place."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines import Prepared
from orchestrator.engines.outcome import Exit, collect, log_tail
from tests.unit.made_runs import made_job, made_result
from workers.spec import Limits, Result, pretty_json

JOB = made_job("mlp", "torch", limits=Limits(timeout_seconds=90.0, memory_bytes=3 * 2**29))
PREPARED = Prepared(FRAMEWORKS["torch"], "cpu", recipe_hash="ab12", target="bakeoff/torch:ab12", image_id="sha256:cd34")


def collected(folder: Path, ended: Exit, warm: bool | None = None) -> Result:
    return collect(PREPARED, "docker", JOB, folder, ended, warm)


def leave(folder: Path, **changes: Any) -> None:
    """Leave what a worker that went well leaves."""
    result = made_result(JOB, 2.0).model_copy(update=changes)
    (folder / "result.json").write_text(pretty_json(result))
    (folder / "log.txt").write_text("all went well\n")


# ---------------------------------------------------------------------------- the job's own result


def test_a_result_is_taken_as_the_job_left_it(tmp_path: Path) -> None:
    leave(tmp_path)
    result = collected(tmp_path, Exit(0))
    assert result.status == "ok"
    assert result.epochs == made_result(JOB, 2.0).epochs
    assert result.log_tail is None


def test_the_engine_adds_what_only_it_knows(tmp_path: Path) -> None:
    leave(tmp_path)
    environment = collected(tmp_path, Exit(0)).environment
    assert (environment.engine, environment.recipe_hash, environment.image_id) == ("docker", "ab12", "sha256:cd34")
    assert environment.threads_seen == 2  # the worker's own


@pytest.mark.parametrize(("warm", "word"), [(None, None), (True, "warm"), (False, "cold")])
def test_whether_the_compile_cache_held_something(tmp_path: Path, warm: bool | None, word: str | None) -> None:
    leave(tmp_path)
    assert collected(tmp_path, Exit(0), warm).environment.compile_cache == word


def test_the_engines_word_goes_before_the_workers(tmp_path: Path) -> None:
    environment = made_result(JOB).environment.model_copy(update={"engine": "other", "recipe_hash": "other"})
    leave(tmp_path, environment=environment)
    found = collected(tmp_path, Exit(0)).environment
    assert (found.engine, found.recipe_hash) == ("docker", "ab12")


@pytest.mark.parametrize(
    ("status", "has_tail"), [("ok", False), ("unsupported", False), ("failed", True), ("diverged", True)]
)
def test_a_result_that_is_not_ok_gets_the_end_of_the_log(tmp_path: Path, status: str, has_tail: bool) -> None:
    leave(tmp_path, status=status, reason="because")
    result = collected(tmp_path, Exit(1))
    assert (result.status, result.reason) == (status, "because")
    assert result.log_tail == ("all went well" if has_tail else None)


# ---------------------------------------------------------------------------- in its place


def test_a_job_that_ran_out_of_time_is_a_timeout_whatever_it_left(tmp_path: Path) -> None:
    leave(tmp_path)
    result = collected(tmp_path, Exit(137, timed_out=True))
    assert (result.job_id, result.status) == (JOB.id, "timeout")
    assert result.reason == "stopped after 90 seconds; --timeout sets another limit"
    assert result.epochs == []
    assert result.log_tail == "all went well"


def test_a_job_that_ran_out_of_memory_says_how_much_it_had(tmp_path: Path) -> None:
    leave(tmp_path)
    result = collected(tmp_path, Exit(137, out_of_memory=True))
    assert result.status == "out_of_memory"
    assert result.reason == "used more than 1.5 GiB; --memory sets another limit"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (0, "exit code 0"),
        (1, "exit code 1"),
        (128, "exit code 128"),
        (134, "killed by SIGABRT"),
        (137, "killed by SIGKILL"),
        (139, "killed by SIGSEGV"),
        (143, "killed by SIGTERM"),
        (255, "exit code 255"),
    ],
)
def test_a_process_that_left_nothing_is_lost(tmp_path: Path, code: int, cause: str) -> None:
    result = collected(tmp_path, Exit(code))
    assert (result.job_id, result.status) == (JOB.id, "lost")
    assert result.reason == f"the process ended without a result ({cause})"
    assert result.log_tail is None  # there is no log either
    assert result.environment.recipe_hash == "ab12"


@pytest.mark.parametrize(
    "text",
    [
        pretty_json(made_result(made_job("mlp", "tf"))),
        pretty_json(made_result(JOB)).replace("0.5", "NaN", 1),
        pretty_json(made_result(JOB)).replace('"ok"', '"fine"'),
        pretty_json(made_result(JOB))[:200],
        "",
        "[]",
    ],
    ids=["of another job", "with NaN", "of no known status", "half", "empty", "no object"],
)
def test_what_is_no_result_of_this_job_is_not_taken(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    result = collected(tmp_path, Exit(0))
    assert (result.job_id, result.status) == (JOB.id, "lost")


def test_two_results_share_no_environment(tmp_path: Path) -> None:
    first = collected(tmp_path, Exit(1))
    other = collect(Prepared(FRAMEWORKS["tf"], "cpu", "other", "python"), "local", JOB, tmp_path, Exit(1), True)
    assert (first.environment.recipe_hash, first.environment.compile_cache) == ("ab12", None)
    assert (other.environment.recipe_hash, other.environment.compile_cache) == ("other", "warm")
    assert other.environment.image_id is None


# ---------------------------------------------------------------------------- the log's tail


def test_the_tail_is_the_last_thirty_lines(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("".join(f"line {number}\n" for number in range(100)))
    assert log_tail(tmp_path / "log.txt") == "\n".join(f"line {number}" for number in range(70, 100))


def test_the_tail_has_six_thousand_characters_at_most(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("a" * 7000 + "the end")
    tail = log_tail(tmp_path / "log.txt")
    assert tail is not None
    assert len(tail) == 6000
    assert tail.endswith("the end")


def test_a_log_that_is_not_text_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"good \xff bad\n")
    assert log_tail(tmp_path / "log.txt") == "good \ufffd bad"


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_no_log_is_null(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "log.txt").write_bytes(content)
    assert log_tail(tmp_path / "log.txt") is None
