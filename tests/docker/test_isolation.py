"""What a job can and cannot do in its container, asked from inside."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines import docker as engine_module
from orchestrator.engines.docker import DockerEngine
from tests.jobs import FLAT, make_job
from workers.spec import pretty_json

PROBE = r"""
import json, os, socket, subprocess

def refused(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return None

def write(path):
    return lambda: open(path, "w").write("x")

def run_from_tmp():
    with open("/tmp/script", "w") as file:
        file.write("#!/bin/sh\n")
    os.chmod("/tmp/script", 0o755)
    subprocess.run(["/tmp/script"])

status = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
mounts = [line.split() for line in open("/proc/mounts")]
print(json.dumps({
    "interfaces": sorted(os.listdir("/sys/class/net")),
    "connect": refused(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
    "write root": refused(write("/bench/new")),
    "write image": refused(write("/usr/local/lib/new")),
    "write inputs": refused(write("/bench/run/inputs/new")),
    "write another job": refused(write("/bench/run/jobs/new")),
    "write own folder": refused(write("/bench/run/jobs/test/new")),
    "write own job.json": refused(write("/bench/run/jobs/test/job.json")),
    "write tmp": refused(write("/tmp/new")),
    "run from tmp": refused(run_from_tmp),
    "uid": os.getuid(),
    "gid": os.getgid(),
    "capabilities": [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")],
    "no_new_privileges": int(status["NoNewPrivs"]),
    "cpus": sorted(os.sched_getaffinity(0)),
    "docker socket": os.path.exists("/var/run/docker.sock"),
    "recipe_hash": open("/bench/recipe_hash").read().strip(),
    "inputs": os.listdir("/bench/run/inputs"),
}))
"""


@pytest.fixture(scope="module")
def inside(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the probe saw in a container made exactly as a job's, and what Docker says of that container."""
    run = tmp_path_factory.mktemp("run")
    (run / "inputs").mkdir()
    (run / "inputs" / "given.npz").write_text("x")
    folder = run / "jobs" / "test"
    folder.mkdir(parents=True)
    job = make_job([{"kind": "dense", "units": 2}], FLAT)
    job = job.model_copy(update={"limits": job.limits.model_copy(update={"cpu_set": [0], "pids": 300})})
    (folder / "job.json").write_text(pretty_json(job))
    prepared = docker_engine.prepare(FRAMEWORKS["numpy"], "cpu", print)
    settings = engine_module._container(prepared, job, folder, None) | {"command": ["python", "-c", PROBE]}
    container = docker_engine.client.containers.create(**settings)
    try:
        container.start()
        container.wait(timeout=60)
        found: dict[str, Any] = json.loads(container.logs(stdout=True, stderr=False))
        container.reload()
        found["host"] = container.attrs["HostConfig"]
        found["image label"] = container.image.labels["bakeoff.recipe_hash"]
        found["expected hash"] = prepared.recipe_hash
        return found
    finally:
        container.remove(force=True)


def test_there_is_no_network(inside: dict[str, Any]) -> None:
    assert inside["interfaces"] == ["lo"]
    assert inside["connect"] is not None


def test_only_the_jobs_own_folder_and_a_tmp_without_execution_are_writable(inside: dict[str, Any]) -> None:
    refused = ("write root", "write image", "write inputs", "write another job", "write own job.json", "run from tmp")
    assert [name for name in refused if inside[name] is None] == []
    assert inside["write own folder"] is None
    assert inside["write tmp"] is None
    assert inside["inputs"] == ["given.npz"]


def test_it_runs_as_the_caller_without_privileges(inside: dict[str, Any]) -> None:
    assert (inside["uid"], inside["gid"]) == (os.getuid(), os.getgid())
    assert inside["capabilities"] == [0, 0, 0]
    assert inside["no_new_privileges"] == 1
    assert inside["docker socket"] is False


def test_it_has_the_jobs_limits(inside: dict[str, Any]) -> None:
    assert inside["cpus"] == [0]
    host = inside["host"]
    assert host["Memory"] == host["MemorySwap"] == 2**30
    assert host["PidsLimit"] == 300


def test_the_recipe_hash_is_baked_in_as_a_label_and_a_file(inside: dict[str, Any]) -> None:
    assert inside["recipe_hash"] == inside["image label"] == inside["expected hash"]


def test_a_build_context_holds_the_recipe_and_nothing_else(tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(fileobj=engine_module.build_context(FRAMEWORKS["torch"])) as tar:
        names = tar.getnames()
    assert "workers/torch_worker.py" in names
    assert "docker/torch/Dockerfile" in names
    assert [name for name in names if name.endswith("_worker.py")] == ["workers/torch_worker.py"]
    assert {name.split("/")[1] for name in names if name.startswith("docker/")} == {"torch"}
