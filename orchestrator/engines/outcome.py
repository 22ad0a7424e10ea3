"""From how a process ended to a Result: what the job left, or what can be said in its place."""

import contextlib
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engines import Prepared
from orchestrator.gpu import driver_version, gpu_names
from orchestrator.monitor.resources import resources_of
from workers.spec import Environment, Job, Result, ValidationError

TAIL_LINES = 30
TAIL_CHARACTERS = 6000


@dataclass(frozen=True)
class Exit:
    """How a job's process ended. ``code`` as a shell counts: 128 + n for signal n."""

    code: int
    timed_out: bool = False
    out_of_memory: bool = False


def collect(prepared: Prepared, engine: str, job: Job, folder: Path, ended: Exit, warm: bool | None) -> Result:
    """Return the job's result with what only the engine knows."""
    result = _read(job, folder)
    if result is None or ended.timed_out or ended.out_of_memory:
        result = _in_place_of(job, ended)
    environment = result.environment
    environment.engine = engine
    environment.recipe_hash = prepared.recipe_hash
    environment.image_id = prepared.image_id
    if job.device == "gpu":
        environment.gpu_model = next(iter(gpu_names()), None)
        environment.gpu_driver = driver_version()
    result.resources = resources_of(job, folder, os.cpu_count() or 1)
    environment.compile_cache = None if warm is None else "warm" if warm else "cold"
    if result.status not in ("ok", "unsupported"):
        result.log_tail = log_tail(folder / "log.txt")
    return result


def _read(job: Job, folder: Path) -> Result | None:
    try:
        data = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        result = Result.model_validate(data)
    except (OSError, ValueError, ValidationError):
        return None
    return result if result.job_id == job.id else None


def _in_place_of(job: Job, ended: Exit) -> Result:
    environment = Environment()
    if ended.timed_out:
        reason = f"stopped after {job.limits.timeout_seconds:g} seconds; --timeout sets another limit"
        return Result(job_id=job.id, status="timeout", reason=reason, environment=environment)
    if ended.out_of_memory:
        reason = f"used more than {job.limits.memory_bytes / 1024**3:.3g} GiB; --memory sets another limit"
        return Result(job_id=job.id, status="out_of_memory", reason=reason, environment=environment)
    cause = f"exit code {ended.code}"
    if ended.code > 128:
        with contextlib.suppress(ValueError):
            cause = f"killed by {signal.Signals(ended.code - 128).name}"
    reason = f"the process ended without a result ({cause})"
    return Result(job_id=job.id, status="lost", reason=reason, environment=environment)


def log_tail(path: Path) -> str | None:
    """Return the last lines of a log, or None where there is nothing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return "\n".join(text.splitlines()[-TAIL_LINES:])[-TAIL_CHARACTERS:] or None
