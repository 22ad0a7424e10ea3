"""A summary as a table: for the terminal, for a README, for a paper, for a spreadsheet."""

import csv
import io
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from orchestrator.summary import Cell, Estimate, Summary

HEADERS = (
    "workload",
    "framework",
    "training s [95%]",
    "ratio to fastest [95%]",
    "predict rows/s",
    "accuracy",
    "parity",
)
LEFT = 2  # so many columns are words; the rest are numbers


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits, or a dash."""
    if value is None:
        return "-"
    if abs(value) >= 10**digits - 0.5:  # what rounds to a power of ten would come out as 1.00e+03
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def interval(value: Estimate | None) -> str:
    """Return ``1.23 [1.10, 1.38]``; without an interval where there is none."""
    if value is None:
        return "-"
    if value.low is None or value.high is None:
        return number(value.median)
    return f"{number(value.median)} [{number(value.low)}, {number(value.high)}]"


def ratio_words(cell: Cell) -> str:
    """Return a cell's place: ``fastest``, a ratio, ``tie``, or why it has none."""
    if not cell.comparable:
        if cell.parity == "failed":
            return "not comparable"
        return "-" if cell.rounds_ok == cell.rounds else f"{cell.rounds_ok} of {cell.rounds} rounds ok"
    if cell.ratio is None:
        return "-"
    if cell.fastest:
        return "fastest, tie" if cell.tie else "fastest"
    return f"{interval(cell.ratio)} tie" if cell.tie else interval(cell.ratio)


def rows(summary: Summary) -> list[list[str]]:
    """Return the table's cells as text, in the columns of HEADERS. Threads and device follow the workload where
    a run has more than one of them."""
    settings = {(cell.device, cell.threads) for cell in summary.cells}
    return [
        [
            cell.workload if len(settings) == 1 else f"{cell.workload} ({cell.device}, {cell.threads} threads)",
            f"{cell.framework} {cell.version}",
            interval(cell.train_seconds),
            ratio_words(cell),
            number(cell.predict_rows_per_second),
            "-" if cell.accuracy is None else f"{cell.accuracy:.4f}",
            cell.parity,
        ]
        for cell in summary.cells
    ]


def caption(summary: Summary) -> str:
    run = summary.run
    return (
        f"Suite {run.suite}, {run.rounds} rounds, {run.device}, {run.threads} threads, engine {run.engine}; "
        f"medians over rounds, intervals at 95%, ratios paired by round."
    )


def as_rich(summary: Summary) -> RenderableType:
    """Return the table for a terminal, with problems and notes below it."""
    table = Table(title=caption(summary), title_justify="left", header_style="bold")
    for place, header in enumerate(HEADERS):
        table.add_column(header, justify="left" if place < LEFT else "right", no_wrap=place < LEFT)
    previous = None
    for row in rows(summary):
        if previous not in (None, row[0]):
            table.add_section()
        table.add_row(*(Text(text) for text in (["", *row[1:]] if row[0] == previous else row)))
        previous = row[0]
    lines: list[RenderableType] = [table]
    for problem in summary.problems:
        lines.append(Text(f"{problem.status}: {problem.job_id}: {problem.reason}", style="red"))
    lines += [Text(f"note: {note}") for note in summary.notes]
    return Group(*lines)


def as_markdown(summary: Summary) -> str:
    escaped = [[text.replace("|", "\\|") for text in row] for row in rows(summary)]
    table = tabulate(escaped, HEADERS, tablefmt="pipe", disable_numparse=True, colalign=_alignment())
    problems = [f"- **{p.status}** `{p.job_id}`: {p.reason}" for p in summary.problems]
    notes = [f"- {note}" for note in summary.notes]
    return "\n".join([caption(summary), "", table, *([""] if problems or notes else []), *problems, *notes]) + "\n"


def as_latex(summary: Summary) -> str:
    table = tabulate(rows(summary), HEADERS, tablefmt="latex_booktabs", disable_numparse=True, colalign=_alignment())
    return f"% {caption(summary)}\n{table}\n"


def _alignment() -> list[str]:
    return ["left" if place < LEFT else "right" for place in range(len(HEADERS))]


def as_csv(summary: Summary) -> str:
    """Return one line per cell; names carry units, empty means that it is not known."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    plain = [name for name in Cell.model_fields if name not in ("train_seconds", "ratio")]
    spread = [f"{name}_{part}" for name in ("train_seconds", "ratio") for part in ("median", "low", "high")]
    writer.writerow([*plain, *spread])
    for cell in summary.cells:
        estimates = [getattr(getattr(cell, name), part, None) for name in ("train_seconds", "ratio")
                     for part in ("median", "low", "high")]  # fmt: skip
        writer.writerow([*(getattr(cell, name) for name in plain), *estimates])
    return buffer.getvalue()


TEXT_FORMATS: dict[str, Callable[[Summary], str]] = {
    "json": lambda summary: summary.model_dump_json(indent=1) + "\n",
    "csv": as_csv,
    "markdown": as_markdown,
    "latex": as_latex,
}
