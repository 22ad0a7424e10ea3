"""A run beside the study that its suite repeats: what was said, and what is measured here, as published and matched."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cells import Cell
from orchestrator.errors import StoreError
from orchestrator.report.tables import interval, number, table, workload_names
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
    """What a study said of one of its frameworks on a workload: means over its repeats."""

    train_seconds: float
    predict_seconds: float
    accuracy: float


Figures = Mapping[tuple[str, str, int], Figure]
"""{(the study's name of the framework, workload, epochs): what was said}"""


def read_figures(path: Path) -> Figures:
    """Return the figures of a suite's CSV file; none where there is no such file. Raises StoreError."""
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                (row["framework"], row["workload"], int(row["epochs"])): Figure(
                    float(row["train_seconds"]), float(row["predict_seconds"]), float(row["accuracy"])
                )
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path} holds no figures of a study ({error}). Its columns are framework, workload, epochs, "
            f"train_seconds, predict_seconds and accuracy."
        ) from None


def beside(cells: Sequence[Cell], paper: Mapping[str, AsPublished], figures: Figures, epochs: int) -> str:
    """Return the table of one reading: a row for each workload and framework; what is not there is a dash."""
    cells = [cell for cell in cells if cell.epochs == epochs]
    name = workload_names([cell.model_copy(update={"variant": "matched"}) for cell in cells])
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.workload, cell.device, cell.threads)):
        place = name(cell.model_copy(update={"variant": "matched"})), cell.framework
        found.setdefault(place, {})[cell.variant] = cell
    rows = []
    for (workload, framework), ours in found.items():
        study = paper.get(framework)
        said = figures.get((study.stands_for, next(iter(ours.values())).workload, epochs)) if study else None
        rows.append(
            [
                workload,
                framework if study is None else f"{framework} ({study.stands_for})",
                "-" if said is None else number(said.train_seconds),
                "-" if said is None else f"{said.accuracy:.3f}",
                *(text for variant in ("paper", "matched") for text in measured(ours.get(variant))),
            ]
        )
    return table(rows, HEADERS)


def measured(cell: Cell | None) -> tuple[str, str]:
    """Return a cell's time and accuracy, or why it has none."""
    if cell is None:
        return "-", "-"
    if cell.train_seconds is None:
        return f"0 of {cell.rounds} rounds ok", "-"
    return interval(cell.train_seconds), "-" if cell.accuracy is None else f"{cell.accuracy:.3f}"


def not_run(paper: Mapping[str, AsPublished], figures: Figures, cells: Iterable[Cell]) -> list[str]:
    """Return the study's frameworks that the run does not have."""
    here = {paper[cell.framework].stands_for for cell in cells if cell.framework in paper}
    return sorted({framework for framework, _, _ in figures} - here)
