"""How training goes: scores and losses against epochs and against seconds, and what accuracy a second buys."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Drawn, Spec
from orchestrator.report.charts.figure import (
    SCORES,
    Figure,
    by_workload,
    figure,
    final,
    known,
    labels_of,
    middles,
    not_compared,
    only,
    places,
    positive,
    score_of,
)
from orchestrator.report.tidy import Row, Tables

LOSSES = {"test_loss": "test loss", "train_loss": "training loss"}
AGAINST = {"epoch": "epoch", "elapsed_seconds": "training, s (log scale)"}
FEW_TICKS = {"tickCount": 4}
CURVE = {"framework": "framework", "epoch": "epoch", "elapsed_seconds": "training up to its end, s"}


def convergence(tables: Tables) -> Iterator[Figure]:
    for place, rows in places(tables["epochs"]).items():
        curves = middles(_of_most(rows), ("framework", "epoch"), ("elapsed_seconds", *SCORES, *LOSSES))
        score = score_of(curves)
        there = [*([score] if score else []), *(name for name in LOSSES if any(known(row, name) for row in curves))]
        if not there or len({row["epoch"] for row in curves}) < 2:
            continue
        columns = CURVE | {name: {**SCORES, **LOSSES}[name] for name in there}
        shown = only(sorted(curves, key=lambda row: (row["framework"], row["epoch"])), columns)
        title = f"How training converges on {place.on}, against epochs and against seconds: medians over the rounds"
        yield figure("convergence", title, "convergence", place, _curves(shown, columns, there), columns, shown)


def _of_most(rows: Sequence[Row]) -> list[Row]:
    """Return the epochs that more than half of a framework's rounds reached: the last ones' median is nobody's."""
    rounds: dict[str, set[str]] = {}
    reached: dict[tuple[str, int], int] = {}
    for row in rows:
        rounds.setdefault(row["framework"], set()).add(row["job_id"])
        key = row["framework"], row["epoch"]
        reached[key] = reached.get(key, 0) + 1
    return [row for row in rows if 2 * reached[row["framework"], row["epoch"]] > len(rounds[row["framework"]])]


def _curves(rows: Sequence[Row], columns: Mapping[str, str], values: Sequence[str]) -> Spec:
    """Return two columns of panels, one row per score and for the loss on the test rows, or else in training."""
    shown = [name for name in values if name in SCORES]
    shown += [name for name in LOSSES if name in values][:1]
    drawn = Drawn(labels_of(rows), draw.legend())
    return draw.grid([_curve(rows, columns, name, against, drawn) for name in shown for against in AGAINST], columns=2)


def _curve(rows: Sequence[Row], columns: Mapping[str, str], value: str, against: str, drawn: Drawn) -> Spec:
    left = against == "epoch"
    epochs = alt.X("epoch:Q", title="epoch", axis=_whole_numbers(rows), scale={"zero": False})
    y = alt.Y(f"{value}:Q", title=columns[value] if left else None, scale={"zero": False}, axis=FEW_TICKS)
    base = draw.of_rows().transform_filter(f"{draw.has(value)} && datum['{against}'] > 0")
    base = base.encode(x=epochs if left else alt.X(**draw.logarithmic(against, AGAINST[against], rows)), y=y)
    numbers = [name for name in columns if name not in ("framework", "epoch")]
    points = base.mark_point(size=30, strokeWidth=1.5)
    return draw.layers(
        base.mark_line(strokeWidth=1.5).encode(**drawn.lines()),
        points.encode(tooltip=draw.hints(columns, numbers), **drawn.points()),
        width=270,
        height=170,
    )


def _whole_numbers(rows: Sequence[Row]) -> dict[str, Any]:
    """Return an axis of at most eleven epochs, the first one with them."""
    last = max(row["epoch"] for row in rows)
    step = ceil(last / 10)
    return {"values": sorted({1, *range(step, last + 1, step)}), "format": "d", "labelOverlap": "greedy"}


def accuracy_time(tables: Tables) -> Iterator[Figure]:
    cells = [row for row in final(tables["cells"]) if positive(row, "train_seconds") and not row["synthetic"]]
    score = {name: score_of(rows) for name, rows in by_workload(cells).items()}
    for name, header in SCORES.items():
        scored = [row for row in cells if score[row["workload"]] == name and known(row, name)]
        numbers = {"workload": "workload", "framework": "framework", "train_seconds": "training, s", name: header}
        for place, rows in places(scored, whole=True).items():
            columns = numbers | ({"reason": "not compared, because"} if not_compared(rows) else {})
            shown = only(rows, columns)
            title = f"What {header} each framework reaches, and how long it trains for it ({place.words})"
            chart = _scatters(shown, name, columns)
            yield figure(f"{name}-time", title, "accuracy_time", place, chart, columns, shown)


def _scatters(rows: Sequence[Row], score: str, columns: Mapping[str, str]) -> Spec:
    drawn = Drawn(sorted(labels_of(rows)), draw.legend())
    panels = [_scatter(name, own, score, columns, drawn) for name, own in by_workload(rows).items()]
    return draw.grid(panels, columns=4)


def _scatter(workload: str, rows: Sequence[Row], score: str, columns: Mapping[str, str], drawn: Drawn) -> Spec:
    y = alt.Y(f"{score}:Q", title=columns[score], axis=FEW_TICKS, scale={"domain": _wide(rows, score)})
    chart = (
        draw.of_rows()
        .transform_filter(alt.FieldEqualPredicate(field="workload", equal=workload))
        .mark_point(size=60, strokeWidth=1.5)
        .encode(
            x=alt.X(**draw.logarithmic("train_seconds", "training, s", rows)),
            y=y,
            tooltip=draw.hints(columns, ["train_seconds", score]),
            **drawn.points(),
        )
    )
    return draw.single(chart, width=115, height=110, title=draw.heading(workload))


def _wide(rows: Sequence[Row], score: str) -> list[float]:
    """Return the ends of an axis that shows no difference larger than it is: it spans 2% of the score at least."""
    low, high = min(row[score] for row in rows), max(row[score] for row in rows)
    middle, half = (low + high) / 2, max(0.55 * (high - low), 0.01 * abs(high), 1e-9)
    return [middle - half, middle + half]
