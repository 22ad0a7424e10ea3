"""Who wins: the ratio to the fastest with its interval, per workload, over all of them, and as one matrix."""

from collections.abc import Iterator, Sequence

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Drawn, Spec
from orchestrator.report.charts.figure import (
    Figure,
    Place,
    by_workload,
    figure,
    final,
    known,
    labels_of,
    only,
    places,
    positive,
    with_words,
)
from orchestrator.report.charts.matrix import matrix
from orchestrator.report.tables import number
from orchestrator.report.tidy import Row, Tables

RATIOS = ("ratio", "ratio_low", "ratio_high")
COLUMNS = {
    "framework": "framework",
    "ratio": "training time over the fastest's",
    "ratio_low": "lower end of its 95% interval",
    "ratio_high": "upper end of its 95% interval",
    "place": "place",
}
OF_A_WORKLOAD = {**COLUMNS, "train_seconds": "training, s"}


def winners(tables: Tables) -> Iterator[Figure]:
    cells = [row for row in final(tables["cells"]) if positive(row, "ratio")]
    for place, rows in places(tables["overall"], whole=True).items():
        yield _overall(place, rows)
    for place, rows in places(cells, whole=True).items():
        if len(labels_of(rows)) > 1 and len({row["workload"] for row in rows}) > 1:
            yield _matrix(place, rows)
    for place, rows in places(cells).items():
        title = f"How many times as long as the fastest each framework trains on {place.on}"
        shown = _with_places(rows)
        chart = ratios(shown)
        yield figure("ratio", title, "winners", place, chart, OF_A_WORKLOAD, only(shown, [*OF_A_WORKLOAD, "words"]))


def _overall(place: Place, rows: Sequence[Row]) -> Figure:
    count = rows[0]["workloads"]
    title = (
        "How many times as long as the fastest each framework trains: the geometric mean over "
        f"{count} workloads ({place.words})"
    )
    shown = _with_places(rows)
    chart = ratios(shown)
    return figure("overall", title, "winners", place, chart, COLUMNS, only(shown, [*COLUMNS, "words"]))


def _with_places(rows: Sequence[Row]) -> list[Row]:
    ranked = sorted(rows, key=lambda row: float(row["ratio"]))
    return [row | {"place": _place(row), "words": _words(row)} for row in ranked]


def _place(row: Row) -> str | None:
    if row["tie"] is None:
        return None
    if row["fastest"]:
        return "fastest, tie" if row["tie"] else "fastest"
    return "tie" if row["tie"] else "slower"


def _words(row: Row) -> str:
    if row["fastest"]:
        return "fastest, tie" if row["tie"] else "fastest"
    return with_words(row, "ratio") + (" tie" if row["tie"] else "")


def ratios(rows: Sequence[Row], width: int = 330) -> Spec:
    """Return ratios with their intervals, a row for each framework; their words stand at the right."""
    labels = labels_of(rows)
    drawn = Drawn(labels)
    base = draw.of_rows().encode(y=draw.by_framework(labels))
    x = alt.X(**draw.logarithmic("ratio", "ratio to the fastest (log scale)", rows))
    one = draw.once(draw.of_rows().mark_rule(stroke=draw.QUIET, strokeDash=[2, 2]).encode(x=alt.datum(1)))
    rule = base.transform_filter(draw.has("ratio_low")).mark_rule(strokeWidth=2)
    lines = rule.encode(x=alt.X("ratio_low:Q"), x2="ratio_high:Q", color=drawn.colour())
    intervals = [lines] if any(known(row, "ratio_low") for row in rows) else []  # of no row Vega warns
    points = base.mark_point(size=70, strokeWidth=2, opacity=1)
    words = base.mark_text(align="left").encode(x=alt.value({"expr": "width + 8"}), text="words:N")
    return draw.layers(
        one,
        *intervals,
        points.encode(x=x, tooltip=draw.hints(COLUMNS, RATIOS), **drawn.points()),
        words,
        width=width,
        height={"step": draw.STEP},
    )


def _matrix(place: Place, rows: Sequence[Row]) -> Figure:
    columns = {"framework": "framework", "workload": "workload", "ratio": "training time over the fastest's"}
    shown = [row | {"words": number(row["ratio"], 2)} for row in rows if known(row, "ratio")]
    total: dict[str, list[float]] = {}
    for row in shown:
        total.setdefault(row["framework"], []).append(row["ratio"])
    order = sorted(total, key=lambda label: sum(total[label]) / len(total[label]))
    shown.sort(key=lambda row: order.index(row["framework"]))
    chart = matrix(shown, "workload", "ratio", columns, list(by_workload(shown)), log=True)
    title = f"Training time over the fastest's, for each framework and workload ({place.words})"
    return figure("ratios", title, "winners", place, chart, columns, only(shown, [*columns, "words"]))
