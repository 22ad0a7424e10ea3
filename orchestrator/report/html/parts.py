"""What a page is made of: sections, and the blocks in them. The template has a form for each ``kind`` of block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from orchestrator.report.charts import Figure
from orchestrator.report.html.packing import Pool, as_json, packed, slug
from orchestrator.report.tidy import Reported, Row, Tables


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

    name: str
    title: str
    section: str
    variant: str
    facets: dict[str, Any]
    packed: str
    columns: str
    rows: str
    count: int


@dataclass(frozen=True)
class Pictures:
    kind = "pictures"
    items: Sequence[Picture]


def pictures(figures: Sequence[Figure], prefix: str, pool: Pool) -> list[Picture]:
    """Return charts as a page holds them: what Vega-Lite reads, its rows apart."""
    return [_picture(figure, prefix, pool) for figure in figures]


def _picture(figure: Figure, prefix: str, pool: Pool) -> Picture:
    spec = {name: value for name, value in figure.spec.items() if name != "datasets"}
    place = figure.place
    facets = {"workload": place.workload, "device": place.device, "threads": place.threads}
    return Picture(
        name=slug(prefix, "figure", figure.name),
        title=figure.title,
        section=figure.section,
        variant=place.variant,
        facets={name: value for name, value in facets.items() if value is not None},
        packed=packed(spec),
        columns=as_json(list(figure.columns.items())),
        rows=pool.add(list(figure.rows)),
        count=len(figure.rows),
    )


@dataclass(frozen=True)
class Winner:
    """What is said of one workload on one device and so many threads, with its picture."""

    facets: dict[str, Any]
    title: str
    sentences: Sequence[str]
    cells: Sequence[tuple[str, str]]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Winners:
    kind = "winners"
    items: Sequence[Winner]


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    blocks: Sequence[Any]


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

    def of(self, section: str) -> list[Pictures | Folded]:
        """Return a section's pictures, those of variant ``paper`` folded behind the others."""
        own = [picture for picture in self.pictures if picture.section == section]
        published = [picture for picture in own if picture.variant == "paper"]
        matched = [picture for picture in own if picture.variant != "paper"]
        folded = [Folded("As published", [Pictures(published)])] if published else []
        return [*([Pictures(matched)] if matched else []), *folded]

    def section(self, key: str, title: str, blocks: Sequence[Any], rows: Sequence[Row], missing: str) -> Section:
        """Return a section of pictures and what shows all rows behind them, or what it lacks and how to get it."""
        return Section(key, title, [*self.of(key), *blocks] if rows else [Words(missing, True)])
