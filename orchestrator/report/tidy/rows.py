"""What every row begins with, and which rows read a training at its end."""

from collections.abc import Sequence
from typing import Any

from orchestrator.cells import Cell
from orchestrator.report.tidy.reported import Reported
from workers.spec import Job

Row = dict[str, Any]
Tables = dict[str, list[Row]]

KEY = ("run", "suite", "workload", "variant", "framework", "device", "threads")


def key_of_cell(run: Reported, cell: Cell) -> Row:
    return key_of(run, cell.workload, cell.variant, cell.framework, cell.device, cell.threads)


def key_of_job(run: Reported, job: Job) -> Row:
    return key_of(run, job.workload, job.variant, job.framework.label, job.device, job.threads)


def key_of(run: Reported, *values: str | int | None) -> Row:
    return dict(zip(KEY, (run.name, run.suite.suite, *values), strict=True))


def last_rows(cells: Sequence[Row]) -> list[Row]:
    """Return the rows of cells without those that read a training before its end."""
    last: dict[tuple[object, ...], int] = {}
    for row in cells:
        key = tuple(row[name] for name in KEY)
        last[key] = max(row["epochs"], last.get(key, 0))
    return [row for row in cells if row["epochs"] == last[tuple(row[name] for name in KEY)]]
