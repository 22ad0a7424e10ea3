"""Runs as one self-contained HTML page that makes no request: everything that it needs is in it."""

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

import vl_convert
from markupsafe import Markup

from orchestrator.report.charts import figures
from orchestrator.report.html import answers, costs, evidence
from orchestrator.report.html.packing import Pool, packed
from orchestrator.report.html.parts import Part, Section, pictures
from orchestrator.report.html.template import ASSETS, rendered
from orchestrator.report.html.views import FACETS
from orchestrator.report.index import facts
from orchestrator.report.tidy import Reported, tables

ORDER: Sequence[Callable[[Part], Section]] = (
    answers.who_wins,
    answers.said,
    answers.times,
    answers.convergence,
    answers.accuracy_time,
    answers.scaling,
    costs.resources,
    costs.phases,
    costs.lines,
    costs.agreement,
    evidence.qualities,
    evidence.problems,
    evidence.parity,
    evidence.provenance,
)


def as_html(runs: Sequence[Reported], folder: Path, command: str) -> str:
    """Return the page of runs; ``folder``: where it will lie; ``command``: what makes it again."""
    pool = Pool()
    parts = [_part(run, pool, f"run-{place}" if len(runs) > 1 else "", folder) for place, run in enumerate(runs, 1)]
    script = (ASSETS / "page.js").read_text(encoding="utf-8")
    return rendered(
        "page.html.jinja",
        index_facts=facts(runs),
        title=_title(runs),
        parts=[(part, [section(part) for section in ORDER]) for part in parts],
        in_short=[(part, answers.in_short(part)) for part in parts] if len(parts) > 1 else [],
        facets={name: _values(parts, name) for name in FACETS},
        command=command,
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
        pool=pool.packed,
        vega=_vega() if any(part.pictures for part in parts) else "",
    )


def _title(runs: Sequence[Reported]) -> str:
    suites = {run.suite.suite: run.suite.title for run in runs}
    return ", ".join(suites) if len(suites) > 1 else ": ".join(*suites.items())


def _part(run: Reported, pool: Pool, prefix: str, folder: Path) -> Part:
    own = tables([run])
    address = quote(os.path.relpath(run.folder.resolve(), folder.resolve()))
    return Part(run, own, pictures(figures(own), prefix, pool), prefix, address)


def _values(parts: Sequence[Part], name: str) -> list[object]:
    """Return the values of a facet that a reader can choose from; none where there is no choice."""
    found = {row[name] for part in parts for row in part.tables["jobs"] if row["kind"] != "parity"}
    return sorted(found) if len(found) > 1 else []


@cache
def _vega() -> str:
    return packed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
