"""What ``bench doctor`` reads of this machine: each function reads one thing; what cannot be read is None or empty."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import docker
import psutil
import requests
from docker.errors import DockerException

from orchestrator import gpu
from orchestrator.catalogue import FRAMEWORKS, every_entry
from orchestrator.engines.local import find_interpreter, missing_files
from orchestrator.store import cache_dir

CPUS_FOLDER = Path("/sys/devices/system/cpu")
CGROUP_FOLDER = Path("/sys/fs/cgroup")
SAMPLE_SECONDS = 0.5
ANSWER_SECONDS = 10
BUSY_SHARE = 0.1  # of one CPU: a process below it is not named


@dataclass(frozen=True)
class Daemon:
    """A Docker daemon that answers. ``cannot_limit``: what its kernel gives it no means to hold a container to."""

    version: str
    root: Path
    runtimes: tuple[str, ...] = ()
    cannot_limit: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """Everything that was read. ``daemon``: or why none answers. ``interpreters``: Python version -> its path.
    ``missing_files``: what frameworks load from outside their packages, and is not there.

    ``turbo``: whether the CPU may exceed its nominal clock. ``load``: the average of the last minute;
    ``busy``: (process, CPUs that it keeps busy) now. ``unwritable``: why the cache cannot be written.
    """

    system: str
    daemon: Daemon | str
    compose: str | None
    buildx: str | None
    gpus: tuple[str, ...]
    driver: str | None
    cache: Path
    unwritable: str | None
    cache_free_bytes: int | None
    docker_free_bytes: int | None
    memory_bytes: int
    available_bytes: int
    swap_bytes: int
    cgroup: int | None
    cpus: int
    governors: tuple[str, ...]
    turbo: bool | None
    load: float
    busy: tuple[tuple[str, float], ...]
    interpreters: dict[str, str | None]
    missing_files: tuple[str, ...]
    compiler: str | None
    data_dir: Path | None
    data_dir_there: bool


def read_machine() -> Machine:
    """Read everything; takes about a second."""
    daemon = read_daemon()
    cache = cache_dir()
    data_dir = Path(os.environ["BENCH_DATA_DIR"]) if os.environ.get("BENCH_DATA_DIR") else None
    memory = psutil.virtual_memory()
    return Machine(
        system=sys.platform,
        daemon=daemon,
        compose=plugin_version("compose"),
        buildx=plugin_version("buildx"),
        gpus=tuple(gpu.gpu_names()),
        driver=gpu.driver_version(),
        cache=cache,
        unwritable=why_unwritable(cache),
        cache_free_bytes=free_bytes(nearest_folder(cache)),
        docker_free_bytes=None if isinstance(daemon, str) else free_bytes(daemon.root),
        memory_bytes=memory.total,
        available_bytes=memory.available,
        swap_bytes=psutil.swap_memory().total,
        cgroup=cgroup_version(CGROUP_FOLDER),
        cpus=os.cpu_count() or 1,
        governors=governors(CPUS_FOLDER),
        turbo=turbo(CPUS_FOLDER),
        load=os.getloadavg()[0],
        busy=busy_processes(psutil.process_iter(), SAMPLE_SECONDS),
        interpreters={version: find_interpreter(version) for version in python_versions()},
        missing_files=tuple(path for entry in FRAMEWORKS.values() for path in missing_files(entry)),
        compiler=shutil.which("g++"),
        data_dir=data_dir,
        data_dir_there=data_dir is not None and data_dir.is_dir(),
    )


def read_daemon() -> Daemon | str:
    """Return what the Docker daemon says of itself, or why none answers."""
    try:
        with contextlib.closing(docker.from_env(timeout=ANSWER_SECONDS)) as client:
            info = client.info()
    except (DockerException, requests.RequestException) as error:
        return str(error).splitlines()[0]
    limits = {"memory": "MemoryLimit", "swap": "SwapLimit", "CPUs": "CPUSet", "processes": "PidsLimit"}
    return Daemon(
        version=info["ServerVersion"],
        root=Path(info["DockerRootDir"]),
        runtimes=tuple(info.get("Runtimes") or ()),
        cannot_limit=tuple(word for word, name in limits.items() if not info.get(name, True)),
    )


def plugin_version(name: str) -> str | None:
    """Return the version of a plugin of the ``docker`` command."""
    try:
        run = subprocess.run(["docker", name, "version"], capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # "Docker Compose version 2.26.1" and "github.com/docker/buildx v0.13.1 788433953af1"
    words = [word for word in run.stdout.split() if word.lstrip("v")[:1].isdigit()]
    return words[0] if run.returncode == 0 and words else None


def nearest_folder(path: Path) -> Path:
    """Return the path, or what above it is there already."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def why_unwritable(folder: Path) -> str | None:
    """Return why nothing can be written to a folder that may be yet to be made, or None; leaves nothing behind."""
    try:
        with tempfile.TemporaryFile(dir=nearest_folder(folder)):
            return None
    except OSError as error:
        return error.strerror


def free_bytes(folder: Path) -> int | None:
    """Return the free space; None where the folder is not on this machine, as of a daemon elsewhere."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def cgroup_version(folder: Path) -> int | None:
    if (folder / "cgroup.controllers").exists():
        return 2
    return 1 if (folder / "memory").is_dir() else None


def governors(cpus: Path) -> tuple[str, ...]:
    """Return the CPUs' frequency governors, each once; empty in most virtual machines."""
    return tuple(sorted({_text(path) for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {""}))


def turbo(cpus: Path) -> bool | None:
    """Return whether the CPU may exceed its nominal clock, as Intel's driver or the others say it."""
    never, boost = _text(cpus / "intel_pstate" / "no_turbo"), _text(cpus / "cpufreq" / "boost")
    if never:
        return never == "0"
    return boost == "1" if boost else None


def busy_processes(processes: Iterable[psutil.Process], seconds: float) -> tuple[tuple[str, float], ...]:
    """Return the three busiest processes but this one, over the next ``seconds``: (name, CPUs kept busy)."""
    others = [process for process in processes if process.pid != os.getpid()]
    shares = []
    for process in others:
        with contextlib.suppress(psutil.Error):
            process.cpu_percent()
    time.sleep(seconds)
    for process in others:
        with contextlib.suppress(psutil.Error):
            shares.append((process.name(), process.cpu_percent() / 100))
    busiest = sorted((item for item in shares if item[1] >= BUSY_SHARE), key=lambda item: -item[1])
    return tuple(busiest[:3])


def python_versions() -> list[str]:
    """Return the Python versions that the local engine needs."""
    local = {entry.python for entry in every_entry() if not entry.no_local}
    return sorted(local, key=lambda text: [*map(int, text.split("."))])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
