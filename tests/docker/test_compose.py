"""`docker compose up` and `docker compose run --rm theano`, with real containers of three frameworks and the reference.

One project for the module; its images share their layers with the docker engine's, so they are built once. Keras's
services are left out: gigabytes more, and nothing else to learn from them.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.engines.docker import DockerEngine
from orchestrator.store import RunStore
from tests.turns import wait_for
from workers.spec import Result

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = ("numpy", "tf", "theano", "torch")
SUITE = """
suite: SUITE
title: One small model
repeats: 1
workloads:
  - name: tiny
    dataset: digits
    layers: [{kind: flatten}, {kind: dense, units: 16}, {kind: activation, function: tanh}, {kind: dense, units: 10}]
    recipe:
      optimiser: {kind: sgd, learning_rate: 0.05, momentum: 0.9}
      loss: {kind: categorical_cross_entropy}
      batch_size: 32
      epochs: 3
"""


class Project:
    """A compose project of this test's own."""

    def __init__(self, engine: DockerEngine, runs: Path) -> None:
        self.client = engine.client
        self.runs = runs
        self.name = f"bakeoff-test-{os.getpid()}"
        self.suite = f"compose{os.getpid()}"
        (runs / "tiny.yaml").write_text(SUITE.replace("SUITE", self.suite))
        self.environment = {
            **os.environ,
            "BENCH_RUNS_DIR": str(runs),
            "BENCH_UID": str(os.getuid()),
            "BENCH_GID": str(os.getgid()),
            "BENCH_FRAMEWORKS": "tf,torch,theano",
            "BENCH_SUITE": "runs/tiny.yaml",
            "BENCH_GRACE_SECONDS": "60",
        }

    def compose(self, *words: str, **settings: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["docker", "compose", "--project-name", self.name, *words],
            cwd=ROOT,
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def composed(self, *words: str, **settings: str) -> tuple[int, str]:
        process = self.compose(*words, **settings)
        output, _ = process.communicate(timeout=1500)
        return process.returncode, output

    def container(self, service: str) -> Any:
        return self.client.containers.get(f"{self.name}-{service}-1")

    def exit_codes(self) -> dict[str, int]:
        return {service: self.container(service).wait()["StatusCode"] for service in ("bench", *SERVICES)}

    def code_for_ci(self) -> str:
        """Return what the README has CI ask for."""
        return self.composed("ps", "--all", "--format", "{{.ExitCode}}", "bench")[1].strip()

    def newest(self) -> list[tuple[str, int, Result]]:
        """Return (framework, repeat, result) of the newest run's measured jobs."""
        run = max(self.runs.glob(f"{self.suite}-*"), key=lambda path: path.stat().st_mtime)
        jobs = [(job, result) for job, result in RunStore(run).jobs() if result is not None and job.kind == "train"]
        return sorted((job.framework.label, job.repeat, result) for job, result in jobs)


@pytest.fixture(scope="module")
def project(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(docker_engine, tmp_path_factory.mktemp("runs"))
    try:
        yield made
    finally:
        made.composed("down", "--volumes", "--rmi", "local", "--remove-orphans", "--timeout", "1")


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Watch(threading.Thread):
    """Looks, several times a second, at which jobs run, and at the CPU time of every container."""

    def __init__(self, project: Project, suite: str) -> None:
        super().__init__(daemon=True)
        self.project = project
        self.jobs = re.compile(rf"^.*/runs/{suite}-.*/jobs/tiny-([a-z]+)-")
        self.over = threading.Event()
        self.overlaps: list[set[str]] = []
        self.measured: set[str] = set()
        self.waiting = 0.0  # CPU seconds of containers, in times when another's job ran
        self.watched = 0.0  # the seconds of those times, over containers

    def run(self) -> None:
        before: tuple[float, str, dict[str, float]] | None = None
        while not self.over.wait(0.3):
            job = self.running()
            now = (time.monotonic(), job, self.cpu_seconds() if job else {})
            if before is not None and job and job == before[1]:
                for service in set(now[2]) & set(before[2]) - {job, "bench"}:
                    self.waiting += now[2][service] - before[2][service]
                    self.watched += now[0] - before[0]
            before = now

    def running(self) -> str:
        """Return the service whose job runs, or nothing."""
        jobs: list[tuple[str, psutil.Process]] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                found = self.jobs.match(words[-1]) if len(words) == 4 and words[1:3] == ["-m", "workers"] else None
                if found:
                    jobs.append((found.group(1), process))
        # One that ended while the others were looked at did not run beside them.
        alive = {service for service, process in jobs if runs(process)}
        self.measured |= alive
        if len(alive) > 1:
            self.overlaps.append(alive)
        return alive.pop() if len(alive) == 1 else ""

    def cpu_seconds(self) -> dict[str, float]:
        found = {}
        for service in ("bench", *SERVICES):
            stats = self.project.container(service).stats(stream=False, one_shot=True)
            found[service] = stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
        return found


def test_up_runs_the_full_matrix_one_measurement_at_a_time_and_prints_the_summary(project: Project) -> None:
    watch = Watch(project, project.suite)
    watch.start()
    code, output = project.composed("up", "bench", *SERVICES)
    watch.over.set()
    watch.join()
    assert code == 0, output
    assert project.exit_codes() == dict.fromkeys(("bench", *SERVICES), 0)
    assert project.code_for_ci() == "0"
    assert [(label, repeat, result.status) for label, repeat, result in project.newest()] == [
        (label, 0, "ok") for label in ("tf", "theano", "torch")
    ]
    assert all(result.parity and result.parity.passed for _, _, result in project.newest())
    for label in ("tf", "theano", "torch"):
        assert re.search(rf"bench-1 .*│ {label} [\d.]+ .* passed │", output), output
    assert watch.overlaps == []
    assert watch.measured >= {"tf", "theano", "torch"}
    assert watch.watched > 10
    print(f"waiting containers used {watch.waiting / watch.watched:.2%} of a CPU over {watch.watched:.0f} s")
    assert watch.waiting / watch.watched < 0.02


def test_two_jobs_at_once_would_be_seen(project: Project, tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__main__.py").write_text("import time\ntime.sleep(60)\n")
    watch = Watch(project, "planted")
    jobs = [f"{tmp_path}/runs/planted-1/jobs/tiny-{label}-1" for label in ("tf", "torch")]
    with contextlib.ExitStack() as stack:
        for job in jobs:
            process = stack.enter_context(subprocess.Popen([sys.executable, "-m", "workers", job], cwd=tmp_path))
            stack.callback(process.kill)
        wait_for(lambda: watch.running() == "" and watch.overlaps)
    assert watch.overlaps[-1] == {"tf", "torch"}


def test_what_a_run_leaves_belongs_to_the_user(project: Project) -> None:
    assert {path.stat().st_uid for path in project.runs.rglob("*")} == {os.getuid()}


def test_a_container_can_do_no_more_than_a_job_of_the_docker_engine(project: Project) -> None:
    for service in SERVICES:
        attributes = project.container(service).attrs
        host = attributes["HostConfig"]
        assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["Memory"] == host["MemorySwap"] == 8 * 1024**3
        assert attributes["Config"]["User"] == f"{os.getuid()}:{os.getgid()}"
        assert [mount["Destination"] for mount in attributes["Mounts"]] == ["/bench/runs"]


def test_run_starts_one_framework_and_the_reference_alone(project: Project) -> None:
    before = {service: project.container(service).attrs["State"]["StartedAt"] for service in ("tf", "torch")}
    code, output = project.composed("run", "--rm", "theano", BENCH_FRAMEWORKS="all", BENCH_GRACE_SECONDS="20")
    assert code == 0, output
    assert [(label, repeat, result.status) for label, repeat, result in project.newest()] == [("theano", 0, "ok")]
    assert re.search(r"│ theano [\d.]+ .* passed │", output)
    assert "│ t" not in output.replace("│ theano", "").replace("│ tiny", "")
    assert {service: project.container(service).attrs["State"]["StartedAt"] for service in ("tf", "torch")} == before


def test_a_framework_whose_container_is_killed_fails_alone(project: Project) -> None:
    """PyTorch's container is up and not asked for: it waits for the end, and ends as the others do."""
    settings = {"BENCH_FRAMEWORKS": "tf,theano", "BENCH_OPTIONS": "--repeats 2"}
    code, output = project.composed("up", "--detach", *SERVICES, **settings)
    assert code == 0, output

    def measuring() -> bool:
        order = project.runs / ".turns" / "tf.order.json"
        with contextlib.suppress(OSError, ValueError):
            return "-r0-" in json.loads(order.read_text())["folder"]
        return False

    wait_for(measuring, 600)
    project.container("tf").kill()
    codes = project.exit_codes()
    results = project.newest()
    assert [(label, repeat, result.status) for label, repeat, result in results] == [
        ("tf", 0, "lost"),
        ("tf", 1, "unavailable"),
        ("theano", 0, "ok"),
        ("theano", 1, "ok"),
    ]
    assert results[0][2].reason == "the container tf ended while the job ran"
    assert project.code_for_ci() == "1"
    assert codes == {"bench": 1, "numpy": 1, "tf": 137, "theano": 1, "torch": 1}
