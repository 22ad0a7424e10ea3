"""bench compare on real runs: equal ones, one made slower by hand, and folders that cannot be compared."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import bench

SMALL = ("--frameworks", "numpy", "--workloads", "mlp", "--epochs", "2", "--limit-rows", "200", "--engine", "local")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of the same, one after the other."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("before", "after"):
        run = bench("orchestrate", *SMALL, "--repeats", "3", "--threads", "1", "--output", folder / name, folder=folder)
        assert run.returncode == 0, run.stdout + run.stderr
    return [path for name in ("before", "after") for path in (folder / name).iterdir()]


def edited(run: Path, folder: Path, edit: Callable[[Any], None], pattern: str = "jobs/*-r*/result.json") -> Path:
    """Return a copy of a run in which documents were edited by hand."""
    copy = folder / "edited"
    shutil.copytree(run, copy)
    for path in copy.glob(pattern):
        data = json.loads(path.read_text())
        edit(data)
        path.write_text(json.dumps(data))
    return copy


def slower(result: Any) -> None:
    for epoch in result["epochs"]:
        epoch["train_seconds"] *= 100


def test_two_real_runs_of_the_same_are_compared_row_by_row(runs: list[Path], tmp_path: Path) -> None:
    run = bench("compare", *runs, "--format", "json", folder=tmp_path)
    document = json.loads(run.stdout)
    (row,) = document["rows"]
    assert row["verdict"] in ("faster", "slower", "unchanged"), row["reasons"]
    assert row["changed"] == []
    assert row["scores"][0]["change"] == "unchanged", "the same weights and batches end in the same place"
    assert run.returncode == document["exit_code"]
    assert (document["only_a"], document["only_b"]) == ([], [])


def test_a_run_made_a_hundred_times_slower_fails_with_its_own_code(runs: list[Path], tmp_path: Path) -> None:
    after = edited(runs[1], tmp_path, slower)
    page = tmp_path / "changes.md"
    run = bench("compare", runs[0], after, "--format", "markdown", "--output", page, folder=tmp_path)
    assert run.returncode == 6, run.stdout + run.stderr
    assert "Slower: numpy on mlp." in run.stdout
    assert page.read_text().startswith("**Slower: numpy on mlp.")
    back = bench("compare", after, runs[0], folder=tmp_path)
    assert (back.returncode, "faster" in back.stdout) == (0, True)
    allowed = bench("compare", runs[0], after, "--threshold", "100000", folder=tmp_path)
    assert allowed.returncode == 0, allowed.stdout


def test_the_same_run_twice_says_so_and_passes(runs: list[Path], tmp_path: Path) -> None:
    run = bench("compare", runs[0], runs[0], folder=tmp_path)
    assert run.returncode == 0
    assert "A and B are one run, or copies of it" in run.stdout


def test_another_processor_is_not_compared_unless_that_is_asked_for(runs: list[Path], tmp_path: Path) -> None:
    def moved(result: Any) -> None:
        result["environment"]["cpu_model"] = "Another"

    after = edited(runs[0], tmp_path, moved)
    run = bench("compare", runs[0], after, folder=tmp_path)
    assert (run.returncode, "-> Another" in run.stdout) == (7, True)
    across = bench("compare", runs[0], after, "--across-hosts", folder=tmp_path)
    assert (across.returncode, "changed: numpy on mlp: processor" in across.stdout) == (0, True)


def test_every_mistake_at_once_before_anything_is_compared(runs: list[Path], tmp_path: Path) -> None:
    run = bench("compare", tmp_path, tmp_path / "nowhere", "--format", "xml", "--threshold", "0.9", folder=tmp_path)
    assert run.returncode == 2
    for words in ("'xml'", "--threshold is 0.9", f"{tmp_path} is not a run", "nowhere is not a run"):
        assert words in run.stderr
    assert "Traceback" not in run.stderr
    for threshold in ("nan", "inf", "0.99"):
        assert bench("compare", *runs, "--threshold", threshold, folder=tmp_path).returncode == 2


def test_runs_that_cannot_be_read_are_each_named(runs: list[Path], tmp_path: Path) -> None:
    def of_another_schema(info: Any) -> None:
        info["schema_version"] = 1

    other = edited(runs[0], tmp_path, of_another_schema, "run.json")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(runs[1], unfinished)
    next(unfinished.glob("jobs/*-r1-*/result.json")).unlink()
    run = bench("compare", other, unfinished, folder=tmp_path)
    assert run.returncode == 5
    assert "run.json has the schema 1; this version of bench reads 2" in run.stderr
    assert f"{unfinished} is not finished: 1 of its 3 jobs have no result" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
