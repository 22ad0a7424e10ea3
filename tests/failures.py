"""What every engine must make of a job that fails; called by the tests of each engine."""

from pathlib import Path

import pytest

from orchestrator.engines import Engine
from orchestrator.orchestrate import orchestrate
from orchestrator.plan import Request, make_plan
from orchestrator.store import RunStore
from tests import faulty
from workers.spec import Job, Result

STATUSES = {
    "raises": "failed",
    "hangs": "timeout",
    "hogs": "out_of_memory",
    "dies": "lost",
    "diverges": "diverged",
    "idles": "did_not_learn",
    "fine": "ok",
}


class Quiet:
    """A progress that only remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def plan(self, jobs: int) -> None:
        self.said.append(f"{jobs} jobs")

    def start(self, job: Job, what: str) -> None:
        self.said.append(f"start {job.id}: {what}")

    def finish(self, job: Job, result: Result, note: str = "") -> None:
        self.said.append(f"finish {job.id}: {result.status}")


def check_failures(engine: Engine, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a suite of every failure beside a framework that works: each failure is a result, and the rest goes on."""
    faulty.install(folder / "project", monkeypatch)
    suite = folder / "failures.yaml"
    suite.write_text(faulty.SUITE)
    request = Request(
        frameworks="faulty,absent,numpy", suite=str(suite), threads=[1], timeout_seconds=10.0, memory_bytes=400 * 2**20
    )
    plan = make_plan(request, cpus=[0])
    store = RunStore(folder / "run")
    results = {result.job_id: result for result in orchestrate(plan, engine, store, cache, None, Quiet())}
    measured = {(job.framework.name, job.workload): results[job.id] for job in plan.train}

    assert {workload: measured["faulty", workload].status for workload in STATUSES} == STATUSES
    assert all(measured["numpy", name].status == ("did_not_learn" if name == "idles" else "ok") for name in STATUSES)
    assert {measured["absent", name].status for name in STATUSES} == {"unavailable"}
    assert "absent" in str(measured["absent", "fine"].reason)
    for name in ("raises", "hangs", "hogs", "dies"):
        result = measured["faulty", name]
        assert result.reason
        assert result.log_tail is not None
        assert f"about to go wrong: {name}" in result.log_tail
        (job,) = [job for job in plan.train if job.id == result.job_id]
        assert store.read_result(job) == result
    assert "broken on purpose" in str(measured["faulty", "raises"].reason)
    assert "10 seconds" in str(measured["faulty", "hangs"].reason)
    assert "faulty_worker.py" in str(measured["faulty", "hangs"].log_tail), "the log shows where the job hung"
    assert "0.391 GiB" in str(measured["faulty", "hogs"].reason)
    assert "SIGKILL" in str(measured["faulty", "dies"].reason)
