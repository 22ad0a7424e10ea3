"""The columns that several tables of a page share: which cell a row is of, its numbers, its files."""

from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.report.html import winners
from orchestrator.report.html.parts import Part
from orchestrator.report.html.views import Column, Shown, differing, filled
from orchestrator.report.tidy import Row
from workers.spec import MEASURED

CELL = ("workload", "variant", "framework", "device", "threads")


def where(part: Part, rows: Sequence[Row]) -> list[Column]:
    """Return the columns that say which cell a row is of; the framework's leads to it."""
    own = [Column("framework", "framework", read=lambda row: _linked(part, row))]
    variants = differing([Column("variant", "variant")], rows)
    settings = differing([Column("device", "device"), Column("threads", "threads", "count")], rows)
    return [Column("workload", "workload"), *variants, *own, *settings]


def _linked(part: Part, row: Row) -> Any:
    if row["framework"] is None or row["workload"] is None:
        return row["framework"]
    return Shown(row["framework"], links=((row["framework"], f"#{part.cell_id(row)}"),))


def plain(names: Sequence[tuple[str, str]], rows: Sequence[Row]) -> list[Column]:
    """Return columns of numbers, (key, header) each, those without any number left out."""
    return filled([Column(key, header, "number") for key, header in names], rows)


def with_interval(key: str, header: str, text: Callable[[Row], str] | None = None) -> Column:
    """Return the column of a median that is shown with its interval, or as ``text`` has it."""
    shown = text or (lambda row: winners.words(row, key))
    return Column(key, header, "number", read=lambda row: Shown(row[key], shown(row)))


SCORES = (
    ("accuracy", "accuracy"),
    ("perplexity", "perplexity"),
    ("squared_error", "squared error"),
    ("constant_squared_error", "squared error of the mean"),
    ("absolute_error", "absolute error"),
    ("constant_absolute_error", "absolute error of the mean"),
    ("validation_accuracy", "validation accuracy"),
    ("test_loss", "test loss"),
)


def of_cells(part: Part, rows: Sequence[Row]) -> list[Column]:
    """Return all that is said of a cell: how fast, how good, and how sure."""
    name = Column("framework", "framework", read=lambda row: Shown(row["framework"], _name(row)))
    target = Column("target_value", "target", "number", read=lambda row: Shown(row["target_value"], _target(row)))
    return [
        *(name if column.key == "framework" else column for column in where(part, rows)),
        Column("epochs", "epochs", "count"),
        *filled([target], rows),
        with_interval("train_seconds", "training s [95%]"),
        with_interval("ratio", "ratio to fastest [95%]", winners.place),
        *plain([("epochs_to_target", "epochs to target"), ("predict_seconds", "prediction s")], rows),
        *plain([("predict_rows_per_second", "predicted rows/s"), ("latency_seconds", "latency of one row, s")], rows),
        *plain([("build_seconds", "build s"), *SCORES], rows),
        *plain([("spread", "spread between rounds"), ("first_epoch_factor", "first epoch over later")], rows),
        Column("rounds_ok", "rounds ok", "count", read=lambda row: Shown(row["rounds_ok"], _rounds(row))),
        Column("parity", "parity"),
        *filled([Column("stale", "stale", read=lambda row: row["stale"] or None)], rows),
        Column("train_rows", "training rows", "count"),
        Column("batch_size", "batch", "count"),
    ]


def files_of_cells(part: Part) -> list[Column]:
    """Return the columns that lead to the files of each cell's rounds."""
    files = _files(part)
    return [
        Column("results", "raw results", read=lambda row: files(row, "result", "round {repeat}")),
        Column("logs", "logs", read=lambda row: files(row, "log", "log {repeat}")),
    ]


def _name(row: Row) -> str:
    return f"{row['framework']} {row['version']}"


def _target(row: Row) -> str | None:
    return row["target_metric"] and f"{row['target_metric'].replace('_', ' ')} {row['target_value']:g}"


def _rounds(row: Row) -> str:
    return f"{row['rounds_ok']} of {row['rounds']}"


def _files(part: Part) -> Callable[[Row, str, str], Shown]:
    """Return what gives a cell's links to a kind of file of its rounds."""
    jobs: dict[tuple[Any, ...], list[Row]] = {}
    for job in part.tables["jobs"]:
        if job["kind"] in MEASURED:
            jobs.setdefault(tuple(job[name] for name in CELL), []).append(job)

    def files(row: Row, kind: str, words: str) -> Shown:
        found = sorted(jobs.get(tuple(row[name] for name in CELL), []), key=lambda job: job["repeat"])
        links = ((words.format(repeat=job["repeat"] + 1), part.address(job[kind])) for job in found if job[kind])
        return Shown(None, links=tuple(links))

    return files


def round_of() -> Column:
    """Return the column of a job's round, counted from 1."""
    return Column("repeat", "round", "count", read=lambda row: None if row["repeat"] is None else row["repeat"] + 1)


def file_of_job(part: Part, key: str, header: str, words: str) -> Column:
    """Return the column of a job's own file."""
    return Column(
        key, header, read=lambda row: Shown(None, links=((words, part.address(row[key])),)) if row[key] else None
    )
