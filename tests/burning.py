"""A job whose use of the machine is known, and what each engine must have read of it; called by each engine's tests."""

import json
import os
import time
from pathlib import Path

import pytest

from orchestrator.monitor.samples import GPU, read_samples
from tests.jobs import FLAT, make_job
from workers.spec import Job, Resources, Result, pretty_json

PROGRAM = r"""
import json, sys, time

folder = sys.argv[-1]
MEBIBYTE = 2**20
said = {}


def phase(name):
    with open(folder + "/phases.txt", "a") as file:
        file.write("{:.6f} {}\n".format(time.monotonic(), name))


def burn(seconds):
    begin, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < begin + seconds:
        sum(range(1000))
    return (time.process_time() - cpu) / (time.monotonic() - begin)


def switches():
    with open("/proc/self/status") as file:
        lines = dict(line.split(":") for line in file if "ctxt" in line)
    return int(lines["voluntary_ctxt_switches"])


phase("import")
time.sleep(1.2)
phase("build")
hoard = bytearray(b"x") * (200 * MEBIBYTE)
time.sleep(1.0)
shares = []
for epoch in range(2):
    phase("train")
    shares.append(burn(1.0))
    phase("other")
    time.sleep(0.3)
del hoard
phase("stage")
phase("evaluate")
before = switches()
for _ in range(60):
    time.sleep(0.02)
said["switches"] = switches() - before
said["busy"] = sum(shares) / len(shares)
phase("other")
with open(folder + "/said.json", "w") as file:
    json.dump(said, file)
phase("latency")
if folder.endswith("hangs"):
    time.sleep(600)
time.sleep(0.5)
sys.exit(3)
"""

PHASES = ["import", "build", "train", "other", "stage", "evaluate", "latency"]
READ = (
    "cpu_percent",
    "mean_rss_bytes",
    "peak_rss_bytes",
    "memory_percent",
    "voluntary_switches",
    "involuntary_switches",
)


def burning_job(run: Path, job_id: str = "burns", timeout_seconds: float = 60.0) -> tuple[Job, Path]:
    """Return a job in its folder; it has one of the CPUs that this process may use."""
    job = make_job([{"kind": "dense", "units": 2}], FLAT).model_copy(update={"id": job_id})
    limits = job.limits.model_copy(
        update={"cpu_set": [max(os.sched_getaffinity(0))], "timeout_seconds": timeout_seconds}
    )
    job = job.model_copy(update={"limits": limits})
    (run / "inputs").mkdir(exist_ok=True)
    folder = run / "jobs" / job_id
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(pretty_json(job))
    return job, folder


def by_phase(result: Result) -> dict[str, Resources]:
    return {item.phase: item for item in result.resources or []}


def check_burning(job: Job, folder: Path, result: Result) -> None:
    """Hold what was sampled to what the job says of itself, and to what it is known to do."""
    assert result.status == "lost"  # it left no result, and what it used is there all the same
    said = json.loads((folder / "said.json").read_text())
    found = by_phase(result)
    assert list(found) == PHASES
    stage = found["stage"]  # shorter than the time between two samples
    assert (stage.cpu_percent, stage.voluntary_switches) == (None, None)
    assert stage.samples <= 1
    assert (stage.peak_rss_bytes is None) == (stage.samples == 0)
    for name in PHASES:
        nulls = [column for column in READ if getattr(found[name], column) is None]
        assert nulls == [] or name == "stage", name
        assert [column for column in GPU if getattr(found[name], column) is not None] == [], "there is no GPU"
    assert found["train"].seconds == pytest.approx(2.0, abs=0.2)
    assert 10 <= found["train"].samples <= 22
    # Others may keep the CPU busy as well: so many percent as the job itself got, by its own clock.
    assert found["train"].cpu_percent == pytest.approx(100 * said["busy"], abs=8)
    assert (found["import"].cpu_percent or 0) < 0.3 * (found["train"].cpu_percent or 0)
    hoard = 200 * 2**20
    idle, full = found["import"].peak_rss_bytes or 0, found["train"].mean_rss_bytes or 0
    assert hoard * 0.95 < full - idle < hoard * 1.2
    assert (found["evaluate"].mean_rss_bytes or 0) < full - hoard * 0.9
    assert found["train"].memory_percent == pytest.approx(
        100 * (found["train"].peak_rss_bytes or 0) / job.limits.memory_bytes
    )
    assert found["evaluate"].voluntary_switches == pytest.approx(said["switches"], abs=12)
    assert said["switches"] >= 60
    samples = read_samples(folder / "samples.csv") or []
    assert len(samples) > 40
    assert abs((samples[-1]["monotonic_seconds"] or 0) - time.monotonic()) < 60


def check_hanging(folder: Path, result: Result) -> None:
    """A job that was stopped has what was sampled until then; its last phase lasts until it was stopped."""
    assert result.status == "timeout"
    found = by_phase(result)
    assert list(found) == PHASES
    assert found["latency"].seconds > 1.0
    assert found["latency"].samples >= 5
    assert found["latency"].cpu_percent == pytest.approx(0, abs=10)
