"""What code frameworks take for a workload and how fast it is, and how far they agree on the test rows."""

from collections.abc import Iterator, Sequence

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Drawn, Spec
from orchestrator.report.charts.figure import Figure, Place, figure, labels_of, middles, only, places, positive
from orchestrator.report.charts.matrix import matrix
from orchestrator.report.tidy import Row, Tables

OF_LINES = {
    "framework": "framework",
    "both_lines": "logical lines that build and train the model",
    "build_lines": "of them, to build it",
    "train_lines": "of them, to train it",
    "steady_epoch_seconds": "an epoch after the first, s",
}


def lines(tables: Tables) -> Iterator[Figure]:
    there = [row for row in tables["lines"] if positive(row, "both_lines", "steady_epoch_seconds")]
    for place, rows in places(there).items():
        shown = only(sorted(rows, key=lambda row: row["framework"]), OF_LINES)
        title = f"How much code each framework takes on {place.on}, and how fast it trains"
        yield figure("lines", title, "lines", place, _against_speed(shown), OF_LINES, shown)


def _against_speed(rows: Sequence[Row]) -> Spec:
    drawn = Drawn(labels_of(rows))
    base = draw.of_rows().encode(
        x=alt.X("both_lines:Q", title=OF_LINES["both_lines"], scale={"zero": False, "padding": 16}),
        y=alt.Y(**draw.logarithmic("steady_epoch_seconds", "an epoch after the first, s (log scale)", rows)),
    )
    hints = draw.hints(OF_LINES, ["steady_epoch_seconds"])
    points = base.mark_point(size=70, strokeWidth=2, opacity=1).encode(tooltip=hints, **drawn.points())
    names = base.mark_text(align="left", dx=8).encode(text="framework:N")
    return draw.layers(points, names, width=480, height=280)


ALIKE = {
    "framework": "framework",
    "other_framework": "other framework",
    "share_alike": "outputs in the same class, %",
    "largest_difference": "largest difference of an output",
}


def agreement(tables: Tables) -> Iterator[Figure]:
    for place, rows in places(tables["agreement"]).items():
        pairs = middles(rows, ("framework", "other_framework"), ("share_alike", "largest_difference"))
        for name, title in (
            ("share_alike", "How many of the outputs two frameworks put in the same class"),
            ("largest_difference", "How far an output of two frameworks differs at most"),
        ):
            found = _both_ways(pairs, name)
            if found:
                yield _agreement(place, found, name, f"{title}, on {place.on}")
                break


def _agreement(place: Place, rows: Sequence[Row], name: str, title: str) -> Figure:
    columns = {key: header for key, header in ALIKE.items() if key in ("framework", "other_framework", name)}
    order = labels_of(rows)
    chart = matrix(rows, "other_framework", name, columns, order, step=44)
    return figure("agreement", title, "agreement", place, chart, columns, only(rows, [*columns, "words"]))


def _both_ways(pairs: Sequence[Row], name: str) -> list[Row]:
    """Return each pair from both sides, in percent where it is a share."""
    found = []
    for row in pairs:
        if row[name] is None:
            continue
        value = row[name] * 100 if name == "share_alike" else row[name]
        words = f"{value:.2f}" if name == "share_alike" else f"{value:.1e}"
        for one, other in (("framework", "other_framework"), ("other_framework", "framework")):
            found.append({"framework": row[one], "other_framework": row[other], name: value, "words": words})
    return sorted(found, key=lambda row: (row["framework"], row["other_framework"]))
