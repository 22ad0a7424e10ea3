"""The HTML page in a browser, of runs that are hard to report: right, quiet, and open to every reader."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from orchestrator.cells import Cell
from orchestrator.cli import app
from orchestrator.report.html import template
from orchestrator.report.html.views import text_of
from orchestrator.store import RunStore
from orchestrator.summary import Summary, summarise
from tests.browser import checks
from tests.browser.container import Browser
from tests.pages import Page
from tests.runs import MARKUP, RUNS, SCRIPT

PHONE = {"width": 360, "height": 740}
SMALL = [name for name in RUNS if name != "large"]
Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def page(pages: Path) -> Made:
    """Return the page of a made run, as `bench report` writes it; made once for all tests."""

    def made(name: str) -> Path:
        app(["report", str(RUNS[name](pages / name)), "--output", str(pages / f"{name}.html")], standalone_mode=False)
        return pages / f"{name}.html"

    return cache(made)


def summary_of(page: Path) -> Summary:
    store = RunStore(page.with_suffix(""))
    return summarise(store.read_info(), store.jobs())


# ---------------------------------------------------------------------------- every page


@pytest.mark.parametrize("name", SMALL)
def test_a_phone_shows_the_whole_page(name: str, browser: Browser, page: Made) -> None:
    seen = browser(checks.whole, page(name), **PHONE)
    assert seen.faults == []
    assert seen.found["overflow"] == {"wider_by": 0, "wide": []}
    assert [chart["id"] for chart in seen.found["charts"] if not any(chart["marks"].values())] == []
    assert (seen.found["made"], "it ran" in seen.title) == (0, MARKUP in seen.title)


def test_markup_in_names_is_shown_as_text(browser: Browser, page: Made) -> None:
    seen = browser(checks.whole, page("markup"), {"of_a_kind": 1000})
    assert seen.faults == []
    assert (seen.found["made"], seen.title[:17]) == (0, f"marked: {MARKUP}"[:17])
    text = " ".join(seen.found["text"].split())
    assert text.count(MARKUP) > 20
    assert text.count(SCRIPT) > 10


def test_a_template_that_does_not_escape_is_caught(
    browser: Browser, page: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same page by a template without autoescaping: what names bring in is made, and complained of."""
    right, wrong = page("markup"), page("markup").with_name("unescaped.html")
    monkeypatch.setattr(template, "Environment", lambda **how: Environment(**{**how, "autoescape": False}))
    app(["report", str(right.with_suffix("")), "--output", str(wrong)], standalone_mode=False)
    seen = browser(checks.whole, wrong)
    assert seen.found["made"] > 0
    assert any("Content Security Policy" in fault for fault in seen.faults)


def test_nothing_shuts_a_reader_out_in_light_and_dark(browser: Browser, page: Made) -> None:
    seen = browser(checks.accessibility, page("killed_job"))
    assert seen.faults == []
    assert {scheme: serious(found) for scheme, found in seen.found.items()} == {"light": [], "dark": []}


def serious(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in found if item["impact"] in ("serious", "critical")]


def test_the_keyboard_reaches_everything(browser: Browser, page: Made) -> None:
    found = browser(checks.keyboard, page("one_framework")).found
    assert found["unreached"] == []
    assert [stop["html"] for stop in found["stops"] if not (stop["visible"] and stop["on_screen"])] == []
    assert {"a", "summary", "button"} <= {stop["name"] for stop in found["stops"]}


def test_it_prints(browser: Browser, page: Made) -> None:
    seen = browser(checks.printed, page("well"), media="print")
    assert seen.faults == []
    assert (seen.found["wider_by"], seen.found["wide"]) == (0, [])
    assert 2 < seen.found["pages"] < 40


# ---------------------------------------------------------------------------- right numbers of marks


def test_charts_have_a_mark_for_each_number(browser: Browser, page: Made) -> None:
    """Of a run with jobs that were killed: as many marks as the summary has numbers, workload by workload."""
    summary = summary_of(page("killed_job"))
    marks = {chart["id"]: chart["marks"] for chart in browser(checks.charts, page("killed_job")).found}
    for workload in ("mlp", "cnn", "lstm"):
        cells = [cell for cell in summary.cells if cell.workload == workload]
        ratios = [cell for cell in cells if cell.ratio]
        assert marks.get(f"figure-ratio-{workload}-cpu-2", {}).get("symbol", 0) == len(ratios)
        assert marks[f"figure-times-{workload}-cpu-2"]["symbol"] == sum(map(numbers_of_times, cells))
    scored = [cell for cell in summary.cells if cell.accuracy is not None]
    assert marks["figure-accuracy-time-cpu-2"]["symbol"] == len(scored)


def numbers_of_times(cell: Cell) -> int:
    return sum(value is not None for value in (cell.train_seconds, cell.predict_seconds, cell.latency_seconds))


# ---------------------------------------------------------------------------- tables


def test_a_table_sorts_by_the_keyboard(browser: Browser, page: Made) -> None:
    found = browser(checks.sorting, page("killed_job"), {"table": "epochs", "header": "accuracy"}).found
    before, rising, falling = found["steps"]
    assert (before["said"], rising["said"], falling["said"]) == (None, "ascending", "descending")
    columns = [[float(row[found["place"]]) for row in step["rows"]] for step in (before, rising, falling)]
    assert columns[1] == sorted(columns[1]) != columns[0]
    assert columns[2] == sorted(columns[2], reverse=True) != columns[0]


def test_a_browser_writes_numbers_as_python_does(browser: Browser, page: Made) -> None:
    """Rows that the page unpacked, beside the rule of ``views.py``."""
    table = Page(page("killed_job").read_text(encoding="utf-8")).tables["epochs"]
    shown = browser(checks.sorting, page("killed_job"), {"table": "epochs", "header": "accuracy"}).found["steps"][1][
        "rows"
    ]
    numbers = {"train_seconds", "train_loss", "test_loss", "accuracy", "stage_seconds", "evaluate_seconds"}
    places = [place for place, key in enumerate(table.keys) if key in numbers]
    expected = {tuple(text_of(row[table.keys[place]], "number") for place in places) for row in table.rows}
    found = {tuple(row[place] for place in places) for row in shown}
    assert len(places) == len(numbers)
    assert 5 < len(found) <= len(expected)
    assert found <= expected


def test_a_filter_leaves_out_rows_and_marks(browser: Browser, page: Made) -> None:
    asked = {"table": "cells", "facet": "framework", "value": "torch"}
    found = browser(checks.filtering, page("well"), asked).found
    frameworks = [re.sub(r" .*", "", row[1]) for row in found["rows"]]
    assert set(frameworks) == {"tf", "theano"}
    assert re.match(r"6 of 6 rows\b", found["status"])
    ratios = [chart["marks"]["symbol"] for chart in found["charts"] if "-ratio-" in chart["id"]]
    assert ratios == [2, 2, 2]


def test_a_filter_leaves_out_what_is_of_a_workload(browser: Browser, page: Made) -> None:
    found = browser(checks.filtering, page("well"), {"table": "cells", "facet": "workload", "value": "cnn"}).found
    assert {row[0] for row in found["rows"]} == {"lstm", "mlp"}
    assert [chart["id"] for chart in found["charts"] if "cnn" in chart["id"]] == []


# ---------------------------------------------------------------------------- ten thousand results


def test_ten_thousand_results_are_drawn_as_fast_as_thirty(
    browser: Browser, page: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a small page, in turns, since a shared machine has no seconds of its own; the seconds are printed."""
    small, large = page("well"), page("large")
    turns = [[browser(checks.drawn, path).found["seconds"] for path in (small, large)] for _ in range(3)]
    seconds, of_large = map(min, zip(*turns, strict=True))
    with capsys.disabled():
        size = large.stat().st_size / 1e6
        print(f"\ndrawn: 27 results in {seconds:.2f} s, 10,240 in {of_large:.2f} s, a page of {size:.1f} MB", end=" ")
    assert of_large < 3 * seconds
