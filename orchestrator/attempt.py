"""One job of a run, in its framework's environment: a fresh folder, a warm compile cache, its result written."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.engines import Engine, Prepared
from orchestrator.errors import EngineError
from orchestrator.plan import Plan
from orchestrator.store import WARM, RunStore, writing
from workers.spec import Job, Result, pretty_json


class Progress(Protocol):
    """Who listens to a run."""

    def say(self, text: str) -> None:
        """Something that the user should know, now."""

    def plan(self, jobs: int) -> None:
        """So many jobs, gates included, are ahead."""

    def start(self, job: Job, what: str) -> None:
        """A job begins; ``what`` says which kind it is, for the user."""

    def finish(self, job: Job, result: Result, note: str = "") -> None:
        """A job is over, or was there already (``note`` says so)."""


@dataclass
class Run:
    """What the steps of one run share."""

    plan: Plan
    engine: Engine
    store: RunStore
    cache: Path
    data_dir: Path | None
    progress: Progress
    prepared: dict[str, Prepared]
    unavailable: dict[str, str]


def warm_up(run: Run, prepared: Prepared, job: Job) -> None:
    """Fill the compile cache of a framework that has one: the job itself, shortened, untimed."""
    if not prepared.entry.compile_cache:
        return
    marker = _compile_cache(run, prepared) / f".warm-{job.workload}-{_shape_of(job)}"
    if marker.exists():
        return
    small = shortened(job).model_copy(update={"id": job.id + WARM})
    folder = run.store.write_job(small)
    run.progress.start(small, "compiling, untimed")
    try:
        result = attempt(run, prepared, small, folder, keep_compiled=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # no job of the run
    if result.status in ("ok", "did_not_learn", "missed_target"):  # a few rows teach little
        marker.touch()


def shortened(job: Job) -> Job:
    """Return the job on as few rows, in one epoch, as give it the same sizes of batches."""
    rows = {
        "train_rows": _same_sizes(job.dataset.train_rows, job.recipe.batch_size),
        "test_rows": _same_sizes(job.dataset.test_rows, job.recipe.evaluation_batch_size),
    }
    changes = {
        "dataset": job.dataset.model_copy(update=rows),
        "recipe": job.recipe.model_copy(update={"epochs": 1}),
        "carried_epochs": 0,
    }
    return job.model_copy(update=changes)


def _same_sizes(rows: int, batch: int) -> int:
    """Return the fewest rows that give the same sizes of batches: a compiler may make code for each of them."""
    return min(rows, batch + rows % batch)


def _shape_of(job: Job) -> str:
    """Return a hash of what decides a job's compiled code: its layers, its recipe, its last batches' sizes and mode."""
    rows = job.dataset.train_rows % job.recipe.batch_size, job.dataset.test_rows % job.recipe.evaluation_batch_size
    text = f"{job.framework.label} {rows}" + "".join(pretty_json(part) for part in (*job.model.layers, job.recipe))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run_job(run: Run, prepared: Prepared, job: Job, what: str, keep_compiled: bool) -> Result:
    """Run the job from a fresh folder, and write its result. ``what`` says to the user which kind of job it is."""
    folder = run.store.write_job(job)
    run.progress.start(job, what)
    result = attempt(run, prepared, job, folder, keep_compiled)
    run.store.write_result(result)
    run.progress.finish(job, result)
    return result


def _compile_cache(run: Run, prepared: Prepared) -> Path:
    folder = run.cache / "compiled" / f"{run.engine.name}-{prepared.key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def attempt(run: Run, prepared: Prepared, job: Job, folder: Path, keep_compiled: bool) -> Result:
    """Run the job in its folder, on a writable copy of its framework's compile cache if it has one; keep what it
    compiled for the next, if asked. An engine that fails on this job has failed this job, not the run."""
    own = folder / "compiled"
    try:
        with writing(folder):
            if not prepared.entry.compile_cache:
                return run.engine.run(prepared, job, folder, None)
            kept = _compile_cache(run, prepared)
            shutil.copytree(kept, own, ignore=shutil.ignore_patterns(".warm-*"))
            result = run.engine.run(prepared, job, folder, own)
            if keep_compiled and result.status in ("ok", "did_not_learn", "missed_target"):
                shutil.copytree(own, kept, dirs_exist_ok=True)
            return result
    except EngineError as error:
        return Result(job_id=job.id, status="failed", reason=str(error))
    finally:
        shutil.rmtree(own, ignore_errors=True)


def record(run: Run, job: Job, result: Result, note: str = "") -> Result:
    """Write a result for a job that was not run."""
    run.store.write_job(job)
    run.store.write_result(result)
    run.progress.finish(job, result, note)
    return result
