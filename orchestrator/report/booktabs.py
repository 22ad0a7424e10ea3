"""The rows behind a figure as a table for a paper, in LaTeX with the package booktabs."""

from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate

from orchestrator.cells import Estimate
from orchestrator.report.tables import interval, number
from orchestrator.report.tidy import Row

WORDY = "differs"  # a column of sentences, for which no table of a paper has room
ENDS = ("_low", "_high")


def booktabs(title: str, columns: Mapping[str, str], rows: Sequence[Row], across: str | None) -> str:
    """Return the table, its title as a comment. ``across``: the column whose values stand side by side.

    A paper's columns are narrow: those that hold nothing are left out.
    """
    holding = {key for row in rows for key, value in row.items() if value is not None} - {WORDY}
    kept = {key: header for key, header in columns.items() if key in holding and not _is_end(key, columns)}
    texts = [{key: _text(row, key) for key in kept} for row in rows]
    numbers = {key for key in kept if all(isinstance(row[key], int | float | None) for row in rows)}
    if across is not None:
        texts, kept, numbers = _side_by_side(texts, kept, numbers, across)
    headers = [header + (" [95%]" if f"{key}_low" in columns else "") for key, header in kept.items()]
    lines = [[line.get(key, "-") for key in kept] for line in texts]
    align = ["right" if key in numbers else "left" for key in kept]
    table = tabulate(lines, headers, tablefmt="latex_booktabs", disable_numparse=True, colalign=align)
    return f"% {_one_line(title)}. Needs \\usepackage{{booktabs}}.\n{table}\n"


def _is_end(key: str, columns: Iterable[str]) -> bool:
    """Return whether a column is an end of another one's interval."""
    return any(key.endswith(end) and key.removesuffix(end) in columns for end in ENDS)


def _text(row: Row, key: str) -> str:
    value = row[key]
    if value is None:
        return "-"
    if f"{key}_low" in row:
        return interval(Estimate(median=value, low=row[f"{key}_low"], high=row[f"{key}_high"]))
    return number(value, 4) if isinstance(value, float) else _one_line(str(value))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _side_by_side(
    texts: Sequence[Mapping[str, str]], columns: Mapping[str, str], numbers: set[str], across: str
) -> tuple[list[dict[str, str]], dict[str, str], set[str]]:
    """Return the lines, columns and columns of numbers of a table with a column for each value of one."""
    (value,) = [key for key in columns if key in numbers][-1:]
    keys = [key for key in columns if key not in (across, value)]
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for text in texts:
        line = found.setdefault(tuple(text[key] for key in keys), {key: text[key] for key in keys})
        line[f"{across}={text[across]}"] = text[value]
    sides = {f"{across}={text[across]}": f"{columns[value]}: {text[across]}" for text in texts}
    return list(found.values()), {key: columns[key] for key in keys} | sides, (numbers - {value}) | set(sides)
