"""The index of a folder of reports in a browser: quiet, on a phone too, and open to every reader."""

from pathlib import Path

import pytest

from orchestrator.cli import app
from tests.browser import checks
from tests.browser.container import Browser
from tests.runs import MARKUP, RUNS


@pytest.fixture(scope="module")
def index(pages: Path) -> Path:
    folder = pages / "reports"
    folder.mkdir()
    for name in ("one_repeat", "markup"):
        run = RUNS[name](pages / f"{name}-run")
        app(["report", str(run), "--output", str(folder / f"{name}.html")], standalone_mode=False)
    app(["index", str(folder)], standalone_mode=False)
    return folder / "index.html"


def test_a_phone_shows_the_whole_index_and_markup_in_it_is_text(browser: Browser, index: Path) -> None:
    seen = browser(checks.whole, index, width=360, height=740)
    assert seen.faults == []
    assert seen.found["overflow"] == {"wider_by": 0, "wide": []}
    assert (seen.found["made"], seen.title) == (0, "Reports")
    assert MARKUP in " ".join(seen.found["text"].split())


def test_nothing_in_the_index_shuts_a_reader_out(browser: Browser, index: Path) -> None:
    seen = browser(checks.accessibility, index)
    assert seen.faults == []
    assert seen.found == {"light": [], "dark": []}


def test_the_keyboard_reaches_each_report(browser: Browser, index: Path) -> None:
    found = browser(checks.keyboard, index).found
    assert [stop["name"] for stop in found["stops"]] == ["a", "a"]
    assert found["unreached"] == []
