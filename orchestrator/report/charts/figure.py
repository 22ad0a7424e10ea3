"""A figure of a report, and the rows behind it: where they were measured, which of them count, what a chart takes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median
from typing import Any

from orchestrator.cells import Estimate
from orchestrator.report.charts.draw import Spec, whole
from orchestrator.report.tables import interval
from orchestrator.report.tidy import Row

SCORES = {
    "perplexity": "test perplexity",
    "squared_error": "test squared error",
    "accuracy": "test accuracy",
}
LONGEST = 120  # letters of a figure's name, as a file's name may have 255 bytes


@dataclass(frozen=True)
class Place:
    """Where rows were measured: those of one place are compared with each other."""

    run: str
    workload: str | None
    variant: str
    device: str
    threads: int | None = None  # None: several

    @property
    def words(self) -> str:
        """Return ``cpu, 1 thread``, and that it is as published, where it is."""
        threads = "" if self.threads is None else f", {self.threads} {'thread' if self.threads == 1 else 'threads'}"
        words = self.device + threads
        return words + (", as published" if self.variant == "paper" else "")

    @property
    def on(self) -> str:
        return f"{self.workload} ({self.words})" if self.workload else self.words


@dataclass(frozen=True)
class Figure:
    """A chart with the sentence that says what it shows and the table behind it.

    ``name``: good as an HTML id and as a file's name; ``columns``: key -> header with its unit, of ``rows``, which may
    have more that only the chart needs; ``across``: the column whose values stand side by side in a paper's table.
    """

    name: str
    title: str
    section: str
    place: Place
    chart: Spec
    columns: Mapping[str, str]
    rows: Sequence[Row]
    across: str | None = None

    @property
    def workload(self) -> str | None:
        return self.place.workload

    @property
    def spec(self) -> Spec:
        """Return the chart as Vega-Lite, with its rows."""
        return whole(self.chart, self.title, self.rows)


def figure(
    name: str,
    title: str,
    section: str,
    place: Place,
    chart: Spec,
    columns: Mapping[str, str],
    rows: Sequence[Row],
    across: str | None = None,
) -> Figure:
    """Return a figure, its name made whole by its place."""
    parts = (name, place.workload, place.variant if place.variant == "paper" else None, place.device, place.threads)
    return Figure(slug(*parts), title, section, place, chart, columns, rows, across)


def slug(*parts: object) -> str:
    words = " ".join(str(part) for part in parts if part is not None).lower()
    return re.sub(r"[^a-z0-9]+", "-", words)[:LONGEST].strip("-")


def not_compared(rows: Iterable[Row]) -> dict[str, str]:
    """Return why frameworks are not compared. That of all as published is no news: the figures' titles say it."""
    return {row["framework"]: row["reason"] for row in rows if row["reason"] and row["variant"] == "matched"}


def score_of(rows: Sequence[Row]) -> str | None:
    """Return the score that says most of these rows: what is neither a language model nor regression has accuracies."""
    return next((name for name in SCORES if any(known(row, name) for row in rows)), None)


def places(rows: Iterable[Row], whole: bool = False) -> dict[Place, list[Row]]:
    """Return rows by their places, in a fixed order; ``whole``: all workloads of a run in one."""
    found: dict[Place, list[Row]] = {}
    for row in rows:
        workload = None if whole else row["workload"]
        place = Place(row["run"], workload, row["variant"], row["device"], row["threads"])
        found.setdefault(place, []).append(row)
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(place: Place) -> tuple[Any, ...]:
    return place.run, natural(place.workload or ""), place.variant, place.device, place.threads or 0


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a key that puts mlp-1x64 before mlp-1x512."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def by_workload(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by their workloads, in natural order."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: natural(row["workload"])):
        found.setdefault(row["workload"], []).append(row)
    return found


def final(cells: Iterable[Row]) -> list[Row]:
    """Return the rows that read a training after its last epoch."""
    rows = list(cells)
    last: dict[tuple[Any, ...], int] = {}
    for row in rows:
        key = row["run"], row["workload"]
        last[key] = max(row["epochs"], last.get(key, 0))
    return [row for row in rows if row["epochs"] == last[row["run"], row["workload"]]]


def known(row: Row, *names: str) -> bool:
    """Return whether a row has all these numbers."""
    return all(row.get(name) is not None and isfinite(row[name]) for name in names)


def positive(row: Row, *names: str) -> bool:
    """Return whether a row has all these numbers and a logarithmic axis has room for them."""
    return known(row, *names) and all(row[name] > 0 for name in names)


def middles(rows: Iterable[Row], keys: Sequence[str], values: Sequence[str]) -> list[Row]:
    """Return one row per value of the keys, with the medians of the values that its rows have."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        dict(zip(keys, key, strict=True)) | {name: _middle(own, name) for name in values} for key, own in found.items()
    ]


def _middle(rows: Iterable[Row], name: str) -> float | None:
    values = [row[name] for row in rows if known(row, name)]
    return median(values) if values else None


def only(rows: Iterable[Row], names: Iterable[str]) -> list[Row]:
    """Return rows with these columns alone, as a figure embeds all that it has. No number is none: JSON has no NaN."""
    kept = list(names)
    return [{name: _finite(row[name]) for name in kept} for row in rows]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def with_words(row: Row, name: str) -> str:
    """Return ``1.23 [1.10, 1.38]`` of a median and its interval."""
    return interval(Estimate(median=row[name], low=row[f"{name}_low"], high=row[f"{name}_high"]))


def labels_of(rows: Iterable[Row]) -> list[str]:
    """Return the frameworks of rows, in their order."""
    return list(dict.fromkeys(row["framework"] for row in rows))
