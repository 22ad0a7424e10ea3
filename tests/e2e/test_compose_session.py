"""The service ``bench`` of compose.yaml and a framework's, as processes: what is run, what is printed, how all end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.store import RunStore
from tests.turns import Containers, wait_for
from workers.turns import present

ROOT = Path(__file__).resolve().parent.parent.parent


class Compose:
    """What compose.yaml starts, without Docker: a folder with runs/, and the services that a test starts in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.runs.mkdir()
        self.turns = self.runs / ".turns"
        self.containers = Containers(folder)

    def bench(self, **settings: str) -> "subprocess.Popen[str]":
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BENCH_TURNS_DIR": str(self.turns),
            "BENCH_CACHE_DIR": str(self.folder / "cache"),
            "BENCH_UID": str(os.getuid()),
            "BENCH_GID": str(os.getgid()),
            "BENCH_FRAMEWORKS": "numpy",
            "BENCH_OPTIONS": "--workloads mlp --repeats 1 --epochs 1",
            **settings,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.compose"],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.containers.processes.append(process)
        return process

    def numpy(self) -> "subprocess.Popen[str]":
        return self.containers.start(self.runs, "numpy")


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Compose]:
    made = Compose(tmp_path)
    yield made
    made.containers.end()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def test_a_run_is_made_printed_by_the_framework_that_ran_and_ends_both(compose: Compose) -> None:
    numpy, bench = compose.numpy(), compose.bench()
    code, output = ended(bench)
    assert code == 0, output
    assert "Up: numpy.\n" in output
    numpy_code, numpy_output = ended(numpy)
    assert numpy_code == 0
    table = output[output.index("Results: ") :]
    assert "engine compose" in table
    assert "passed" in table
    assert numpy_output.endswith(table)
    (run,) = compose.runs.glob("quick-*")
    statuses = [result.status for job, result in RunStore(run).jobs() if result is not None]
    assert statuses == ["ok"] * len(statuses)
    assert statuses


def test_a_run_goes_on_by_its_folder(compose: Compose) -> None:
    numpy, bench = compose.numpy(), compose.bench()
    assert ended(bench)[0] == ended(numpy)[0] == 0
    (run,) = compose.runs.glob("quick-*")
    numpy, bench = compose.numpy(), compose.bench(BENCH_SUITE="quick", BENCH_OPTIONS=f"--run runs/{run.name}")
    code, output = ended(bench)
    assert (code, ended(numpy)[0]) == (0, 0), output
    assert "(done before)" in output


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"BENCH_FRAMEWORKS": "numpi"}, "Unknown framework 'numpi'"),
        ({"BENCH_OPTIONS": "--workloads nothing"}, "Unknown workload 'nothing'"),
        ({"BENCH_MEMORY": "much"}, "--memory is 'much'"),
    ],
)
def test_what_is_asked_wrongly_is_told_and_ends_both(compose: Compose, settings: dict[str, str], message: str) -> None:
    numpy, bench = compose.numpy(), compose.bench(**settings)
    code, output = ended(bench)
    assert (code, ended(numpy)[0]) == (2, 2)
    assert message in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"BENCH_OPTIONS": "--suite 'mine"}, 'BENCH_OPTIONS is "--suite \'mine"; give words of a command line.'),
        ({"BENCH_GRACE_SECONDS": "soon"}, "BENCH_GRACE_SECONDS is 'soon'; give a number of seconds."),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(compose: Compose, settings: dict[str, str], message: str) -> None:
    assert ended(compose.bench(**settings)) == (2, message + "\n")


def test_without_the_references_container_nothing_can_run(compose: Compose) -> None:
    code, output = ended(compose.bench(BENCH_FIRST_SECONDS="0"))
    assert code == 3
    assert "Up: none. Not up, so not compared: numpy." in output
    assert "numpy: its container is not up" in output


def test_a_runs_folder_has_one_orchestrator(compose: Compose) -> None:
    first = compose.bench(BENCH_FIRST_SECONDS="60")
    wait_for(lambda: present(compose.turns / "orchestrator.present"))
    code, output = ended(compose.bench())
    assert (code, "Another orchestrator uses this runs folder" in output) == (3, True)
    assert first.poll() is None


def test_a_stopped_bench_keeps_what_is_done_and_ends_the_others(compose: Compose) -> None:
    numpy, bench = compose.numpy(), compose.bench(BENCH_OPTIONS="--workloads cnn --repeats 1 --epochs 200")
    wait_for(lambda: [path for path in compose.turns.glob("numpy.order.json") if "-r0-" in path.read_text()], 60)
    bench.send_signal(signal.SIGTERM)
    code, output = ended(bench)
    assert (code, "Stopped. What is done is kept in runs/" in output) == (130, True)
    assert ended(numpy)[0] == 130
