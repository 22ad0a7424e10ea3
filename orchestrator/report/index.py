"""The index of a folder of reports. Each page holds the facts that the index says of it, so that a folder is enough."""

import json
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.errors import StoreError
from orchestrator.report.html.template import rendered
from orchestrator.report.tidy import Reported
from orchestrator.store import write_text
from workers.spec import Record, ValidationError

META = "bakeoff"
HEAD_CHARACTERS = 2**16
INDEX = "index.html"


class Facts(Record):
    """What an index says of one run on a page. ``machine``: the processors and graphics cards of its results."""

    suite: str
    title: str
    started: str
    frameworks: list[str]
    engine: str
    device: str
    threads: list[int]
    repeats: int
    altered: list[str]
    machine: list[str]


def facts(runs: Iterable[Reported]) -> str:
    """Return the facts of a page's runs, as its element ``meta`` holds them."""
    return json.dumps([_facts(run).model_dump() for run in runs])


def _facts(run: Reported) -> Facts:
    info = run.summary.run
    environments = [result.environment for _, result in run.pairs if result is not None]
    models = [model for found in environments for model in (found.cpu_model, found.gpu_model) if model]
    return Facts(
        suite=run.suite.suite,
        title=run.suite.title,
        started=info.started,
        frameworks=info.frameworks,
        engine=info.engine,
        device=info.device,
        threads=info.threads,
        repeats=info.repeats,
        altered=info.altered,
        machine=list(dict.fromkeys(models)),
    )


def write_index(folder: Path) -> Path:
    """Write the folder's ``index.html`` and return its path. Raises StoreError for a folder without reports."""
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder. Give one with pages that `bench report` made.")
    pages = [(path, found) for path in sorted(folder.glob("*.html")) if path.name != INDEX and (found := read(path))]
    if not pages:
        raise StoreError(f"{folder} holds no report. Make one: bench report RUN --output {folder / 'NAME.html'}")
    write_text(folder / INDEX, as_index(pages))
    return folder / INDEX


def read(path: Path) -> list[Facts]:
    """Return the facts that a page holds; none of a page that is no report. Raises StoreError."""
    try:
        with path.open(encoding="utf-8") as file:
            head = file.read(HEAD_CHARACTERS)
        parser = _Meta()
        parser.feed(head)
        return [Facts.model_validate(item) for item in json.loads(parser.content or "[]")]
    except (OSError, ValueError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path} cannot be read as a report ({reason}). Make it again with bench report.") from None


class _Meta(HTMLParser):
    """Keeps what the page's own element ``meta`` holds."""

    content: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named: dict[str, str | None] = dict(attrs)
        if tag == "meta" and named.get("name") == META:
            self.content = named.get("content")


def as_index(pages: Sequence[tuple[Path, list[Facts]]]) -> str:
    """Return the page that lists reports, the newest run first."""
    rows: list[dict[str, Any]] = [
        {"address": quote(path.name), "file": path.name, "facts": item} for path, found in pages for item in found
    ]
    rows.sort(key=lambda row: row["facts"].started, reverse=True)
    return rendered("index.html.jinja", rows=rows, reports=len(pages))
