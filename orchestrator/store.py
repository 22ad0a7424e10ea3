"""Where files live: the cache, and the run folder with its jobs and read-only inputs. Writes are atomic.

RUN/run.json                  how the run was asked for, and on what machine
RUN/suite.yaml                the suite as it was then
RUN/inputs/                   data-HASH/*.npy, weights-HASH.npz, reference-HASH.npz; read-only for jobs
RUN/jobs/JOB/                 job.json, result.json, log.txt, predictions.npz, phases.txt, samples.csv
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.cache import cache_dir as cache_dir
from orchestrator.documents import RunInfo, check_belongs, read_document
from orchestrator.errors import StoreError
from workers.spec import Job, Result, arrays_sha256, pretty_json

WARM = "-warm"  # ends the id of a job that only fills a compile cache, and is none of the run's


def write_text(path: Path, text: str) -> None:
    """Write a file whole, then give it its name. Raises StoreError."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole, then give it its name. Raises StoreError."""
    part = path.with_name(path.name + ".part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot be written ({error.strerror or error}). Free space or choose another folder with --output."
    )


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
        if not path.exists():
            raise StoreError(
                f"{self.folder} is not a run: it has no run.json. Give a folder that `bench orchestrate` made."
            )
        return read_document(RunInfo, path)

    @property
    def suite_file(self) -> Path:
        return self.folder / "suite.yaml"

    def keep_suite(self, source: Path) -> None:
        """Keep a copy of the suite's file, so that the run can go on without it; the study's figures too."""
        write_text(self.suite_file, source.read_text(encoding="utf-8"))
        figures = source.with_suffix(".csv")
        if figures.is_file():
            write_text(self.suite_file.with_suffix(".csv"), figures.read_text(encoding="utf-8"))

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep other processes from running this run for the block. Raises StoreError where one does already."""
        path = self.folder / ".in-use"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise _unwritable(path, error) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it when this process ends
            except BlockingIOError:
                file.seek(0)
                raise StoreError(
                    f"{self.folder} is in use by another process ({file.read().strip() or 'unknown'}). "
                    f"Wait until it is done, or stop it, and then go on with --run."
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

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

    def forget_results(self, jobs: Iterable[Job]) -> None:
        """Let these jobs be run again: their results are gone, even if this run is stopped before it reaches them."""
        for job in jobs:
            (self.job_folder(job.id) / "result.json").unlink(missing_ok=True)

    def clear_warm_jobs(self) -> None:
        """Remove the jobs that a killed process left while it filled a compile cache."""
        for path in self.folder.glob(f"jobs/*{WARM}"):
            shutil.rmtree(path, ignore_errors=True)

    def write_result(self, result: Result) -> None:
        write_text(self.job_folder(result.job_id) / "result.json", pretty_json(result))

    def read_result(self, job: Job) -> Result | None:
        """Return the job's result, or None where there is none yet. Raises StoreError for one that cannot be its."""
        path = self.job_folder(job.id) / "result.json"
        if not path.exists():
            return None
        result = read_document(Result, path)
        check_belongs(job, result, path)
        return result

    def jobs(self) -> Iterator[tuple[Job, Result | None]]:
        """Yield each job of the run with its result, if it has one. Raises StoreError for one that is not valid."""
        for path in sorted(self.folder.glob("jobs/*/job.json")):
            job = read_document(Job, path)
            yield job, self.read_result(job)

    def add_data(self, source: Path, checksum: str) -> None:
        """Put a dataset's arrays among the inputs: hard links where the cache is on the same disk, else copies."""
        target = self.inputs / f"data-{checksum[:12]}"
        if target.exists():
            return
        part = target.with_name(target.name + ".part")
        with writing(target):
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
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(part, **arrays)  # type: ignore[arg-type]
                part.replace(path)
        return digest


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into a StoreError that names the file."""
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error) from None


def link_or_copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
