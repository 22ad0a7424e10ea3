"""A run beside the study that its suite repeats: what was said, and what is measured here, as published and matched."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from orchestrator.cells import Cell
from orchestrator.errors import StoreError
from orchestrator.report.tables import interval, number, score_words, table, workload_names
from orchestrator.workload import AsPublished

HEADERS = (
    "workload",
    "framework",
    "said: training s",
    "accuracy",
    "as published, here: training s [95%]",
    "accuracy",
    "matched, here: training s [95%]",
    "accuracy",
)


@dataclass(frozen=True)
class Figure:
    """What a study said of one of its frameworks on a workload: means over its repeats; None where it said nothing.

    ``labels``: the frameworks here that stand for it, where no variant ``paper`` says so. ``device``, ``threads``:
    None where one figure is for all. The ratios are to the study's fastest, where it gave no seconds.
    """

    framework: str
    workload: str
    epochs: int
    labels: tuple[str, ...] = ()
    device: str | None = None
    threads: int | None = None
    train_seconds: float | None = None
    train_ratio: float | None = None
    predict_seconds: float | None = None
    predict_ratio: float | None = None
    accuracy: float | None = None
    perplexity: float | None = None
    cpu_percent: float | None = None
    gpu_percent: float | None = None
    memory_percent: float | None = None


Figures = Sequence[Figure]
NUMBERS = tuple(field.name for field in fields(Figure))[6:]


def read_figures(path: Path) -> Figures:
    """Return the figures of a suite's CSV file; none where there is no such file. Raises StoreError."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_figure(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path} holds no figures of a study ({error}). Its columns are framework, workload and epochs; labels, "
            f"device and threads; and those of {', '.join(NUMBERS)} that the study gives."
        ) from None


def _figure(row: Mapping[str, str]) -> Figure:
    threads = row.get("threads")
    figure = Figure(
        framework=row["framework"],
        workload=row["workload"],
        epochs=int(row["epochs"]),
        labels=tuple((row.get("labels") or "").split()),
        device=row.get("device") or None,
        threads=int(threads) if threads else None,
        **{name: float(row[name]) for name in NUMBERS if row.get(name)},
    )
    if all(getattr(figure, name) is None for name in NUMBERS):
        raise ValueError(f"no number for {figure.framework} on {figure.workload}")
    return figure


def said_of(cell: Cell, paper: Mapping[str, AsPublished], figures: Figures) -> Figure | None:
    """Return what the study said of a cell's framework, workload and epochs, from all the rows that hold for it.

    A figure for its number of threads comes before one for any. Where the study has none for its device, the other
    device's are returned, and name it. Of a scaled run and of synthetic data it said nothing.
    """
    if cell.scale != 1 or cell.synthetic:
        return None
    names = _names(cell.framework, paper, figures)
    rows = [f for f in figures if f.framework in names and (f.workload, f.epochs) == (cell.workload, cell.epochs)]
    own = [f for f in rows if f.device in (None, cell.device)] or rows
    own = sorted((f for f in own if f.threads in (None, cell.threads)), key=lambda f: f.threads is None)
    if not own:
        return None
    numbers: dict[str, Any] = {
        name: next((v for f in own if (v := getattr(f, name)) is not None), None) for name in NUMBERS
    }
    return replace(own[0], **numbers)


def _names(label: str, paper: Mapping[str, AsPublished], figures: Figures) -> set[str]:
    """Return the study's names of a framework here."""
    return {paper[label].stands_for} if label in paper else {f.framework for f in figures if label in f.labels}


def beside(cells: Sequence[Cell], paper: Mapping[str, AsPublished], figures: Figures) -> str:
    """Return the table of one reading: a row for each workload and framework; what is not there is a dash."""
    name = workload_names([cell.model_copy(update={"variant": "matched"}) for cell in cells])
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.workload, cell.device, cell.threads)):
        place = name(cell.model_copy(update={"variant": "matched"})), cell.framework
        found.setdefault(place, {})[cell.variant] = cell
    rows = []
    for (workload, framework), ours in found.items():
        cell = next(iter(ours.values()))
        theirs = ", ".join(sorted(_names(framework, paper, figures)))
        rows.append(
            [
                workload,
                f"{framework} ({theirs})" if theirs else framework,
                *_said(said_of(cell, paper, figures), cell.device),
                *(text for variant in ("paper", "matched") for text in measured(ours.get(variant))),
            ]
        )
    return table(rows, HEADERS)


def _said(figure: Figure | None, device: str) -> tuple[str, str]:
    """Return a study's time and score; those of another device than ours name it."""
    if figure is None:
        return "-", "-"
    elsewhere = f" ({figure.device})" if figure.device not in (None, device) else ""
    if figure.train_seconds is not None:
        time = number(figure.train_seconds) + elsewhere
    else:
        time = "-" if figure.train_ratio is None else f"{figure.train_ratio:g} x fastest{elsewhere}"
    if figure.perplexity is not None:
        return time, f"perplexity {figure.perplexity:.1f}{elsewhere}"
    return time, "-" if figure.accuracy is None else f"{figure.accuracy:.3f}{elsewhere}"


def measured(cell: Cell | None) -> tuple[str, str]:
    """Return a cell's time and score, or why it has none."""
    if cell is None:
        return "-", "-"
    if cell.train_seconds is None:
        return f"0 of {cell.rounds} rounds ok", "-"
    plain = cell.accuracy is not None and cell.perplexity is None and not cell.synthetic
    return interval(cell.train_seconds), f"{cell.accuracy:.3f}" if plain else score_words(cell)


def resources(cells: Iterable[Cell], figures: Figures) -> str | None:
    """Return the table of what the study said of CPU, GPU and memory on the run's workloads; None: it said nothing."""
    here = {cell.workload for cell in cells}
    rows = []
    for figure in figures:
        values = (figure.cpu_percent, figure.gpu_percent, figure.memory_percent)
        if figure.workload in here and any(value is not None for value in values):
            texts = ("-" if value is None else f"{value:g}" for value in values)
            rows.append([figure.workload, figure.framework, figure.device or "-", *texts])
    return table(rows, ("workload", "framework", "device", "CPU %", "GPU %", "memory %"), left=3) if rows else None


def not_run(paper: Mapping[str, AsPublished], figures: Figures, cells: Iterable[Cell]) -> list[str]:
    """Return the study's frameworks that the run does not have."""
    here: set[str] = set().union(*(_names(cell.framework, paper, figures) for cell in cells))
    return sorted({figure.framework for figure in figures} - here)
