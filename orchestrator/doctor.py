"""What ``bench doctor`` makes of a machine: findings, each with what to do where something is not right. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.catalogue import FRAMEWORKS, every_entry
from orchestrator.machine import Daemon, Machine

GIB = 1024**3

# Seen: the images of four frameworks are 8.3 GB, torch's 5.7 of them, and a build copies a layer as it ends.
FULL_SET_BYTES = 15 * GIB
LEAST_DISK_BYTES = 2 * GIB  # less than any framework but numpy takes
JOB_BYTES = 8 * GIB  # the default of --memory
LEAST_MEMORY_BYTES = 1 * GIB  # importing torch alone takes half of it
LOAD_PER_CPU = 0.25


@dataclass(frozen=True)
class Finding:
    """One line. A ``problem`` stops runs or will; a ``warning`` spoils them, or closes one way of several."""

    subject: str
    state: Literal["ok", "warning", "problem"]
    text: str
    advice: str | None = None

    def __post_init__(self) -> None:
        if self.state != "ok" and not self.advice:
            raise ValueError(f"{self.subject}: a {self.state} must say what to do")


def examine(machine: Machine) -> list[Finding]:
    """Return every finding, in the order in which they are read best."""
    return [
        docker_daemon(machine),
        docker_plugin("Compose", machine.compose, "compose"),
        docker_plugin("Buildx", machine.buildx, "buildx"),
        gpu(machine),
        cgroups(machine),
        cache_folder(machine),
        disk("disk of the cache", machine.cache_free_bytes, f"free some, or set BENCH_CACHE_DIR (now {machine.cache})"),
        *_docker_disk(machine),
        memory(machine),
        swap(machine),
        governor(machine),
        turbo(machine),
        load(machine),
        *interpreters(machine),
        *libraries(machine),
        compiler(machine),
        data(machine),
    ]


def has_problem(findings: Sequence[Finding]) -> bool:
    return any(finding.state == "problem" for finding in findings)


def docker_daemon(machine: Machine) -> Finding:
    if isinstance(machine.daemon, Daemon):
        return Finding("Docker", "ok", f"version {machine.daemon.version} answers")
    text = f"no daemon answers ({machine.daemon})"
    start = "install Docker Engine, or start it: `sudo systemctl start docker`"
    if "ermission denied" in machine.daemon:
        start = "add yourself to its group and log in again: `sudo usermod -aG docker $USER`"
    if machine.system == "linux":
        return Finding("Docker", "warning", text, f"Runs take the local engine. For containers, {start}.")
    return Finding("Docker", "problem", text, f"No engine works, as the local one needs Linux: {start}.")


def docker_plugin(subject: str, version: str | None, package: str) -> Finding:
    if version:
        return Finding(subject, "ok", f"version {version}")
    advice = (
        f"bench itself does without it. For `docker {package}`, from Docker's own packages: "
        f"`sudo apt-get install docker-{package}-plugin`."
    )
    return Finding(subject, "warning", "not found", advice)


def gpu(machine: Machine) -> Finding:
    if not machine.gpus and machine.driver is None:
        return Finding("GPU", "ok", "no NVIDIA driver answers; jobs run on the CPU, and --gpu is refused")
    if not machine.gpus:
        text = f"driver {machine.driver} shows no GPU"
        return Finding("GPU", "warning", text, "Look for what `nvidia-smi` says; until then leave --gpu out.")
    text = f"{', '.join(machine.gpus)}, driver {machine.driver}"
    if isinstance(machine.daemon, Daemon) and "nvidia" not in machine.daemon.runtimes:
        advice = (
            "For --gpu in containers install the NVIDIA Container Toolkit, then "
            "`sudo nvidia-ctk runtime configure --runtime=docker` and `sudo systemctl restart docker`."
        )
        return Finding("GPU", "warning", f"{text}; Docker has no NVIDIA runtime", advice)
    return Finding("GPU", "ok", text)


def cgroups(machine: Machine) -> Finding:
    version = f"version {machine.cgroup}" if machine.cgroup else "version not readable here"
    if isinstance(machine.daemon, str):
        return Finding("cgroups", "ok", version)
    if machine.daemon.cannot_limit:
        text = f"{version}; Docker cannot limit {', '.join(machine.daemon.cannot_limit)}"
        advice = (
            "Jobs may take more than they were given: boot with "
            "`cgroup_enable=memory swapaccount=1` on the kernel's command line, or with cgroups version 2."
        )
        return Finding("cgroups", "warning", text, advice)
    return Finding("cgroups", "ok", f"{version}; Docker can limit memory, swap, CPUs and processes")


def cache_folder(machine: Machine) -> Finding:
    if machine.unwritable is None:
        return Finding("cache", "ok", f"{machine.cache} can be written")
    text = f"{machine.cache} cannot be written ({machine.unwritable})"
    return Finding("cache", "problem", text, "Name a folder of yours: `export BENCH_CACHE_DIR=~/bench-cache`.")


def disk(subject: str, free_bytes: int | None, advice: str) -> Finding:
    if free_bytes is None:
        return Finding(subject, "ok", "not readable here")
    text = f"{free_bytes / GIB:.1f} GiB free"
    if free_bytes >= FULL_SET_BYTES:
        return Finding(subject, "ok", text)
    state: Literal["warning", "problem"] = "problem" if free_bytes < LEAST_DISK_BYTES else "warning"
    return Finding(subject, state, text, f"To build every framework takes about {FULL_SET_BYTES // GIB} GiB: {advice}.")


def _docker_disk(machine: Machine) -> Iterator[Finding]:
    if isinstance(machine.daemon, Daemon):
        advice = f"free some below {machine.daemon.root}: `docker system prune`"
        yield disk("disk of Docker", machine.docker_free_bytes, advice)


def memory(machine: Machine) -> Finding:
    text = f"{machine.available_bytes / GIB:.1f} of {machine.memory_bytes / GIB:.1f} GiB available"
    if machine.available_bytes >= JOB_BYTES:
        return Finding("memory", "ok", text)
    if machine.available_bytes < LEAST_MEMORY_BYTES:
        return Finding("memory", "problem", text, "Close other programs: a framework alone may not fit.")
    fits = max(1, int(machine.available_bytes * 0.9 // GIB))
    advice = (
        f"A job may take {JOB_BYTES // GIB} GiB, more than there is: "
        f"close other programs, or give `bench orchestrate --memory {fits}GiB`."
    )
    return Finding("memory", "warning", text, advice)


def swap(machine: Machine) -> Finding:
    if machine.swap_bytes == 0:
        return Finding("swap", "ok", "none")
    text = f"{machine.swap_bytes / GIB:.1f} GiB"
    if machine.available_bytes >= JOB_BYTES:
        return Finding("swap", "ok", text)
    advice = (
        "With little memory left, a job of the local engine is swapped out and slow, not stopped: "
        "`sudo swapoff -a` for the run, or take --engine docker, whose containers have no swap."
    )
    return Finding("swap", "warning", text, advice)


def governor(machine: Machine) -> Finding:
    if not machine.governors:
        return Finding("CPU governor", "ok", "not readable here")
    text = ", ".join(machine.governors)
    if machine.governors == ("performance",):
        return Finding("CPU governor", "ok", text)
    advice = "The clock follows the load, and times with it: `sudo cpupower frequency-set --governor performance`."
    return Finding("CPU governor", "warning", text, advice)


def turbo(machine: Machine) -> Finding:
    if machine.turbo is None:
        return Finding("CPU turbo", "ok", "not readable here")
    if not machine.turbo:
        return Finding("CPU turbo", "ok", "off")
    advice = (
        "The clock falls as the CPU warms up. For steadier times, until the next boot: "
        "`echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo`, "
        "or where that is missing `echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost`."
    )
    return Finding("CPU turbo", "warning", "on", advice)


def load(machine: Machine) -> Finding:
    per_cpu = machine.load / machine.cpus
    names = ", ".join(f"{name} ({share:.1f} CPUs)" for name, share in machine.busy) or "no process"
    text = f"{per_cpu:.2f} per CPU over the last minute ({machine.cpus} CPUs); busy now: {names}"
    if per_cpu < LOAD_PER_CPU:
        return Finding("load", "ok", text)
    if machine.busy:
        return Finding("load", "warning", text, "Others slow the jobs down: stop them, or wait for them, before a run.")
    return Finding("load", "warning", text, "It falls by itself: wait a minute before a run.")


def interpreters(machine: Machine) -> Iterator[Finding]:
    for version, path in machine.interpreters.items():
        local = [entry for entry in every_entry() if entry.python == version and not entry.no_local]
        names = ", ".join(entry.label for entry in local if not entry.mode)
        if path:
            yield Finding(f"Python {version}", "ok", f"{path}, for {names} in the local engine")
            continue
        advice = (
            f"uv fetches it when it is needed; without a network install it first: "
            f"`uv python install {version}`, or `pyenv install {version}`."
        )
        yield Finding(f"Python {version}", "warning", f"not found; {names} need it in the local engine", advice)


def libraries(machine: Machine) -> Iterator[Finding]:
    for entry in FRAMEWORKS.values():
        missing = [path for path in entry.local_files if path in machine.missing_files]
        if missing:
            text = f"not found: {', '.join(missing)}; {entry.name} needs them in the local engine"
            advice = " ".join(f"`{entry.local_files[path]}`" for path in missing)
            yield Finding(f"libraries of {entry.name}", "warning", text, advice)
        elif entry.local_files:
            yield Finding(f"libraries of {entry.name}", "ok", f"{', '.join(entry.local_files)}, for the local engine")


def compiler(machine: Machine) -> Finding:
    if machine.compiler:
        return Finding("g++", "ok", f"{machine.compiler}, for theano in the local engine")
    advice = "Without it theano computes in slow Python there: `sudo apt-get install g++`."
    return Finding("g++", "warning", "not found; theano needs it in the local engine", advice)


def data(machine: Machine) -> Finding:
    if machine.data_dir is None:
        return Finding("data", "ok", "BENCH_DATA_DIR is not set: datasets are downloaded when a suite needs them")
    if machine.data_dir_there:
        return Finding("data", "ok", f"BENCH_DATA_DIR is {machine.data_dir}")
    text = f"BENCH_DATA_DIR is {machine.data_dir}, which is no folder"
    advice = "Name the folder that holds the datasets' files, or let them be downloaded: `unset BENCH_DATA_DIR`."
    return Finding("data", "problem", text, advice)
