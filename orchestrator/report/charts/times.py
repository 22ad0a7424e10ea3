"""The seconds behind the ratios: training, prediction of the test rows, and prediction of a single row."""

from collections.abc import Iterator, Mapping, Sequence

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Drawn, Spec
from orchestrator.report.charts.figure import Figure, figure, final, labels_of, not_compared, only, places, positive
from orchestrator.report.tidy import Row, Tables

COLUMNS = {
    "framework": "framework",
    "train_seconds": "training, s",
    "train_seconds_low": "lower end of its 95% interval, s",
    "train_seconds_high": "upper end of its 95% interval, s",
    "predict_seconds": "prediction of the test rows, s",
    "latency_milliseconds": "prediction of one row, ms",
    "parity": "gate",
    "reason": "not compared, because",
}
NUMBERS = [name for name in COLUMNS if name.endswith("seconds") or name.startswith("train_seconds")]


def times(tables: Tables) -> Iterator[Figure]:
    cells = [row for row in final(tables["cells"]) if positive(row, "train_seconds")]
    for place, rows in places(cells).items():
        shown = only(sorted(map(_in_milliseconds, rows), key=lambda row: float(row["train_seconds"])), COLUMNS)
        remarks = not_compared(rows)
        title = f"How long training and prediction take on {place.on}, {_until(rows[0])}"
        yield figure("times", title, "times", place, _panels(shown, remarks), COLUMNS, shown)


def _until(row: Row) -> str:
    """Return how long was trained."""
    if row["target_metric"] is not None:
        return f"trained to a {row['target_metric'].replace('_', ' ')} of {row['target_value']:g}"
    return f"after {row['epochs']} {'epoch' if row['epochs'] == 1 else 'epochs'}"


def _in_milliseconds(row: Row) -> Row:
    seconds = row["latency_seconds"]
    return row | {"latency_milliseconds": None if seconds is None else seconds * 1000}


def _panels(rows: Sequence[Row], remarks: Mapping[str, str]) -> Spec:
    measured = ("train_seconds", "predict_seconds", "latency_milliseconds")
    there = [name for name in measured if any(positive(row, name) for row in rows)]
    panels = [_panel(rows, name, remarks, first=name == there[0]) for name in there]
    return draw.grid(panels, columns=len(there), rows_alike=True)


def _panel(rows: Sequence[Row], name: str, remarks: Mapping[str, str], first: bool) -> Spec:
    labels = labels_of(rows)
    drawn = Drawn(labels)
    base = draw.of_rows().encode(y=draw.by_framework(labels, remarks, labels=first))
    base = base.transform_filter(f"datum['{name}'] > 0")
    points = base.mark_point(size=70, strokeWidth=2, opacity=1)
    x, hints = alt.X(**draw.logarithmic(name, COLUMNS[name], rows)), draw.hints(COLUMNS, NUMBERS)
    charts = [points.encode(x=x, tooltip=hints, **drawn.points())]
    if f"{name}_low" in COLUMNS:
        spans = base.transform_filter(draw.has(f"{name}_low")).mark_rule(strokeWidth=2)
        charts.insert(0, spans.encode(x=f"{name}_low:Q", x2=f"{name}_high:Q", color=drawn.colour()))
    return draw.layers(*charts, width=165, height={"step": draw.STEP})
