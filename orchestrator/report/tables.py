"""A summary as a table: for the terminal, for a README, for a paper, for a spreadsheet."""

import csv
import io
from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from orchestrator.cells import Cell, Estimate, Overall
from orchestrator.data.builtin import BUILTIN
from orchestrator.summary import Summary

HEADERS = (
    "workload",
    "framework",
    "training s [95%]",
    "ratio to fastest [95%]",
    "build s",
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


def ratio_words(cell: Cell | Overall) -> str:
    """Return a cell's place: ``fastest``, a ratio, ``tie``, or why it has none."""
    if isinstance(cell, Cell) and not cell.comparable:
        if cell.variant == "paper":
            return "as published, never ranked"
        if cell.mixed:
            return "mixed environments"
        if cell.parity == "failed":
            return "not comparable"
        return "-" if cell.rounds_ok == cell.rounds else f"{cell.rounds_ok} of {cell.rounds} rounds ok"
    if cell.ratio is None:
        return "-"
    if cell.fastest:
        return "fastest, tie" if cell.tie else "fastest"
    return f"{interval(cell.ratio)} tie" if cell.tie else interval(cell.ratio)


def rows(summary: Summary) -> list[list[str]]:
    """Return the table's cells as text, in the columns of HEADERS."""
    name = workload_names(summary.cells)
    return [
        [
            name(cell),
            f"{cell.framework} {cell.version}" + (" (stale)" if cell.stale else ""),
            interval(cell.train_seconds) + (f" {target_words(cell)}" if cell.target else ""),
            ratio_words(cell),
            number(cell.build_seconds),
            number(cell.predict_rows_per_second),
            score_words(cell),
            cell.parity,
        ]
        for cell in summary.cells
    ]


def score_words(cell: Cell) -> str:
    """Return what the test rows say of a cell: an accuracy, or another score by its name."""
    if cell.synthetic:
        return "meaningless (synthetic)"
    if cell.perplexity is not None:
        return f"perplexity {cell.perplexity:.1f}"
    if cell.squared_error is not None:
        mean = cell.constant_errors.get("squared_error")
        return f"squared error {number(cell.squared_error)} (mean's: {number(mean)})"
    return "-" if cell.accuracy is None else f"{cell.accuracy:.4f}"


def target_words(cell: Cell) -> str:
    """Return what a cell was trained towards, and after how many epochs it was there."""
    assert cell.target is not None
    there = "" if cell.epochs_to_target is None else f" in {cell.epochs_to_target:g} epochs"
    return f"to {cell.target.metric.replace('_', ' ')} {cell.target.value:g}{there}"


def workload_names(cells: Sequence[Cell]) -> Callable[[Cell], str]:
    """Return what names a cell's workload: with device, threads, epochs and variant where there is more than one, and
    with what makes it another experiment than the suite's: other data, a scale, more threads than CPUs."""
    settings = {(cell.device, cell.threads) for cell in cells}
    readings: dict[str, set[int]] = {}
    for cell in cells:
        readings.setdefault(cell.workload, set()).add(cell.epochs)

    def name(cell: Cell) -> str:
        words = [f"epoch {cell.epochs}"] if len(readings[cell.workload]) > 1 else []
        if len(settings) > 1 or (cell.cpus is not None and cell.threads > cell.cpus):
            words += [cell.device, cell.threads_words]
        if cell.dataset not in BUILTIN:
            words.append(f"on {cell.dataset}")
        if cell.scale != 1:
            words.append(f"scale {cell.scale:g}")
        if cell.variant == "paper":
            words.append("paper")
        return cell.workload + (f" ({', '.join(words)})" if words else "")

    return name


def caption(summary: Summary) -> str:
    run = summary.run
    altered = f" with {', '.join(run.altered)}" if run.altered else ""
    return (
        f"Suite {run.suite}{altered}, {run.repeats} rounds, {run.device}, {', '.join(map(str, run.threads))} threads, "
        f"engine {run.engine}; medians over rounds, intervals at 95%, ratios paired by round."
    )


def overall_lines(summary: Summary) -> list[str]:
    """Return the geometric means over workloads, a line for each device and thread count."""
    groups: dict[tuple[str, int], list[Overall]] = {}
    for item in summary.overall:
        groups.setdefault((item.device, item.threads), []).append(item)
    return [
        f"Over {items[0].workloads} workloads ({device}, {threads} threads), geometric means of the ratios: "
        + "; ".join(f"{item.framework} {ratio_words(item)}" for item in items)
        + "."
        for (device, threads), items in groups.items()
    ]


def differences(summary: Summary) -> list[str]:
    """Return what differs in variant ``paper``, once for each framework."""
    words = {cell.framework: cell.differs for cell in summary.cells if cell.variant == "paper"}
    return [f"{framework} as published: {'; '.join(texts)}." for framework, texts in words.items()]


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
    lines += [Text(line) for line in overall_lines(summary)]
    lines += [Text(f"note: {note}") for note in (*differences(summary), *summary.notes)]
    return Group(*lines)


def as_markdown(summary: Summary) -> str:
    problems = [f"- **{p.status}** `{p.job_id}`: {p.reason}" for p in summary.problems]
    notes = [f"- {note}" for note in (*overall_lines(summary), *differences(summary), *summary.notes)]
    parts = [caption(summary), "", as_markdown_table(summary), *([""] if problems or notes else []), *problems, *notes]
    return "\n".join(parts) + "\n"


def as_markdown_table(summary: Summary) -> str:
    return table(rows(summary), HEADERS)


def table(texts: Sequence[Sequence[str]], headers: Sequence[str], left: int = LEFT) -> str:
    """Return a Markdown table, its first ``left`` columns words and the others numbers."""
    escaped = [[text.replace("|", "\\|") for text in row] for row in texts]
    return tabulate(escaped, headers, tablefmt="pipe", disable_numparse=True, colalign=_alignment(len(headers), left))


def as_latex(summary: Summary) -> str:
    table = tabulate(
        rows(summary), HEADERS, tablefmt="latex_booktabs", disable_numparse=True, colalign=_alignment(len(HEADERS))
    )
    return f"% {caption(summary)}\n{table}\n"


def _alignment(columns: int, left: int = LEFT) -> list[str]:
    return ["left" if place < left else "right" for place in range(columns)]


def as_csv(summary: Summary) -> str:
    """Return one line per cell; names carry units, empty means that it is not known."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    nested = ("train_seconds", "ratio", "differs", "target", "constant_errors", "resources")
    plain = [name for name in Cell.model_fields if name not in nested]
    spread = [f"{name}_{part}" for name in ("train_seconds", "ratio") for part in ("median", "low", "high")]
    errors = ("squared_error", "absolute_error")
    writer.writerow([*plain, "target_metric", "target_value", *(f"constant_{name}" for name in errors), *spread])
    for cell in summary.cells:
        estimates = [getattr(getattr(cell, name), part, None) for name in ("train_seconds", "ratio")
                     for part in ("median", "low", "high")]  # fmt: skip
        target = (cell.target.metric, cell.target.value) if cell.target else ("", "")
        constant = (cell.constant_errors.get(name, "") for name in errors)
        writer.writerow([*(getattr(cell, name) for name in plain), *target, *constant, *estimates])
    return buffer.getvalue()


TEXT_FORMATS: dict[str, Callable[[Summary], str]] = {
    "json": lambda summary: summary.model_dump_json(indent=1) + "\n",
    "csv": as_csv,
    "markdown": as_markdown,
    "latex": as_latex,
}
