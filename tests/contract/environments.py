"""Runs a script in a framework's own environment: in its container where a Docker daemon answers, else locally."""

import functools
import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.catalogue import ROOT, FrameworkEntry, find
from orchestrator.engines import Engine, Prepared
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.local import LocalEngine
from orchestrator.errors import EngineError

SECONDS = 2400  # of one script: dozens of cases, each of which may compile for seconds

COMPILE_CACHES = {  # besides those that the catalogue names: no time is compared here, and cases share their programs
    "JAX_COMPILATION_CACHE_DIR": "{folder}",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
}


@functools.cache
def engine(cache: Path) -> Engine:
    """Return the docker engine, or the local one where no daemon answers; under BENCH_REQUIRE_DOCKER=1 that fails."""
    docker = DockerEngine()
    reason = docker.why_not()
    if reason is None:
        return docker
    if os.environ.get("BENCH_REQUIRE_DOCKER") == "1":
        pytest.fail(f"BENCH_REQUIRE_DOCKER=1, but {reason}")
    return LocalEngine(cache)


def prepare(label: str, cache: Path) -> Prepared:
    """Return a framework's environment; the test skips where it cannot be had without Docker, or where it is built on
    an image that only the user has, and none is given."""
    chosen, entry = engine(cache), find(label)
    skip_if_ungiven(label)
    try:
        return chosen.prepare(entry, "cpu", print)
    except EngineError as error:
        if chosen.name == "docker":
            raise
        pytest.skip(str(error))


def ungiven(entry: FrameworkEntry) -> str | None:
    """Return why a framework cannot be tried here: it is built on an image that only the user has, and gives none."""
    variable = f"BENCH_{entry.base_argument}"
    given = entry.base_argument is None or os.environ.get(variable)
    return None if given else f"{variable} names no image with {entry.title}"


def skip_if_ungiven(label: str) -> None:
    reason = ungiven(find(label))
    if reason:
        pytest.skip(reason)


def run_script(label: str, script: Path, folder: Path, cache: Path) -> None:
    """Run ``python SCRIPT LABEL FOLDER`` in a framework's environment."""
    run_prepared(prepare(label, cache), script, folder, cache)


def run_prepared(prepared: Prepared, script: Path, folder: Path, cache: Path) -> None:
    """Run ``python SCRIPT LABEL FOLDER`` with the workers on its path and a compile cache that such scripts share."""
    compiled = cache / "compiled" / f"tests-{prepared.key}"
    compiled.mkdir(parents=True, exist_ok=True)
    in_image = prepared.image_id is not None
    command = _in_image(prepared, script, folder, compiled) if in_image else [prepared.target, str(script)]
    environment = None if in_image else _local_environment(prepared.entry, compiled)
    words = [*command, prepared.entry.label, "/case" if in_image else str(folder)]
    subprocess.run(words, env=environment, check=True, timeout=SECONDS)


def _in_image(prepared: Prepared, script: Path, folder: Path, compiled: Path) -> list[str]:
    variables = {"HOME": "/tmp", "PYTHONPATH": "/bench", "PYTHONDONTWRITEBYTECODE": "1"}
    variables |= _compile_caches(prepared.entry, "/compiled")
    mounts = {script.parent: "/scripts:ro", folder: "/case", compiled: "/compiled"}
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))  # those of the caller, as a child process has them
    options = ["--rm", "--network", "none", "--cpuset-cpus", cpus, "--user", f"{os.getuid()}:{os.getgid()}"]
    options += [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    options += [word for source, place in mounts.items() for word in ("--volume", f"{source.resolve()}:{place}")]
    return ["docker", "run", *options, prepared.target, "python", f"/scripts/{script.name}"]


def _local_environment(entry: FrameworkEntry, compiled: Path) -> dict[str, str]:
    own = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home()), "PYTHONPATH": str(ROOT)}
    return own | _compile_caches(entry, compiled)


def _compile_caches(entry: FrameworkEntry, folder: Path | str) -> dict[str, str]:
    return {name: value.format(folder=folder) for name, value in {**COMPILE_CACHES, **entry.compile_cache}.items()}
