"""Tables: resources, lines of code, agreement."""

from statistics import median

from orchestrator.cells import last_readings
from orchestrator.report.agreement import agreement
from orchestrator.report.tidy.reported import Reported, measured
from orchestrator.report.tidy.rows import Row, key_of_cell, key_of_job
from workers.spec import Resources


def resources(run: Reported) -> list[Row]:
    """Return the medians over the rounds, per cell and phase, of the last reading of each training."""
    return [
        key_of_cell(run, cell) | {name: getattr(item, name) for name in Resources.model_fields}
        for cell in last_readings(run.summary.cells)
        for item in cell.resources
    ]


def lines(run: Reported) -> list[Row]:
    """Return the counted lines of code, beside the median seconds of an epoch after the first."""
    steady: dict[tuple[str, str], list[float]] = {}
    for job, result in measured(run):
        if job.variant == "matched" and result.status == "ok" and len(result.epochs) > 1:
            seconds = median(epoch.train_seconds for epoch in result.epochs[1:])
            steady.setdefault((job.workload, job.framework.label), []).append(seconds)
    rows = []
    for job, counted in run.pairs:
        if job.kind == "lines" and counted is not None and counted.code_lines:
            seconds_of = steady.get((job.workload, job.framework.label))
            rows.append(
                key_of_job(run, job)
                | {f"{part}_lines": counted.code_lines.get(part) for part in ("build", "train", "both")}
                | {"steady_epoch_seconds": median(seconds_of) if seconds_of else None}
            )
    return rows


def agreements(run: Reported) -> list[Row]:
    return [key_of_job(run, job) | row for job, row in agreement(run.folder, run.pairs)]
