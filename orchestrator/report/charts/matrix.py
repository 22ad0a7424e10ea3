"""A matrix of numbers, darker where they are larger: frameworks down, something else across."""

from collections.abc import Mapping, Sequence
from math import sqrt

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Spec
from orchestrator.report.charts.figure import labels_of
from orchestrator.report.tidy import Row

PALE, DEEP = "#e3edf8", "#0b3b78"  # cells bring their own background, so they read the same on light and dark


def matrix(
    rows: Sequence[Row],
    across: str,
    value: str,
    columns: Mapping[str, str],
    log: bool = False,
    names: bool = True,
    step: int = 34,
    order: Sequence[str] | None = None,
) -> Spec:
    """Return the matrix of rows with ``framework``, ``across``, ``value`` and ``words``, in the order of the rows.

    ``names``: whether the frameworks stand at the left, or a matrix beside it has them.
    """
    labels = labels_of(rows)
    numbers = [row[value] for row in rows]
    low, high = min(numbers), max(numbers)
    if low == high:
        high = low + abs(low) or 1.0
    scale = {"type": "log" if log else "linear", "domain": [low, high], "range": [PALE, DEEP]}
    middle = sqrt(low * high) if log else (low + high) / 2
    axis = {"labelAngle": -45, "orient": "top", "labelLimit": 140, "ticks": False, "domain": False}
    base = draw.of_rows().encode(
        x=alt.X(f"{across}:N", title=None, sort=order and list(order), axis=axis),
        y=draw.by_framework(labels, domain=False, labels=names),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(f"{value}:Q", scale=scale, legend=None), tooltip=draw.hints(columns, [value])
    )
    words = base.mark_text(fontSize=9).encode(
        text="words:N",
        color=alt.condition(f"datum['{value}'] > {middle}", alt.value("#ffffff"), alt.value("#000000")),
    )
    return draw.layers(cells, words, width={"step": step}, height={"step": draw.STEP})
