"""A run that is killed half way and goes on; called by the tests of each engine."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from orchestrator.store import RunStore
from tests.commands import BENCH, ROOT, bench
from workers.spec import Job, Result

SUITE = """
suite: steps
title: Many short jobs
repeats: 4
workloads:
  - name: first
    dataset: digits
    layers: &layers [{kind: flatten}, {kind: dense, units: 10}]
    recipe: &recipe
      optimiser: {kind: sgd, learning_rate: 0.1}
      loss: {kind: categorical_cross_entropy}
      batch_size: 8
      epochs: 20
  - name: second
    dataset: digits
    layers: *layers
    recipe: *recipe
"""
JOBS = 2 * 4  # workloads x repeats
DEADLINE_SECONDS = 300


def measured(run: Path) -> dict[str, tuple[Job, Result | None]]:
    return {job.id: (job, result) for job, result in RunStore(run).jobs() if job.kind == "train"}


def done(run: Path) -> set[str]:
    """Return the jobs that bench has finished with; one killed in between has a result that no engine signed."""
    return {name for name, (_, result) in measured(run).items() if result and result.environment.engine}


def start(folder: Path, engine: str, *more: str) -> "subprocess.Popen[str]":
    """Start a run of numpy on the suite of many short jobs, in a session of its own."""
    (folder / "steps.yaml").write_text(SUITE)
    arguments = ["orchestrate", "--frameworks", "numpy", "--suite", "steps.yaml", "--engine", engine, "--threads", "1"]
    return subprocess.Popen(
        [*BENCH, *arguments, *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def wait_for(folder: Path, jobs: int) -> Path:
    """Wait until so many measured jobs of the folder's one run are done; return the run's folder."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        for run in folder.glob("runs/*"):
            if (run / "run.json").exists() and len(list(run.glob("jobs/*-r*/result.json"))) >= jobs:
                return run
        time.sleep(0.05)
    raise AssertionError("the run does not get on")


def check_killed_and_continued(folder: Path, engine: str) -> Path:
    """Kill bench with SIGKILL half way, go on with --run alone, and find every job once; return the run's folder."""
    process = start(folder, engine)
    run = wait_for(folder, JOBS // 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.5)  # what still wrote would have written by now
    before = {name: (run / "jobs" / name / "result.json").read_bytes() for name in done(run)}
    assert JOBS // 2 - 1 <= len(before) < JOBS

    (folder / "steps.yaml").unlink()  # the run has its own copy
    again = bench("orchestrate", "--run", run, folder=folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count("(done before)") == len(before)
    jobs = measured(run)
    assert len(jobs) == JOBS
    assert {(job.workload, job.repeat) for job, _ in jobs.values()} == {
        (workload, repeat) for workload in ("first", "second") for repeat in range(4)
    }
    assert {result.status if result else None for _, result in jobs.values()} == {"ok"}
    kept = {name: (run / "jobs" / name / "result.json").read_bytes() for name in before}
    assert kept == before, "what was done was not run again"
    assert {job.threads for job, _ in jobs.values()} == {1}
    assert json.loads((run / "run.json").read_text())["request"]["frameworks"] == "numpy"
    return run
