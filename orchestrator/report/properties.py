"""What ``bench frameworks --properties`` prints: then beside now, and each claim with the number of its source."""

import csv
import io
from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from orchestrator.properties import TITLES, Properties, Seen, Sides, Stated

SOURCES = "Sources. A date is the day of the look-up: in PyPI and Maven Central themselves, else in an archived copy."
HEADERS = ("framework", "then, as the papers state it", "now")
COLUMNS = ("framework", "property", "when", "value", "note", "paper", "place", "url", "seen")

Numbers = dict[str, int]  # {source: the number of its footnote}


def numbered(found: Properties) -> Numbers:
    """Return every source, numbered in the order in which the tables come to it."""
    claims = [(kind, source_of(claim, found)) for _, kind, _, claim in found.claims() if claim]
    numbers: Numbers = {}
    for kind in TITLES:
        for source in (source for other, source in claims if other == kind):
            numbers.setdefault(source, len(numbers) + 1)
    return numbers


def source_of(claim: Stated | Seen, found: Properties) -> str:
    if isinstance(claim, Stated):
        return f"{claim.paper}, {claim.place}: {found.papers[claim.paper].places[claim.place]}"
    return f"{claim.url} ({claim.seen.isoformat()})"


def rows(found: Properties, kind: str, numbers: Numbers) -> list[tuple[str, str, str]]:
    """Return a property of every framework: its name, then, now."""
    sides: dict[str, Sides] = {name: getattr(framework, kind) for name, framework in found.frameworks.items()}
    return [(name, _cell(side.then, found, numbers), _cell(side.now, found, numbers)) for name, side in sides.items()]


def _cell(claims: Sequence[Stated | Seen] | None, found: Properties, numbers: Numbers) -> str:
    """Return the claims of a side, those that state the same as one: ``Python [1, 4]; C++ [2] (a note)``."""
    if claims is None:
        return "not stated"
    sources: dict[tuple[str, str], list[int]] = {}
    for claim in claims:
        note = f" ({claim.note})" if claim.note else ""
        sources.setdefault((claim.value, note), []).append(numbers[source_of(claim, found)])
    return "; ".join(
        f"{value} [{', '.join(map(str, sorted(places)))}]{note}" for (value, note), places in sources.items()
    )


def as_tables(found: Properties) -> list[Table]:
    """Return a table for each property, all with the same columns."""
    numbers = numbered(found)
    tables = []
    for kind, title in TITLES.items():
        table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", expand=True)
        table.add_column(HEADERS[0], min_width=len(HEADERS[0]))
        for header in HEADERS[1:]:
            table.add_column(header, ratio=1)
        for row in rows(found, kind, numbers):
            table.add_row(*(Text(cell, "dim" if cell == "not stated" else "") for cell in row))
        tables.append(table)
    return tables


def footnotes(found: Properties) -> list[str]:
    """Return the sources in lines, and what the papers' keys stand for."""
    lines = [f"[{number}] {source}" for source, number in numbered(found).items()]
    return [SOURCES, *lines, *(f"{key}: {paper.title}" for key, paper in found.papers.items())]


def as_markdown(found: Properties) -> str:
    numbers = numbered(found)
    parts = [
        f"### {title}\n\n{tabulate(rows(found, kind, numbers), headers=HEADERS, tablefmt='github')}\n"
        for kind, title in TITLES.items()
    ]
    head, *lines = footnotes(found)
    return "\n".join([*parts, f"{head}\n", *(f"- {line}" for line in lines)]) + "\n"


def as_csv(found: Properties) -> str:
    """Return a line for each claim, and one without a value for each side that nothing states."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for name, kind, when, claim in found.claims():
        fields = claim.model_dump(mode="json") if claim else {}
        writer.writerow({"framework": name, "property": kind, "when": when, **fields})
    return text.getvalue()


def as_json(found: Properties) -> str:
    return found.model_dump_json(indent=1) + "\n"


TEXT_FORMATS: dict[str, Callable[[Properties], str]] = {"json": as_json, "csv": as_csv, "markdown": as_markdown}
