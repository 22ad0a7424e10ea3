"""Two runs compared, as a text: for the terminal, for a pull request, for a program."""

import csv
import io
import shlex
from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.changes import QUANTITIES, SCORES, Change
from orchestrator.comparison import Comparison
from orchestrator.counterparts import Place
from orchestrator.report.changed import HEADERS, LEFT, caption, changed_lines, only_lines, reason_lines, rows
from orchestrator.report.tables import table

COMPARED = ("train_seconds", *QUANTITIES)
WIDTH = 132  # of a file, which has none of its own
STYLES = {"slower": "bold red", "faster": "green", "not comparable": "yellow"}


def as_rich(comparison: Comparison) -> RenderableType:
    """Return the comparison for a terminal, what was decided at the end."""
    shown = Table(title=caption(comparison), title_justify="left", header_style="bold")
    for place, header in enumerate(HEADERS):
        shown.add_column(header, justify="left" if place < LEFT else "right", overflow="fold")
    for texts, row in zip(rows(comparison), comparison.rows, strict=True):
        shown.add_row(*map(Text, texts), style=STYLES.get(row.verdict))
    lines = [
        *(f"not comparable: {line}" for line in reason_lines(comparison)),
        *(f"changed: {line}" for line in changed_lines(comparison)),
        *only_lines(comparison),
        *(f"note: {line}" for line in comparison.notes),
        *comparison.decided,
    ]
    return Group(shown, *map(Text, lines))


def as_text(comparison: Comparison) -> str:
    """Return what a terminal shows, without colours."""
    file = io.StringIO()
    Console(file=file, width=WIDTH, color_system=None).print(as_rich(comparison))
    return file.getvalue()


def as_markdown(comparison: Comparison) -> str:
    """Return GitHub-flavoured Markdown: what was decided, then the rows that moved; the others are folded away."""
    moved: list[list[str]] = []
    unmoved: list[list[str]] = []
    for texts, row in zip(rows(comparison), comparison.rows, strict=True):
        still = row.verdict == "unchanged" and all(score.change == "unchanged" for score in row.scores)
        (unmoved if still else moved).append([_plain(text) for text in texts])
    parts = [
        "  \n".join(f"**{_plain(line)}**" for line in comparison.decided),
        _plain(caption(comparison)),
        table(moved, HEADERS, left=LEFT) if moved else "",
        _folded(f"{len(unmoved)} unchanged", table(unmoved, HEADERS, left=LEFT)) if unmoved else "",
        _listed("Not comparable", reason_lines(comparison)),
        _listed("Changed from A to B", changed_lines(comparison)),
        _listed("In one run alone", only_lines(comparison)),
        _folded(
            "Notes, and where the runs come from",
            "\n\n".join(filter(None, (_listed("Notes", comparison.notes), _origins(comparison)))),
        ),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_csv(comparison: Comparison) -> str:
    """Return one line per row, those of one run alone too; names carry units, empty means that it is not known."""
    parts = ("a", "b", "ratio", "ratio_low", "ratio_high", "change")
    lists = ("reasons", "changed", "warnings")
    names = [
        *("run_a", "run_b", *Place.model_fields, "verdict", "beyond", "how_sure", "version_a", "version_b"),
        *(f"{quantity}_{part}" for quantity in COMPARED for part in parts),
        *(f"{metric}_{part}" for metric in SCORES for part in ("a", "b", "change")),
        *lists,
    ]
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    runs = {"run_a": comparison.run_a.name, "run_b": comparison.run_b.name}
    for row in comparison.rows:
        line = {**runs, **{name: value for name, value in row.model_dump().items() if name in names}}
        line |= {name: "; ".join(getattr(row, name)) for name in lists}
        for quantity in COMPARED:
            values = _parts(getattr(row, quantity))
            line |= {f"{quantity}_{part}": value for part, value in zip(parts, values, strict=True)}
        for score in row.scores:
            line |= {f"{score.metric}_{part}": getattr(score, part) for part in ("a", "b", "change")}
        writer.writerow(line)
    for verdict, places in (("only in A", comparison.only_a), ("only in B", comparison.only_b)):
        writer.writerows({**runs, **place.model_dump(), "verdict": verdict} for place in places)
    return file.getvalue()


TEXT_FORMATS: dict[str, Callable[[Comparison], str]] = {
    "table": as_text,
    "json": lambda comparison: comparison.model_dump_json(indent=1) + "\n",
    "csv": as_csv,
    "markdown": as_markdown,
}


def _parts(change: Change) -> tuple[object, ...]:
    ratio = change.ratio
    return change.a, change.b, ratio and ratio.median, ratio and ratio.low, ratio and ratio.high, change.change


def _known(value: str | int | None) -> str:
    return "-" if value is None else str(value)


def _plain(text: str) -> str:
    """Return a text of which GitHub makes no markup of HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _folded(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def _listed(title: str, lines: Sequence[str]) -> str:
    return f"**{title}**\n\n" + "\n".join(f"- {_plain(line)}" for line in lines) if lines else ""


def _origins(comparison: Comparison) -> str:
    """Return how both runs were asked for, and on what machine, side by side."""
    a, b = comparison.run_a, comparison.run_b
    texts = [
        ["suite", *(", ".join([run.suite, *run.altered]) for run in (a, b))],
        ["command", *(shlex.join(run.command) for run in (a, b))],
        ["continued", *(f"{len(run.continued)} times" for run in (a, b))],
        *([fact.replace("_", " "), *(_known(run.host.get(fact)) for run in (a, b))] for fact in {**a.host, **b.host}),
    ]
    return table(
        [[_plain(text) for text in line] for line in texts],
        ("", _plain(f"A: {a.name}"), _plain(f"B: {b.name}")),
        left=3,
    )
