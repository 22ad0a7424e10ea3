"""What each framework used while it trained, or in every phase: sampled from outside the jobs, medians over rounds."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from orchestrator.cells import last_readings
from orchestrator.report import tables
from orchestrator.summary import Summary
from workers.spec import Resources

MIB = 1024**2


class Column(NamedTuple):
    """A figure with its unit; ``read``: how it is read of a phase, None where it is not known."""

    header: str
    read: Callable[[Resources], float | None]


def _mib(value: float | None) -> float | None:
    return None if value is None else value / MIB


def _switches(item: Resources) -> float | None:
    kinds = [item.voluntary_switches, item.involuntary_switches]
    known = [value for value in kinds if value is not None]
    return sum(known) if known else None


COLUMNS = (
    Column("seconds", lambda item: item.seconds),
    Column("CPU %", lambda item: item.cpu_percent),
    Column("memory MiB, mean", lambda item: _mib(item.mean_rss_bytes)),
    Column("peak", lambda item: _mib(item.peak_rss_bytes)),
    Column("memory %", lambda item: item.memory_percent),
    Column("context switches", _switches),
    Column("throttled s", lambda item: item.throttled_seconds),
    Column("energy J", lambda item: item.energy_joules),
    Column("GPU %", lambda item: item.gpu_percent),
    Column("GPU MiB", lambda item: _mib(item.gpu_memory_bytes)),
    Column("GPU W", lambda item: item.gpu_watts),
    Column("GPU C", lambda item: item.gpu_celsius),
    Column("GPU MHz", lambda item: item.gpu_clock_mhz),
)


def rows(summary: Summary, phases: Sequence[str] | None = ("train",)) -> tuple[list[str], list[list[str]]]:
    """Return (headers, rows) of these phases, None: of all; a figure that no row has is left out."""
    name = tables.workload_names(summary.cells)
    found = [(cell, item) for cell in last_readings(summary.cells) for item in cell.resources
             if phases is None or item.phase in phases]  # fmt: skip
    shown = [column for column in COLUMNS if any(column.read(item) is not None for _, item in found)]
    lines = [
        [name(cell), cell.framework, item.phase, *(tables.number(column.read(item)) for column in shown)]
        for cell, item in found
    ]
    return ["workload", "framework", "phase", *(column.header for column in shown)], lines


def as_rich(summary: Summary, phases: Sequence[str] | None) -> Table | Text:
    headers, lines = rows(summary, phases)
    if not lines:
        return Text("No resources were sampled in this run.")
    table = Table(title="Resources, sampled from outside the jobs; medians over rounds", title_justify="left")
    for place, header in enumerate(headers):
        table.add_column(header, justify="left" if place < 3 else "right")
    for line in lines:
        table.add_row(*map(Text, line))
    return table


def as_markdown(summary: Summary) -> str | None:
    """Return the table of the training phase, or None where nothing was sampled."""
    headers, lines = rows(summary)
    return tables.table(lines, headers, left=3) if lines else None
