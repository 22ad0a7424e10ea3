"""Where files live: the cache, and the run folder with its jobs and read-only inputs. Writes are atomic.

RUN/run.json                  how the run was asked for, and on what machine
RUN/inputs/                   data-HASH/*.npy, weights-HASH.npz, reference-HASH.npz; read-only for jobs
RUN/jobs/JOB/                 job.json, result.json, log.txt, predictions.npz
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import platformdirs

from orchestrator.errors import StoreError
from workers.compat import Text
from workers.spec import Job, Record, Result, ValidationError, arrays_sha256, pretty_json

Document = TypeVar("Document", Job, Result)


def cache_dir() -> Path:
    """Return the folder for what outlives a run: environments, datasets, compile caches, gate verdicts."""
    return Path(os.environ.get("BENCH_CACHE_DIR") or platformdirs.user_cache_path("bakeoff"))


def write_text(path: Path, text: str) -> None:
    """Write a file whole, then give it its name. Raises StoreError."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}). Free space or choose another folder with --output."
        ) from None


class RunInfo(Record):
    """How a run was asked for. ``command`` continues it when it is repeated with ``--run``."""

    schema_version: int = 1
    name: Text
    suite: Text
    frameworks: list[str]
    engine: Text
    device: Text
    threads: int
    rounds: int
    command: list[str]
    started: Text
    host: dict[str, str | int | None] = {}


@dataclass(frozen=True)
class RunStore:
    """One run's folder."""

    folder: Path

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs"

    def job_folder(self, job_id: str) -> Path:
        return self.folder / "jobs" / job_id

    def write_info(self, info: RunInfo) -> None:
        write_text(self.folder / "run.json", pretty_json(info))

    def read_info(self) -> RunInfo:
        """Raises StoreError where the folder is not a run."""
        path = self.folder / "run.json"
        try:
            return RunInfo.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise StoreError(
                f"{self.folder} is not a run: {path.name} cannot be read ({error.strerror}). "
                f"Give a folder that `bench orchestrate` made."
            ) from None
        except (ValidationError, ValueError) as error:
            raise StoreError(f"{path} is not a run's description: {_first_line(error)}") from None

    def write_job(self, job: Job) -> Path:
        """Write ``job.json`` and return the job's folder, emptied of an earlier attempt."""
        folder = self.job_folder(job.id)
        if folder.exists():
            shutil.rmtree(folder)
        self.replace_job(job)
        return folder

    def replace_job(self, job: Job) -> None:
        """Write ``job.json`` and leave what else is in the job's folder."""
        write_text(self.job_folder(job.id) / "job.json", pretty_json(job))

    def add_job(self, job: Job) -> None:
        """Write ``job.json`` where the run does not have this job yet: what is still to do is seen in the folder."""
        if not (self.job_folder(job.id) / "job.json").exists():
            self.replace_job(job)

    def write_result(self, result: Result) -> None:
        write_text(self.job_folder(result.job_id) / "result.json", pretty_json(result))

    def read_result(self, job_id: str) -> Result | None:
        """Return the job's result, or None where there is none yet. Raises StoreError for one that is not valid."""
        path = self.job_folder(job_id) / "result.json"
        return _validated(Result, path) if path.exists() else None

    def jobs(self) -> Iterator[tuple[Job, Result | None]]:
        """Yield each job of the run with its result, if it has one. Raises StoreError for one that is not valid."""
        for path in sorted(self.folder.glob("jobs/*/job.json")):
            job, result = _validated(Job, path), self.read_result(path.parent.name)
            if result is not None:
                _check_belongs(job, result, path.with_name("result.json"))
            yield job, result

    def add_data(self, source: Path, checksum: str) -> None:
        """Put a dataset's arrays among the inputs: hard links where the cache is on the same disk, else copies."""
        target = self.inputs / f"data-{checksum[:12]}"
        if target.exists():
            return
        part = target.with_name(target.name + ".part")
        part.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.glob("*.npy")):
            link_or_copy(path, part / path.name)
        part.replace(target)

    def add_arrays(self, kind: str, arrays: dict[str, np.ndarray]) -> str:
        """Put ``weights`` or a ``reference`` among the inputs and return their hash."""
        digest = arrays_sha256(arrays)
        path = self.inputs / f"{kind}-{digest[:12]}.npz"
        if not path.exists():
            part = path.with_name(path.stem + ".part.npz")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(part, **arrays)  # type: ignore[arg-type]
            part.replace(path)
        return digest


def _check_belongs(job: Job, result: Result, path: Path) -> None:
    """Refuse a result that cannot be this job's: summaries rely on what an ``ok`` one holds."""
    if result.job_id != job.id:
        raise StoreError(f"{path} is the result of another job ({result.job_id}). Delete it and run that job again.")
    trained = sum(epoch.train_seconds for epoch in result.epochs)
    if job.kind == "train" and result.status == "ok" and not trained > 0:
        raise StoreError(f"{path} says ok, but holds no epoch with a training time. Delete it and run that job again.")


def link_or_copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreError(f"{target}: the disk is full. Free space or choose another folder.") from None
        shutil.copyfile(source, target)


def _validated(model: type[Document], path: Path) -> Document:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not a number that JSON has")

    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse))
    except ValidationError as error:
        raise StoreError(f"{path} is not valid: {_first_line(error)}") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    return str(error).splitlines()[0]
