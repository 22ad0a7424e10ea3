"""Tables: jobs, their epochs and phases."""

from collections.abc import Iterator

from orchestrator.report.tidy.reported import Reported, files_of, measured
from orchestrator.report.tidy.rows import Row, key_of_job
from workers.spec import MEASURED, Epoch, Job, Result


def jobs(run: Reported) -> list[Row]:
    """Return one row per job of any kind."""
    return [_job(run, job, result) for job, result in run.pairs]


def _job(run: Reported, job: Job, result: Result | None) -> Row:
    trained = job.kind in MEASURED and result is not None and bool(result.epochs)
    return key_of_job(run, job) | {
        "job_id": job.id,
        "kind": job.kind,
        "repeat": job.repeat,
        "seed": job.seed,
        "status": result.status if result else None,
        "reason": result.reason if result else None,
        "train_seconds": result.train_seconds if result and trained else None,
        "peak_rss_bytes": result.peak_rss_bytes if result else None,
        "threads_seen": result.environment.threads_seen if result else None,
        "other_cpus_busy": result.environment.other_cpus_busy if result else None,
        **files_of(run, job, result),
    }


def epochs(run: Reported) -> list[Row]:
    return [row for job, result in measured(run) for row in _epochs_of(run, job, result)]


def _epochs_of(run: Reported, job: Job, result: Result) -> Iterator[Row]:
    elapsed_seconds = 0.0
    for number, epoch in enumerate(result.epochs, start=1):
        elapsed_seconds += epoch.train_seconds
        row = key_of_job(run, job) | {"job_id": job.id, "repeat": job.repeat, "status": result.status}
        row |= {"epoch": number, "elapsed_seconds": elapsed_seconds}
        yield row | {name: getattr(epoch, name) for name in Epoch.model_fields}


ONCE = ("import", "open_device", "data", "warm_up", "build")
EVERY_EPOCH = ("stage", "train", "evaluate", "validate")
CALLS = ("predict", "latency")


def phases(run: Reported) -> list[Row]:
    return [row for job, result in measured(run) for row in _phases_of(run, job, result)]


def _phases_of(run: Reported, job: Job, result: Result) -> Iterator[Row]:
    """Yield the seconds of a job in each phase that is known of it; ``train`` includes the first step.

    ``other`` is what the harness does between its phases, and is known where the job was sampled.
    """
    seconds: dict[str, float | None] = {name: getattr(result.phases, f"{name}_seconds") for name in ONCE}
    for name in EVERY_EPOCH:
        values = [value for epoch in result.epochs if (value := getattr(epoch, f"{name}_seconds")) is not None]
        seconds[name] = sum(values) if values else None
    seconds |= {name: sum(getattr(result, f"{name}_seconds")) or None for name in CALLS}
    seconds["other"] = next((item.seconds for item in result.resources or [] if item.phase == "other"), None)
    for name, value in seconds.items():
        if value is not None:
            yield key_of_job(run, job) | {"job_id": job.id, "repeat": job.repeat, "phase": name, "seconds": value}
