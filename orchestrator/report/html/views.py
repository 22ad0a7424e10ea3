"""A tidy table as a page shows it: columns with headers, the first rows as text, and all of them packed.

The browser unpacks the rows when somebody sorts, filters or unfolds the table. Numbers are shown with three significant
digits, by the same rule here and in ``page.js``, and hold their exact value.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.report.html.packing import packed
from orchestrator.report.tables import number
from orchestrator.report.tidy import Row

Kind = Literal["words", "count", "number"]
FACETS = ("framework", "workload", "device", "threads")


@dataclass(frozen=True)
class Shown:
    """A cell that is not shown as its value alone: in other words, or as links, each (words, address)."""

    value: Any
    words: str | None = None
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Column:
    """``key`` names it for those who check a page; ``read``: what of a row it shows, else what has its key."""

    key: str
    header: str
    kind: Kind = "words"
    read: Callable[[Row], Any] | None = None

    def of(self, row: Row) -> Any:
        return self.read(row) if self.read else row[self.key]


@dataclass(frozen=True)
class View:
    """A table of the page. ``name``: its HTML id; ``identify``: the id of a row that others link to.

    ``first``: so many rows are there before anything is unfolded, and without JavaScript.
    """

    kind = "table"
    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    identify: Callable[[Row], str] | None = None
    first: int = 25

    @property
    def lines(self) -> Iterator[list[Any]]:
        """Yield each row as [id, facets, cells], as ``page.js`` reads it."""
        taken: set[str] = set()
        for row in self.rows:
            identity = self.identify(row) if self.identify else ""
            identity = "" if identity in taken else identity
            taken.add(identity)
            yield [identity, [row.get(name) for name in FACETS], [_plain(column.of(row)) for column in self.columns]]

    @property
    def first_lines(self) -> list[list[Any]]:
        return [line for line, _ in zip(self.lines, range(self.first), strict=False)]

    @property
    def packed(self) -> str:
        return packed(list(self.lines))


def filled(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """Return the columns that some row has a value for."""
    return [column for column in columns if any(_known(column.of(row)) for row in rows)]


def differing(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """Return the columns in which the rows differ, whatever is not known left out."""
    return [column for column in columns if len({column.of(row) for row in rows} - {None}) > 1]


def _known(value: Any) -> bool:
    return (value.value if isinstance(value, Shown) else value) not in (None, "")


def _plain(value: Any) -> Any:
    if not isinstance(value, Shown):
        return value
    plain: dict[str, Any] = {"v": value.value}
    if value.words is not None:
        plain["t"] = value.words
    if value.links:
        plain["l"] = [list(link) for link in value.links]
    return plain


def text_of(value: Any, kind: Kind) -> str:
    """Return what stands in a cell; ``page.js`` has the same rule."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if kind == "number" else str(value)
