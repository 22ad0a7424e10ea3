"""Engine ``local``: one virtual environment per framework, made by uv from the pinned, hashed file of its image."""

import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import uv

from orchestrator.catalogue import DOCKER_DIR, ROOT, FrameworkEntry
from orchestrator.engines import Prepared, Say
from orchestrator.engines.outcome import Exit, collect
from orchestrator.errors import EngineError
from orchestrator.gpu import why_no_gpu
from orchestrator.monitor.processes import ProcessTree
from orchestrator.monitor.sampler import SAMPLE_SECONDS, sampling
from orchestrator.recipe import recipe_hash
from workers.spec import Job, Result

POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 1.0  # for the stack trace that a hanging worker writes at its deadline

# What a job inherits of the caller's environment: nothing that could steer a framework.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES")


class LocalEngine:
    """Runs each job as a process of its own in the framework's environment."""

    name = "local"

    def __init__(self, cache: Path, sample_seconds: float = SAMPLE_SECONDS) -> None:
        """``sample_seconds``: between two samples of what a job uses; 0: it is not sampled."""
        self.environments = cache / "envs"
        self.sample_seconds = sample_seconds

    def why_not(self) -> str | None:
        return None if sys.platform == "linux" else "the local engine reads /proc and works on Linux only"

    def why_no_gpu(self) -> str | None:
        return why_no_gpu()

    def why_not_ready(self, entry: FrameworkEntry, device: str) -> str | None:
        if entry.no_local is None:
            return None
        return f"the local engine cannot run it, since {entry.no_local}; next: --engine docker"

    def clear(self, run_folder: Path) -> None:
        """A job ends with the process that started it (``_end_with_parent``)."""

    def prepare(self, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        missing = self.why_not_ready(entry, device)
        if missing is not None:
            raise EngineError(f"{entry.label}: {missing}.")
        _check_files(entry)
        docker = DOCKER_DIR / entry.folder
        requirements = docker / entry.requirements[device]
        build = docker / "requirements-build.txt"  # what builds source packages, where that matters
        constraints = ("--build-constraints", str(build)) if build.exists() else ()
        files = [requirements, build, *([docker / entry.pinned_in] if entry.pinned_in else [])]
        pinned = b"".join(file.read_bytes() for file in files if file.exists())
        digest = hashlib.sha256(pinned + entry.python.encode()).hexdigest()[:12]
        folder = self.environments / f"{entry.name}-{digest}"
        python = folder / "bin" / "python"
        ready = folder / ".ready"
        _check_commands(entry)
        if not ready.exists():
            say(f"{entry.label}: making a Python {entry.python} environment from {requirements.relative_to(ROOT)}")
            shutil.rmtree(folder, ignore_errors=True)
            interpreter = find_interpreter(entry.python) or entry.python
            _uv("venv", "--python", interpreter, str(folder), what=f"a Python {entry.python} for {entry.label}")
            _uv(
                *("pip", "install", "--python", str(python), "--require-hashes", "-r", str(requirements)),
                *constraints,
                what=f"the packages of {entry.label}",
            )
            for command in entry.complete:
                say(f"{entry.label}: {command[0]} completes it")
                words = [word.format(docker=docker, environment=folder.resolve()) for word in command]
                _run(words, f"what {entry.label} needs besides", folder=folder)
            ready.touch()
        return Prepared(entry, device, recipe_hash(entry, device), str(python))

    def run(self, prepared: Prepared, job: Job, folder: Path, compile_cache: Path | None) -> Result:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        warm = None
        if compile_cache is not None:
            warm = any(compile_cache.iterdir())
            environment |= {
                name: value.format(folder=compile_cache.resolve())  # the job runs in another folder
                for name, value in prepared.entry.compile_cache.items()
            }
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [prepared.target, "-m", "workers", str(folder.resolve())],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
            with (
                _killed_at_the_end(process),
                sampling(job, folder, self.sample_seconds, lambda: ProcessTree(process.pid)),
            ):
                ended = _watch(process, job)
        return collect(prepared, self.name, job, folder, ended, warm)


def _check_files(entry: FrameworkEntry) -> None:
    """Raise EngineError where the machine lacks what the framework loads from outside its packages."""
    missing = missing_files(entry)
    if missing:
        commands = "\n".join(f"  {entry.local_files[path]}" for path in missing)
        raise EngineError(
            f"{entry.label} loads {' and '.join(missing)}, and this machine has none. What puts them there:\n"
            f"{commands}\nOr take --engine docker: the image has them."
        )


def missing_files(entry: FrameworkEntry) -> list[str]:
    """Return what the framework loads from outside its packages, and is not there."""
    return [path for path in entry.local_files if not Path(path).exists()]


def _end_with_parent() -> None:
    """Have the kernel kill this job when bench is killed: nobody could stop it then, and it would go on writing."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def find_interpreter(version: str) -> str | None:
    """Return an interpreter of ``X.Y`` that is already there, on PATH or under pyenv; None: uv may fetch one."""
    candidates = [shutil.which(f"python{version}"), shutil.which("python3")]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = [path for path in (root / "versions").glob(f"{version}.*") if re.fullmatch(r"[\d.]+", path.name)]
    installed.sort(key=lambda path: [int(part) for part in path.name.split(".")], reverse=True)
    candidates += [str(path / "bin" / "python") for path in installed]
    return next((path for path in candidates if path and _version_of(path) == version), None)


def _version_of(interpreter: str) -> str | None:
    """Return an interpreter's ``X.Y``; a pyenv shim of a version that is not selected answers with an error."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        run = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def _check_commands(entry: FrameworkEntry) -> None:
    missing = {name: how for name, how in entry.commands.items() if shutil.which(name) is None}
    if missing:
        raise EngineError(
            f"{entry.label} needs {' and '.join(missing)} on PATH in the local engine. "
            f"Try: {', '.join(f'`{how}`' for how in missing.values())}, or --engine docker, whose image has them."
        )


def _uv(*arguments: str, what: str) -> None:
    hint = "Check the network, or install that interpreter (pyenv, your distribution) and try again."
    _run([uv.find_uv_bin(), *arguments, "--quiet"], what, hint)


def _run(
    command: list[str], what: str, hint: str = "Check the network and try again.", folder: Path | None = None
) -> None:
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        tail = "\n".join((run.stderr.strip() or run.stdout.strip()).splitlines()[-12:])
        name = " ".join([Path(command[0]).name, *command[1:3]])
        raise EngineError(f"Cannot get {what}: `{name}` failed.\n{tail}\n{hint}")


@contextlib.contextmanager
def _killed_at_the_end(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whatever happens in the block, the job's whole process group is gone after it."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def _watch(process: "subprocess.Popen[bytes]", job: Job) -> Exit:
    """Wait for the process within its time and memory limits."""
    deadline = time.monotonic() + job.limits.timeout_seconds + GRACE_SECONDS
    while True:
        try:
            code = process.wait(timeout=POLL_SECONDS)
            return Exit(code if code >= 0 else 128 - code)
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() > deadline:
            return Exit(137, timed_out=True)
        if tree_rss_bytes(process.pid) > job.limits.memory_bytes:
            return Exit(137, out_of_memory=True)


def tree_rss_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children; 0 where they are gone."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total
