"""Engine ``docker``: one image per framework, one fresh container per job, closed to everything but its own folder."""

import contextlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound
from docker.types import DeviceRequest

from orchestrator.catalogue import ROOT, FrameworkEntry
from orchestrator.engines import Prepared, Say
from orchestrator.engines.outcome import Exit, collect
from orchestrator.errors import EngineError
from orchestrator.gpu import why_no_gpu
from orchestrator.monitor.cgroup import Cgroup
from orchestrator.monitor.sampler import SAMPLE_SECONDS, sampling
from orchestrator.recipe import recipe_files, recipe_hash
from workers.spec import Job, Result

RUN_DIR = "/bench/run"  # the run folder's place in a container
GRACE_SECONDS = 1.0
BUILD_TAIL_LINES = 25
STEP = re.compile(r"(?:#\d+ \[(?:\S+ )?|Step )(\d+/\d+)(?:\]| :) (.*)")  # BuildKit's, and the older builder's
RUN_LABEL = "bakeoff.run"
BASE_LABEL = "bakeoff.base"  # of an image on a base that the user has: that image's id


class DockerEngine:
    """Runs each job in a container: no network, read-only root, no capabilities, the caller's user."""

    name = "docker"

    def __init__(self, sample_seconds: float = SAMPLE_SECONDS) -> None:
        """``sample_seconds``: between two samples of what a job uses; 0: it is not sampled."""
        self.sample_seconds = sample_seconds
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            self._client = docker.from_env()
        return self._client

    def why_not(self) -> str | None:
        try:
            self.client.ping()
        except (DockerException, requests.RequestException) as error:
            cause = str(error).splitlines()[0]
            hint = "Start one (`sudo systemctl start docker`), or use --engine local"
            return f"no Docker daemon answers ({cause}). {hint}"
        return None

    def why_no_gpu(self) -> str | None:
        missing = why_no_gpu()
        if missing is None and "nvidia" not in self.client.info().get("Runtimes", {}):
            return (
                "--gpu: Docker has no NVIDIA runtime. Install the NVIDIA Container Toolkit and restart Docker, "
                "or use --engine local."
            )
        return missing

    def clear(self, run_folder: Path) -> None:
        for container in self.client.containers.list(
            all=True, filters={"label": f"{RUN_LABEL}={run_folder.resolve()}"}
        ):
            with contextlib.suppress(APIError):  # it may be going away by itself
                container.remove(force=True)

    def prepare(self, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        missing = self.why_not_ready(entry, device)
        if missing is not None:
            raise EngineError(f"{entry.label}: {missing}.\n{_how_by_hand(entry, _tag(entry, device))}")
        digest, tag, base = recipe_hash(entry, device), _tag(entry, device), base_of(entry)
        base_id = self._pulled(entry, base).id if base is not None else None
        image = self._image(tag)
        if image is None or base_id not in (None, image.labels.get(BASE_LABEL)):
            say(f"{entry.label}: building image {tag}")
            self._build(entry, device, digest, tag, say, base_id)
            image = self.client.images.get(tag)
        return Prepared(entry, device, digest, tag, image.id)

    def why_not_ready(self, entry: FrameworkEntry, device: str) -> str | None:
        if entry.base_argument is None or base_of(entry) is not None or self._image(_tag(entry, device)) is not None:
            return None
        return (
            f"no image with {entry.title} is given; next: bench build {entry.label} --base IMAGE "
            f"(docs/{entry.name}.md says what it must hold)"
        )

    def _image(self, tag: str) -> Any:
        try:
            return self.client.images.get(tag)
        except ImageNotFound:
            return None

    def _pulled(self, entry: FrameworkEntry, base: str) -> Any:
        """Return the image that a framework is built on, from a registry where this machine has none of that name."""
        try:
            return self._image(base) or self.client.images.pull(base)
        except (DockerException, requests.RequestException) as error:
            cause = str(error).splitlines()[0]
            raise EngineError(
                f"{entry.label}: there is no image {base} to build on, and it cannot be pulled ({cause}). "
                f"`docker images` lists those that are there."
            ) from None

    def _build(
        self, entry: FrameworkEntry, device: str, digest: str, tag: str, say: Say, base_id: str | None = None
    ) -> None:
        """Build with the docker command, as ``docker compose build`` does: the two share their builder's cache."""
        arguments = {"REQUIREMENTS": entry.requirements[device], "RECIPE_HASH": digest}
        command = ["docker", "build", "--file", f"docker/{entry.folder}/Dockerfile", "--tag", tag]
        if entry.base_argument is not None and base_id is not None:
            arguments[entry.base_argument] = str(base_of(entry))
            command += ["--label", f"{BASE_LABEL}={base_id}"]
        command += [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        lines: list[str] = []
        try:
            with _building(command, build_context(entry).getvalue()) as process:
                for line in process.stdout or ():
                    lines.append(line.rstrip())
                    step = STEP.match(line)
                    if step:
                        say(f"{entry.label}: {step.group(1)} {step.group(2)}")
        except FileNotFoundError:
            raise EngineError("The docker command is not on PATH; install Docker's CLI with buildx.") from None
        if process.returncode:
            raise EngineError(_build_message(entry, lines))

    def run(self, prepared: Prepared, job: Job, folder: Path, compile_cache: Path | None) -> Result:
        warm = None if compile_cache is None else any(compile_cache.iterdir())
        try:
            container = self.client.containers.create(**_container(prepared, job, folder, compile_cache))
        except (DockerException, requests.RequestException) as error:
            raise EngineError(f"Docker cannot create a container of {prepared.target}: {error}") from None
        try:
            _start(container, job)
            with sampling(job, folder, self.sample_seconds, lambda: _cgroup(container)):
                ended = _watch(container, job, folder / "log.txt")
        finally:
            with contextlib.suppress(APIError):
                container.remove(force=True)
        return collect(prepared, self.name, job, folder, ended, warm)


def base_of(entry: FrameworkEntry) -> str | None:
    """Return the image that a framework is to be built on, where one is given."""
    return entry.base or (os.environ.get(f"BENCH_{entry.base_argument}") if entry.base_argument else None) or None


def _tag(entry: FrameworkEntry, device: str) -> str:
    return f"bakeoff/{entry.folder.replace('/', '-')}:{device}-{recipe_hash(entry, device)[:12]}"


def _how_by_hand(entry: FrameworkEntry, tag: str) -> str:
    """Return the command that builds an image which is taken as one of bench's own."""
    return (
        f"By hand it is: docker build --file docker/{entry.folder}/Dockerfile "
        f"--build-arg {entry.base_argument}=IMAGE --tag {tag} ."
    )


def build_context(entry: FrameworkEntry) -> io.BytesIO:
    """Return a tar of the recipe's files, in their places below the project's root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in recipe_files(entry):
            info = tar.gettarinfo(ROOT / path, arcname=path.as_posix())
            # The build cache of Docker looks at these; the same content must give the same layer for everyone.
            info.mtime, info.uid, info.gid, info.uname, info.gname, info.mode = 0, 0, 0, "", "", 0o644
            with (ROOT / path).open("rb") as file:
                tar.addfile(info, file)
    buffer.seek(0)
    return buffer


@contextlib.contextmanager
def _building(command: list[str], context: bytes) -> "Iterator[subprocess.Popen[str]]":
    """Run `docker build` on a tar and give its output, line by line; it has ended at the end of the block."""
    # The daemon that the SDK speaks to. An older builder knows no --progress, and prints plain lines.
    environment = {**os.environ, "DOCKER_CONTEXT": "default", "BUILDKIT_PROGRESS": "plain"}
    with tempfile.TemporaryFile() as source:
        source.write(context)
        source.seek(0)
        process = subprocess.Popen(
            [*command, "-"],
            env=environment,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
            process.wait()
        finally:
            process.kill()  # where the block was left early
            process.communicate()


def _build_message(entry: FrameworkEntry, lines: list[str]) -> str:
    tail = "\n".join(lines[-BUILD_TAIL_LINES:])
    return (
        f"The image of {entry.label} cannot be built (docker/{entry.folder}/Dockerfile):\n{tail}\n"
        f"Check the network and the disk, then try `bench build {entry.label}` again."
    )


def _container(prepared: Prepared, job: Job, folder: Path, compile_cache: Path | None) -> dict[str, Any]:
    """Return how a job's container is created: all of its isolation, in one place."""
    inside = f"{RUN_DIR}/jobs/{job.id}"
    environment = {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    if compile_cache is not None:
        place = f"{inside}/{compile_cache.name}"
        environment |= {name: value.format(folder=place) for name, value in prepared.entry.compile_cache.items()}
    gpus = [DeviceRequest(count=-1, capabilities=[["gpu"]])] if job.device == "gpu" else []
    return {
        "image": prepared.image_id or prepared.target,
        "command": ["python", "-m", "workers", inside],
        "environment": environment,
        "user": f"{os.getuid()}:{os.getgid()}",
        "init": True,  # as process 1 a worker would ignore most signals, its own included
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=256m"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": job.limits.memory_bytes,
        "memswap_limit": job.limits.memory_bytes,  # the same number: no swap
        "cpuset_cpus": ",".join(map(str, job.limits.cpu_set)) or None,
        "pids_limit": job.limits.pids,
        "volumes": {
            str(folder.resolve()): {"bind": inside, "mode": "rw"},
            str((folder / "job.json").resolve()): {"bind": f"{inside}/job.json", "mode": "ro"},
            str((folder.parent.parent / "inputs").resolve()): {"bind": f"{RUN_DIR}/inputs", "mode": "ro"},
        },
        "device_requests": gpus,
        "labels": {"bakeoff.job": job.id, RUN_LABEL: str(folder.parent.parent.resolve())},
    }


def _start(container: Any, job: Job) -> None:
    try:
        container.start()
    except APIError as error:
        raise EngineError(f"Docker cannot start the container of job {job.id}: {error.explanation}") from None


def _cgroup(container: Any) -> Cgroup:
    """Return what reads a running container. Raises where this machine does not show it."""
    return Cgroup(container.client.api.inspect_container(container.id)["State"]["Pid"], container.id)


def _watch(container: Any, job: Job, log: Path) -> Exit:
    """Wait for the container within its job's time limit; its output goes to ``log`` as it comes."""
    writer = threading.Thread(target=_copy_log, args=(container, log), daemon=True)
    writer.start()
    deadline = time.monotonic() + job.limits.timeout_seconds + GRACE_SECONDS
    timed_out = False
    while True:
        try:
            container.wait(timeout=max(0.1, min(3600.0, deadline - time.monotonic())))
            break
        except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
            if time.monotonic() < deadline:
                continue
            timed_out = True
            with contextlib.suppress(APIError):  # it may have ended by itself just now
                container.kill()
            container.wait()
            break
    writer.join(timeout=10)
    container.reload()
    state = container.attrs["State"]
    return Exit(state["ExitCode"], timed_out, out_of_memory=bool(state["OOMKilled"]))


def _copy_log(container: Any, log: Path) -> None:
    with contextlib.suppress(DockerException, requests.RequestException), log.open("wb") as file:
        for chunk in container.logs(stream=True, follow=True):
            file.write(chunk)
            file.flush()
