"""The looks at a page see what they are for: each defect is planted once in a small page that is right without it."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser import checks
from tests.browser.container import Browser, Seen

RIGHT = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Right</title>
<style>body {color: #222; background: #fff}
@media (prefers-color-scheme: dark) {body {color: #ddd; background: #111}}
.box {overflow-x: auto} .wide {width: 2000px} :focus-visible {outline: 2px solid}</style></head>
<body><main><h1>Right</h1><p>Some words</p>
<label>Name <input type="text"></label> <button>Press</button>
<details><summary>More</summary><p>Folded</p></details>
<div class="box" tabindex="0" role="region" aria-label="A table"><table class="wide"><tr><th>A</th></tr></table></div>
<figure id="chart"><div data-chart><svg width="90" height="50"><g class="mark-group role-frame root"><g>
<g class="mark-rect role-mark marks"><path d="M0,0h9v9h-9Z"/><path d="M9,9h9v9h-9Z"/></g>
<g class="mark-text role-axis-label"><text>1</text></g></g></g></svg></div></figure>
</main></body></html>
"""


@pytest.fixture
def look(browser: Browser, pages: Path) -> Any:
    """Return a function that looks at the small page, with something in another's place."""

    def at(check: Any, old: str = "", new: str = "", **how: Any) -> Seen:
        assert old in RIGHT
        page = pages / "small.html"
        page.write_text(RIGHT.replace(old, new, 1) if old else RIGHT, encoding="utf-8")
        return browser(check, page, **how)

    return at


def test_the_page_without_a_defect_is_right(look: Any) -> None:
    assert look(checks.nothing).faults == []
    assert look(checks.accessibility).found == {"light": [], "dark": []}
    assert look(checks.whole, width=360).found["overflow"] == {"wider_by": 0, "wide": []}
    assert look(checks.printed, media="print").found["pages"] == 1
    assert look(checks.keyboard).found["unreached"] == []
    assert [stop["name"] for stop in look(checks.keyboard).found["stops"]] == ["input", "button", "summary", "div"]
    assert all(stop["visible"] and stop["on_screen"] for stop in look(checks.keyboard).found["stops"])


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.error('broken')", "error: broken"),
        ("console.warn('doubtful')", "warning: doubtful"),
        ("nowhere()", "exception: nowhere is not defined"),
        ("alert('hello')", "dialog: hello"),
        ("setTimeout(() => { throw new Error('late') })", "exception: late"),
        ("Promise.reject(new Error('unheard'))", "exception: unheard"),
    ],
)
def test_what_a_page_complains_of_is_seen(look: Any, script: str, fault: str) -> None:
    assert look(checks.nothing, "Some words", f"<script>{script}</script>").faults == [fault]


@pytest.mark.parametrize(
    ("markup", "url"),
    [
        ("<img alt='' src='https://example.org/a.png'>", "https://example.org/a.png"),
        ("<link rel='stylesheet' href='http://example.org/a.css'>", "http://example.org/a.css"),
        ("<script>fetch('https://example.org/a.json').catch(() => 0)</script>", "https://example.org/a.json"),
        ("<script>new WebSocket('wss://example.org/a')</script>", "wss://example.org/a"),
        ("<img alt='' src='beside.png'>", "file:///pages/beside.png"),
        ("<details><img alt='' loading='lazy' src='https://example.org/b.png'></details>", "https://example.org/b.png"),
    ],
)
def test_what_a_page_asks_the_network_or_the_disk_for_is_seen(look: Any, markup: str, url: str) -> None:
    assert f"requests {url}" in look(checks.nothing, "Some words", markup).faults


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("<label>Name <input type=\"text\"></label>", "<input type=\"text\">", "label"),
        ("<button>Press</button>", "<button></button>", "button-name"),
        (" lang=\"en\"", "", "html-has-lang"),
        ("Some words", "<span style='color: #bbb; background: #fff'>Some words</span>", "color-contrast"),
        (" tabindex=\"0\" role=\"region\" aria-label=\"A table\"", "", "scrollable-region-focusable"),
    ],
)  # fmt: skip
def test_what_shuts_a_reader_out_is_seen(look: Any, old: str, new: str, rule: str) -> None:
    found = look(checks.accessibility, old, new, width=360).found["light"]
    assert rule in [item["rule"] for item in found if item["impact"] in ("serious", "critical")]


def test_a_contrast_that_is_too_low_in_the_dark_alone_is_seen(look: Any) -> None:
    found = look(checks.accessibility, "color: #ddd; background: #111", "color: #333; background: #111").found
    assert found["light"] == []
    assert [item["rule"] for item in found["dark"]] == ["color-contrast"]


@pytest.mark.parametrize(
    "markup", ["<p class='wide'>Some words</p>", "<table class='wide'><tr><td>1</td></tr></table>"]
)
def test_what_sticks_out_of_a_phone_is_seen(look: Any, markup: str) -> None:
    found = look(checks.whole, "<p>Some words</p>", markup, width=360).found["overflow"]
    assert found["wider_by"] > 1000
    assert "wide" in found["wide"][0]


def test_what_sticks_out_of_what_is_folded_is_seen(look: Any) -> None:
    found = look(checks.whole, "<p>Folded</p>", "<p class='wide'>Folded</p>", width=360).found["overflow"]
    assert found["wider_by"] > 1000


def test_what_the_keyboard_does_not_reach_is_seen(look: Any) -> None:
    found = look(checks.keyboard, "<button>", "<button tabindex='-1'>").found
    assert found["unreached"] == ['<button tabindex="-1">Press</button>']
    found = look(checks.keyboard, "<p>Some words</p>", "<p onclick='sort()'>Some words</p>").found
    assert found["unreached"] == ['<p onclick="sort()">Some words</p>']


def test_a_focus_that_nobody_sees_is_seen(look: Any) -> None:
    stops = look(checks.keyboard, "outline: 2px solid", "outline: none").found["stops"]
    assert not any(stop["visible"] for stop in stops)


def test_marks_are_counted_without_those_of_axes(look: Any) -> None:
    (chart,) = look(checks.charts).found
    assert chart == {"id": "chart", "drawn": True, "width": 90, "height": 50, "marks": {"rect": 2}}
    (chart,) = look(checks.charts, '<path d="M9,9h9v9h-9Z"/>', "").found
    assert chart["marks"] == {"rect": 1}


def test_rows_that_a_sort_or_a_filter_leaves_as_they_were_are_seen(look: Any) -> None:
    """In the small page the header is a button that does nothing, and so is the filter."""
    table = """<details class="facet"><summary>Name</summary><input type="checkbox" name="name" value="b" checked
      aria-label="b"></details><div id="t"><table><thead><tr><th><button>A</button></th></tr></thead><tbody>
      <tr><td>2</td></tr><tr><td>1</td></tr></tbody></table><p class="more">2 of 2</p></div>"""
    found = look(checks.sorting, "<p>Some words</p>", table, options={"table": "t", "header": "A"}).found
    assert found["place"] == 0
    assert [step["rows"] for step in found["steps"]] == [[["2"], ["1"]]] * 3
    asked = {"table": "t", "facet": "name", "value": "b"}
    found = look(checks.filtering, "<p>Some words</p>", table, options=asked).found
    assert (found["rows"], found["status"]) == ([["2"], ["1"]], "2 of 2")


def test_markup_that_a_name_brought_in_is_seen(look: Any) -> None:
    name = "<img src=x onerror=\"document.title='it ran'\">"
    seen = look(checks.whole, "Some words", name)
    assert (seen.title, seen.found["made"]) == ("it ran", 1)
    escaped = look(checks.whole, "Some words", name.replace("<", "&lt;"))
    assert (escaped.title, escaped.found["made"], escaped.faults) == ("Right", 0, [])
    assert name in escaped.found["text"]


def test_a_long_page_has_more_sheets_of_paper(look: Any) -> None:
    seen = look(checks.printed, "<p>Some words</p>", "<p>Some words</p>" * 200, media="print")
    assert seen.found["pages"] > 3
