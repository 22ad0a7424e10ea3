"""Runs that go on: killed ones, rows measured again, stale rows, and a run that somebody else is using."""

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.commands import ROOT, bench
from tests.resume import check_killed_and_continued, done, measured, start, wait_for


def test_a_run_killed_half_way_goes_on_with_each_job_once(tmp_path: Path) -> None:
    run = check_killed_and_continued(tmp_path, "local")
    left = [
        process for process in psutil.process_iter(["cmdline"]) if str(run) in " ".join(process.info["cmdline"] or [])
    ]
    assert left == [], "no job outlives the bench that was killed"


def test_a_run_in_use_is_refused_and_named(tmp_path: Path) -> None:
    process = start(tmp_path, "local")
    try:
        run = wait_for(tmp_path, 1)
        second = bench("orchestrate", "--run", run, folder=tmp_path)
        assert second.returncode == 5
        assert f"is in use by another process ({process.pid})" in second.stderr
        assert bench("show", run, folder=tmp_path).returncode == 0, "looking at it is always allowed"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def two_frameworks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of numpy and torch."""
    folder = tmp_path_factory.mktemp("two")
    arguments = ("--frameworks", "numpy,torch", "--workloads", "mlp", "--epochs", "2", "--repeats", "2")
    run = bench("orchestrate", *arguments, "--engine", "local", "--threads", "1", folder=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    (found,) = (folder / "runs").iterdir()
    return found


def contents(run: Path) -> dict[str, bytes]:
    return {name: (run / "jobs" / name / "result.json").read_bytes() for name in done(run)}


def test_again_replaces_the_asked_rows_and_no_others(two_frameworks: Path) -> None:
    before = contents(two_frameworks)
    run = bench(
        "orchestrate", "--run", two_frameworks, "--again", "--frameworks", "torch", folder=two_frameworks.parent.parent
    )
    assert run.returncode == 0, run.stdout + run.stderr
    after = contents(two_frameworks)
    assert set(after) == set(before)
    assert {name for name in before if before[name] != after[name]} == {name for name in before if "-torch-" in name}
    assert {job.recipe.epochs for job, _ in measured(two_frameworks).values()} == {2}, "the run's own options hold"
    assert "(done before)" not in run.stdout


def test_again_without_a_run_is_a_mistake(tmp_path: Path) -> None:
    run = bench("orchestrate", "--frameworks", "numpy", "--again", folder=tmp_path)
    assert run.returncode == 2
    assert "name that run with --run" in run.stderr


def test_an_edited_worker_makes_its_own_rows_stale_and_they_alone_run_again(
    two_frameworks: Path, tmp_path: Path
) -> None:
    """In a copy of the project, since the worker is edited."""
    project = tmp_path / "project"
    for name in ("orchestrator", "workers", "docker"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    edited = project / "workers" / "torch_worker.py"
    edited.write_text(edited.read_text() + "# edited\n")
    environment = {"PYTHONPATH": str(project)}
    shown = bench("show", two_frameworks, "--format", "markdown", folder=tmp_path, **environment)
    assert shown.returncode == 0, shown.stderr
    assert "torch: stale: mlp ran with a worker or image that has changed since." in shown.stdout
    assert "numpy: stale" not in shown.stdout
    before = contents(two_frameworks)
    run = bench("orchestrate", "--run", two_frameworks, folder=tmp_path, **environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("(done before)") == 2
    after = contents(two_frameworks)
    assert {name for name in before if before[name] != after[name]} == {name for name in before if "-torch-" in name}
    assert "stale" not in run.stdout
