"""What a page is made of: sections, and the blocks in them. The template has a form for each ``kind`` of block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from orchestrator.report.html.packing import Pool, packed, slug
from orchestrator.report.html.views import FACETS, View
from orchestrator.report.tidy import Reported, Row, Tables


class Figure(Protocol):
    """A chart with the rows behind it."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def section(self) -> str: ...
    @property
    def workload(self) -> str | None: ...
    @property
    def spec(self) -> dict[str, Any]: ...
    @property
    def columns(self) -> Mapping[str, str]: ...
    @property
    def rows(self) -> Sequence[Row]: ...


@dataclass(frozen=True)
class Words:
    """A paragraph. ``missing``: it says why there is nothing else."""

    kind = "words"
    text: str
    missing: bool = False


@dataclass(frozen=True)
class Listed:
    kind = "listed"
    items: Sequence[str]


@dataclass(frozen=True)
class Folded:
    kind = "folded"
    title: str
    blocks: Sequence[Any]


@dataclass(frozen=True)
class Picture:
    """A chart, drawn when it comes into view, and the table behind it. ``rows``: the key of its rows in the pool."""

    kind = "picture"
    name: str
    title: str
    section: str
    workload: str | None
    packed: str
    columns: Sequence[str]
    rows: str
    count: int


def pictures(figures: Sequence[Figure], prefix: str, pool: Pool) -> list[Picture]:
    """Return charts as a page holds them: what Vega-Lite reads, its rows in the pool."""
    found = []
    for figure in figures:
        spec = figure.spec
        datasets = {name: pool.add(rows) for name, rows in spec.pop("datasets", {}).items()}
        found.append(
            Picture(
                name=slug(prefix, "figure", figure.name),
                title=figure.title,
                section=figure.section,
                workload=figure.workload,
                packed=packed({"spec": spec, "datasets": datasets}),
                columns=figure.columns,
                rows=pool.add([{name: row[name] for name in {**dict.fromkeys(figure.columns), **_facets(row)}}
                               for row in figure.rows]),
                count=len(figure.rows),
            )
        )  # fmt: skip
    return found


def _facets(row: Row) -> dict[str, None]:
    return dict.fromkeys(name for name in FACETS if name in row)


@dataclass(frozen=True)
class Winner:
    """What is said of one workload on one device and so many threads, with its picture."""

    kind = "winner"
    facets: dict[str, Any]
    title: str
    sentences: Sequence[str]
    cells: Sequence[tuple[str, str]]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    blocks: Sequence[Any]

    @property
    def tables(self) -> list[View]:
        return [block for block in self.blocks if isinstance(block, View)]


@dataclass(frozen=True)
class Part:
    """One run of a page. ``prefix`` keeps its ids apart from other runs'; ``folder``: its address from the page."""

    run: Reported
    tables: Tables
    pictures: Sequence[Picture]
    prefix: str
    folder: str

    def id(self, *words: object) -> str:
        return slug(self.prefix, *words)

    def cell_id(self, row: Row, epochs: int | None = None) -> str:
        """Return the id of a cell's row; ``epochs``: of a reading before the last."""
        names = ("workload", "variant", "framework", "device", "threads")
        return self.id("cell", *(row[name] for name in names), *(["epoch", epochs] if epochs else []))

    def address(self, path: str) -> str:
        """Return the address of a file of the run."""
        return f"{self.folder}/{quote(path)}"

    def of(self, section: str, workload: str | None = None) -> list[Picture]:
        return [p for p in self.pictures if p.section == section and workload in (None, p.workload)]
