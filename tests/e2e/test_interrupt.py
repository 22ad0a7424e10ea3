"""Ctrl-C: what runs is stopped, what is done is kept, and the message says how to go on."""

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import psutil

from orchestrator.store import RunStore
from tests.commands import BENCH, ROOT, bench

SUITE = """
suite: slow
title: One quick workload and one that would take minutes
repeats: 1
workloads:
  - name: quick
    dataset: digits
    layers: &layers [{kind: flatten}, {kind: dense, units: 10}]
    recipe:
      optimiser: {kind: sgd, learning_rate: 0.1}
      loss: {kind: categorical_cross_entropy}
      batch_size: 32
      epochs: 3
  - name: slow
    dataset: digits
    layers: *layers
    recipe:
      optimiser: {kind: sgd, learning_rate: 0.1}
      loss: {kind: categorical_cross_entropy}
      batch_size: 1
      epochs: EPOCHS
"""


def start(folder: Path, suite: Path) -> "subprocess.Popen[str]":
    arguments = ["orchestrate", "--frameworks", "numpy", "--engine", "local", "--suite", str(suite), "--threads", "1"]
    return subprocess.Popen(
        [*BENCH, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that the signal reaches bench alone, and bench must stop its job
        # As in a terminal: whoever started the tests in the background may have them ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tmp_path: Path) -> None:
    suite = tmp_path / "slow.yaml"
    suite.write_text(SUITE.replace("EPOCHS", "100000"))
    process = start(tmp_path, suite)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "slow numpy: round 1" in line:
            break
    time.sleep(2)
    workers = [child for child in psutil.Process(process.pid).children(recursive=True) if "workers" in child.cmdline()]
    assert workers
    process.send_signal(signal.SIGINT)
    try:
        rest, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        for left in (process, *workers):  # else they go on measuring beside every later test
            left.kill()
        raise
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)

    (run,) = (tmp_path / "runs").iterdir()
    statuses = {job.workload: result and result.status for job, result in RunStore(run).jobs() if job.kind == "train"}
    assert statuses == {"quick": "ok", "slow": None}

    (command,) = re.findall(r"^  bench (.*)$", rest, re.MULTILINE)
    assert f"--run runs/{run.name}" in command
    # The same run goes on; shortened here, since nobody waits for the slow one.
    suite.write_text(SUITE.replace("EPOCHS", "1"))
    again = bench(*shlex.split(command), folder=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "done before" in again.stdout
