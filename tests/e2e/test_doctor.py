"""``bench doctor``, ``bench frameworks`` and ``bench suites`` as a user calls them."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines.docker import DockerEngine
from orchestrator.gpu import gpu_names
from orchestrator.suite import builtin_suites
from tests.commands import bench


def examined(folder: Path, code: int | None, **environment: str) -> dict[str, dict[str, Any]]:
    run = bench("doctor", "--format", "json", folder=folder, **environment)
    found: dict[str, dict[str, Any]] = {item["subject"]: item for item in json.loads(run.stdout)["findings"]}
    problems = [item for item in found.values() if item["state"] == "problem"]
    assert run.returncode == bool(problems), run.stderr
    assert code is None or run.returncode == code
    assert all(item["state"] == "ok" or item["advice"] for item in found.values())
    return found


def test_with_a_daemon_docker_is_looked_at(tmp_path: Path, docker_engine: DockerEngine) -> None:
    found = examined(tmp_path, None)
    assert docker_engine.client.version()["Version"] in found["Docker"]["text"]
    assert found["Docker"]["state"] == "ok"
    assert "disk of Docker" in found
    assert "Docker can" in found["cgroups"]["text"]


def test_without_a_daemon_it_says_why_and_what_to_do(tmp_path: Path) -> None:
    found = examined(tmp_path, None, DOCKER_HOST=f"unix://{tmp_path}/nothing.sock")
    assert found["Docker"]["state"] == "warning"
    assert "no daemon answers" in found["Docker"]["text"]
    assert "local engine" in found["Docker"]["advice"]
    assert "disk of Docker" not in found


@pytest.mark.parametrize(
    ("subject", "environment"),
    [("cache", {"BENCH_CACHE_DIR": "{}/file/cache"}), ("data", {"BENCH_DATA_DIR": "{}/nowhere"})],
)
def test_a_problem_is_exit_code_1(subject: str, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = examined(tmp_path, 1, **{name: value.format(tmp_path) for name, value in environment.items()})
    assert found[subject]["state"] == "problem"


def test_the_table_reads_well_in_a_pipe_and_changes_nothing(tmp_path: Path) -> None:
    run = bench("doctor", folder=tmp_path, BENCH_CACHE_DIR=str(tmp_path / "cache"), BENCH_DATA_DIR=str(tmp_path / "no"))
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    lines = run.stdout.splitlines()
    assert all(line.startswith(("ok ", "warning ", "problem ", " ")) for line in lines[:-1])
    assert "1 problem, " in lines[-1]
    place = next(place for place, line in enumerate(lines) if line.startswith("problem"))
    assert "data" in lines[place]
    assert lines[place + 1].strip().startswith("-> Name the folder"), "in one line, so that a command can be copied"
    assert lines[place + 1].endswith("`unset BENCH_DATA_DIR`.")
    assert list(tmp_path.iterdir()) == []


def test_every_frameworks_interpreter_and_the_gpu_are_looked_for(tmp_path: Path) -> None:
    found = examined(tmp_path, None)
    assert {f"Python {entry.python}" for entry in FRAMEWORKS.values()} <= set(found)
    assert all(name in found["GPU"]["text"] for name in gpu_names())


def test_an_unknown_format_is_bad_input(tmp_path: Path) -> None:
    run = bench("doctor", "--format", "jsno", folder=tmp_path)
    assert (run.returncode, "'json'" in run.stderr) == (2, True)


def test_suites_lists_the_built_in_ones(tmp_path: Path) -> None:
    run = bench("suites", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert all(name in run.stdout for name in builtin_suites())


def test_a_suite_is_listed_with_its_workloads_and_a_wrong_name_is_bad_input(tmp_path: Path) -> None:
    run = bench("suites", "quick", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "cnn: digits, 23,946 parameters" in run.stdout.splitlines()
    run = bench("suites", "quikc", folder=tmp_path)
    assert (run.returncode, "'quick'" in run.stderr) == (2, True)


def test_frameworks_with_layers_is_a_matrix(tmp_path: Path) -> None:
    run = bench("frameworks", "--layers", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert all(name in run.stdout for name in FRAMEWORKS)
    assert "torch: lstm: one bias: nn.LSTM's second bias is zero and frozen" in run.stdout.splitlines()
