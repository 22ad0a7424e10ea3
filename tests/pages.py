"""An HTML page of `bench report`, read back as a browser would find it: elements, text, tables and links."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from orchestrator.report.html.packing import unpacked
from orchestrator.report.html.page import as_html
from orchestrator.report.tidy import read_run

RAW = ("script", "style")


@dataclass
class Table:
    """A table: its columns' keys, all packed rows as {key: value}, and the first ones as text."""

    keys: list[str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)


def value(cell: Any) -> Any:
    """Return what a cell holds, whatever it is shown as."""
    return cell.get("v") if isinstance(cell, dict) else cell


def links(cell: Any) -> list[str]:
    return [address for _, address in cell.get("l", [])] if isinstance(cell, dict) else []


class Page(HTMLParser):
    """What a page holds: ``elements`` as (tag, attributes), visible ``text``, ``tables`` by their ids."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.packed: dict[str, str] = {}  # id -> what is packed under it
        self.scripts: list[str] = []
        self.tables: dict[str, Table] = {}
        self.text = ""
        self._table: Table | None = None
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: text or "" for name, text in attributes}
        self.elements.append((tag, found))
        if "data-table" in found:
            self._table = self.tables[found["id"]] = Table(found["data-keys"].split())
        if self._table is not None and tag == "tbody":
            self._inside.append(tag)
        if self._table is not None and self._inside and tag == "tr":
            self._table.texts.append([])
        if self._table is not None and self._inside and tag in ("td", "th"):
            self._table.texts[-1].append("")
        self._raw = (found, []) if tag in RAW else None

    _raw: tuple[dict[str, str], list[str]] | None = None

    def handle_endtag(self, tag: str) -> None:
        if self._raw is not None and tag == "script":
            self._script(self._raw[0], "".join(self._raw[1]))
        self._raw = None
        if tag == "tbody":
            self._inside.clear()

    def handle_data(self, text: str) -> None:
        if self._raw is None:
            self.text += text
            if self._table is not None and self._inside and self._table.texts and self._table.texts[-1]:
                self._table.texts[-1][-1] += text.strip()
        else:
            self._raw[1].append(text)

    def _script(self, found: dict[str, str], text: str) -> None:
        if found.get("type") != "text/plain":
            self.scripts.append(text)
        elif "id" in found:
            self.packed[found["id"]] = text
        elif self._table is not None:
            for identity, _, cells in unpacked(text):
                self._table.ids.append(identity)
                self._table.rows.append(dict(zip(self._table.keys, cells, strict=True)))
            self._table = None

    def attributes(self, name: str) -> list[str]:
        return [found[name] for _, found in self.elements if name in found]


def page_of(folders: Sequence[Path], where: Path) -> Page:
    return Page(as_html([read_run(folder) for folder in folders], where, "bench report RUN"))
