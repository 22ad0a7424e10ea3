"""What a page is looked at for, by functions that run in the browser's container on an open page.

Each returns what JSON can hold; what is right is decided by the test that asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the tests import this module too, and have no Playwright
    from playwright.sync_api import Page

CHART = "[data-chart]"

DRAWN = """chart => {
  const svg = chart.querySelector("svg");
  const box = (svg || chart).getBoundingClientRect();
  const marks = {};
  for (const group of chart.querySelectorAll("svg g[class*='mark-']")) {
    if (!group.matches(".role-mark, .role-mark *")) continue;
    const kind = [...group.classList].find(name => name.startsWith("mark-")).slice(5);
    const count = group.querySelectorAll(":scope > :is(path, line, text)").length;
    if (kind !== "group") marks[kind] = (marks[kind] || 0) + count;
  }
  return {id: chart.closest("[id]").id, width: box.width, height: box.height, drawn: Boolean(svg), marks};
}"""

UNFOLD = """most => {
  const counts = {};
  for (const details of document.querySelectorAll("details")) {
    const kind = details.className;
    counts[kind] = (counts[kind] || 0) + 1;
    details.open = counts[kind] <= most;
  }
}"""

OVERFLOWING = """() => {
  const page = document.scrollingElement, wide = [];
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (box.width && box.right + scrollX > page.clientWidth + 1) {
      let inside = element.parentElement;
      while (inside && !["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(inside).overflowX))
        inside = inside.parentElement;
      if (!inside || inside === page || inside === document.body) wide.push(element.outerHTML.slice(0, 200));
    }
  }
  return {wider_by: page.scrollWidth - page.clientWidth, wide: wide.slice(0, 5)};
}"""

FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  if (element === document.body) return null;
  element.setAttribute("data-reached", "");
  const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return {
    html: element.outerHTML.slice(0, 120), name: element.tagName.toLowerCase(),
    visible: outline || style.boxShadow !== "none",
    on_screen: (box => box.bottom > 0 && box.top < innerHeight)(element.getBoundingClientRect()),
  };
}"""

UNREACHED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [onclick]")]
  .filter(element => element.checkVisibility({visibilityProperty: true}) && !element.disabled)
  .filter(element => !element.hasAttribute("data-reached"))
  .map(element => element.outerHTML.slice(0, 120))"""


def nothing(page: Page) -> None:
    """Open the page, bring each part of it into view, and unfold what is folded."""
    seen_whole(page)


def seen_whole(page: Page, of_a_kind: int = 2) -> None:
    """Unfold so many of each kind of details, and go through the page from top to bottom."""
    page.evaluate(UNFOLD, of_a_kind)
    steps = page.evaluate("() => Math.ceil(document.scrollingElement.scrollHeight / innerHeight)")
    for step in range(min(steps, 400)):
        page.evaluate("step => scrollTo({top: step * innerHeight, behavior: 'instant'})", step)
        page.wait_for_timeout(20)
    page.wait_for_timeout(200)


def charts(page: Page) -> list[dict[str, Any]]:
    """Return each chart that is not filtered out, drawn once it is in view: its size, and its marks by their kind."""
    found = []
    for chart in page.locator(CHART).all():
        if chart.evaluate("chart => chart.checkVisibility()"):
            chart.scroll_into_view_if_needed()
            page.wait_for_function("chart => chart.querySelector('svg')", arg=chart.element_handle())
            found.append(chart.evaluate(DRAWN))
    return found


def accessibility(page: Page) -> dict[str, list[dict[str, Any]]]:
    """Return what axe-core finds in each colour scheme: violations with their impact and the elements they are on."""
    import axe_playwright_python

    seen_whole(page)
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        results = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        found[scheme] = [
            {"rule": item["id"], "impact": item["impact"], "on": [node["html"][:160] for node in item["nodes"][:5]]}
            for item in results["violations"]
        ]
    return found


def keyboard(page: Page, most: int = 400) -> dict[str, Any]:
    """Go through the page with Tab alone; return each stop, and what a mouse could use that Tab never reached."""
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None:  # past the last one
            break
        stops.append(stop)
    return {"stops": stops, "unreached": page.evaluate(UNREACHED) if len(stops) < most else []}


def whole(page: Page, of_a_kind: int = 2) -> dict[str, Any]:
    """Return what is on the page: its charts, what sticks out of it, and what markup made. Of details that are alike,
    so many are unfolded."""
    seen_whole(page, of_a_kind)
    made = "() => document.querySelectorAll('img, iframe, object, embed, [onerror], [onload]').length"
    return {
        "charts": charts(page),
        "overflow": page.evaluate(OVERFLOWING),
        "text": page.evaluate("() => document.body.innerText"),
        "made": page.evaluate(made),
    }


def rows(page: Page, table: str) -> list[list[str]]:
    """Return the cells of a table's rows, as a reader sees them."""
    found: list[list[str]] = page.locator(f"#{table} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return found


def sorting(page: Page, table: str, header: str) -> dict[str, Any]:
    """Sort a table by a column twice, by the keyboard; return its rows before, after the first and after the second."""
    steps = [{"rows": rows(page, table), "said": None}]
    button = page.locator(f"#{table} thead button", has_text=header).first
    for key in ("Enter", "Space"):
        button.focus()
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        said = button.locator("xpath=ancestor::th").get_attribute("aria-sort")
        steps.append({"rows": rows(page, table), "said": said})
    return {"place": button.evaluate("button => button.closest('th').cellIndex"), "steps": steps}


def filtering(page: Page, table: str, facet: str, value: str) -> dict[str, Any]:
    """Leave a value of a facet out, by the keyboard; return a table's rows and the charts that are left."""
    box = page.locator(f"input[name='{facet}'][value='{value}']")
    page.locator("details.facet", has=box).locator("summary").focus()
    page.keyboard.press("Enter")
    box.focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    return {"rows": rows(page, table), "status": page.locator(f"#{table} .more").inner_text(), "charts": charts(page)}


def printed(page: Page) -> dict[str, Any]:
    """Return what the page is on A4 paper."""
    page.set_viewport_size({"width": 794, "height": 1123})
    seen = page.evaluate(OVERFLOWING)
    pdf = page.pdf(format="A4", print_background=True)
    return {**seen, "pages": pdf.count(b"/Type /Page\n") or pdf.count(b"/Type /Page "), "bytes": len(pdf)}


def drawn(page: Page) -> dict[str, float]:
    """Return the seconds from the beginning of the load until all that is in the window is drawn."""
    page.wait_for_function(
        """selector => [...document.querySelectorAll(selector)]
          .filter(chart => (box => box.bottom > 0 && box.top < innerHeight)(chart.getBoundingClientRect()))
          .every(chart => chart.querySelector("svg"))""",
        arg=CHART,
        polling=10,
    )
    script = (
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
    )
    return {"seconds": page.evaluate(script) / 1000}
