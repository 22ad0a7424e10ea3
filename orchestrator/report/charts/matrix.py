"""A matrix of numbers, darker where they are larger: frameworks down, something else across."""

from collections.abc import Mapping, Sequence
from math import sqrt

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Spec
from orchestrator.report.charts.figure import labels_of
from orchestrator.report.tidy import Row

PALE, DEEP = "#e3edf8", "#0b3b78"  # cells bring their own background, so they read the same on light and dark
WIDEST = 560  # pixels, so that a page of a paper has room for it
NARROWEST = 34  # pixels of a cell that has room for its words


def matrix(
    rows: Sequence[Row],
    across: str,
    value: str,
    columns: Mapping[str, str],
    order: Sequence[str],
    log: bool = False,
    step: int = 34,
) -> Spec:
    """Return the matrix of rows with ``framework``, ``across``, ``value`` and ``words``, in the order of the rows.

    ``order``: of what stands across. Where there is too much of that, the words are left out.
    """
    there = [name for name in order if any(row[across] == name for row in rows)]
    step = min(step, WIDEST // len(there))
    axis = {"labelAngle": -45, "orient": "top", "labelLimit": 140, "ticks": False, "domain": False}
    base = draw.of_rows().encode(
        x=alt.X(f"{across}:N", title=None, sort=there, axis=axis),
        y=draw.by_framework(labels_of(rows), domain=False),
    )
    low, high = _ends([row[value] for row in rows])
    scale = {"type": "log" if log else "linear", "domain": [low, high], "range": [PALE, DEEP]}
    colour = alt.Color(f"{value}:Q", scale=scale, legend=None)
    cells = base.mark_rect().encode(color=colour, tooltip=draw.hints(columns, [value]))
    middle = sqrt(low * high) if log else (low + high) / 2
    ink = alt.condition(f"datum['{value}'] > {middle}", alt.value("#ffffff"), alt.value("#000000"))
    words = [base.mark_text().encode(text="words:N", color=ink)] if step >= NARROWEST else []
    return draw.layers(cells, *words, width={"step": step}, height={"step": draw.STEP})


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low, low + (abs(low) or 1.0))
