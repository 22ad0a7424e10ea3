"""The table of what a study said beside what is measured."""

from orchestrator.cells import Cell
from orchestrator.report import study
from orchestrator.report.tidy.reported import Reported
from orchestrator.report.tidy.rows import Row, key_of, key_of_cell


def said(run: Reported) -> list[Row]:
    """Return what the study said beside what is measured; ``ratio_``: measured over said.

    A figure of a framework that the run does not have stands alone, its ``framework`` None.
    """
    paper, figures = run.suite.paper, run.figures
    rows, taken = [], set()
    for cell in run.summary.cells:
        figure = study.said_of(cell, paper, figures)
        if figure is not None:
            taken.add((figure.framework, figure.workload, figure.epochs))
            rows.append(key_of_cell(run, cell) | {"epochs": cell.epochs} | _beside(figure, cell))
    here = {cell.workload for cell in run.summary.cells}
    for figure in figures:
        place = figure.framework, figure.workload, figure.epochs
        if figure.workload in here and place not in taken:
            alone = key_of(run, figure.workload, None, None, figure.device, figure.threads)
            rows.append(alone | {"epochs": figure.epochs} | _beside(figure, None))
    return rows


def _beside(figure: study.Figure, cell: Cell | None) -> Row:
    row: Row = {"said_framework": figure.framework, "said_device": figure.device, "said_threads": figure.threads}
    ours = _ours(cell) if cell else {}
    for name in study.NUMBERS:
        said, measured = getattr(figure, name), ours.get(name)
        row[f"said_{name}"], row[f"measured_{name}"] = said, measured
        row[f"ratio_{name}"] = measured / said if measured is not None and said else None
    seconds = cell.train_seconds if cell else None
    row["measured_train_seconds_low"] = seconds and seconds.low
    row["measured_train_seconds_high"] = seconds and seconds.high
    row["differs"] = ("; ".join(cell.differs) or None) if cell else None
    return row


def _ours(cell: Cell) -> dict[str, float | None]:
    """Return a cell's numbers by the names that a study's figures have."""
    train = next((item for item in cell.resources if item.phase == "train"), None)
    return {
        "train_seconds": cell.train_seconds.median if cell.train_seconds else None,
        "train_ratio": cell.ratio.median if cell.ratio else None,
        "predict_seconds": cell.predict_seconds,
        "accuracy": cell.accuracy,
        "perplexity": cell.perplexity,
        **{name: getattr(train, name, None) for name in ("cpu_percent", "gpu_percent", "memory_percent")},
    }
