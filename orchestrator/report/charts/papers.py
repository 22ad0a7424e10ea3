"""What a study said beside what is measured here, as published and matched."""

from collections.abc import Iterator, Sequence

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Spec
from orchestrator.report.charts.figure import Figure, by_workload, figure, known, labels_of, only, places
from orchestrator.report.charts.observed import SAID, SOURCES, observed
from orchestrator.report.tidy import Row, Tables

# Number of a study -> its header, and what an axis has room for.
LOGARITHMIC = {
    "train_seconds": ("training, s", "training, s"),
    "train_ratio": ("training time over the fastest's", "ratio to fastest"),
    "predict_seconds": ("prediction of the test rows, s", "prediction, s"),
    "perplexity": ("test perplexity", "test perplexity"),
}
LINEAR = {
    "accuracy": ("test accuracy", "test accuracy"),
    "cpu_percent": ("CPU, % of what the job was given", "CPU, %"),
    "gpu_percent": ("GPU, %", "GPU, %"),
    "memory_percent": ("memory, % of what the job was given", "memory, %"),
}
QUANTITIES = {**LOGARITHMIC, **LINEAR}
SOURCE = alt.Scale(domain=list(SOURCES), range=["#f06900", "#1e96ff", "#005aff"])
SHAPE = alt.Scale(domain=list(SOURCES), range=["diamond", "circle", "circle"])
FILL = alt.Scale(domain=list(SOURCES), range=["#f06900", "transparent", "#005aff"])


def papers(tables: Tables) -> Iterator[Figure]:
    rows = observed(tables)
    for name, (header, _) in QUANTITIES.items():
        there = [row for row in rows if known(row, name) and (name in LINEAR or row[name] > 0)]
        for place, own in places(there, whole=True).items():
            if {SAID} < {row["source"] for row in own}:
                columns = _columns(name, header)
                title = f"What the study said and what is measured here: {header} ({place.words})"
                chart = _panels(own, name, columns)
                embedded = only(own, columns)
                yield figure(f"said-{name}", title, "papers", place, chart, columns, embedded, across="source")


def _columns(name: str, header: str) -> dict[str, str]:
    whose = {"framework": "framework", "said_framework": "the study's name of it", "workload": "workload"}
    return {**whose, "source": "source", name: header, "differs": "differs from the matched one in"}


def _panels(rows: Sequence[Row], name: str, columns: dict[str, str]) -> Spec:
    return draw.grid([_panel(workload, own, name, columns) for workload, own in by_workload(rows).items()], columns=4)


def _panel(workload: str, rows: Sequence[Row], name: str, columns: dict[str, str]) -> Spec:
    title = QUANTITIES[name][1]
    linear = alt.X(f"{name}:Q", title=title, scale={"zero": False, "padding": 10}, axis={"tickCount": 3})
    x = alt.X(**draw.logarithmic(name, title, rows)) if name in LOGARITHMIC else linear
    base = draw.of_rows().transform_filter(alt.FieldEqualPredicate(field="workload", equal=workload))
    base = base.encode(x=x, y=draw.by_framework(sorted(labels_of(rows))))
    legend = {"orient": "top", "title": None, "symbolSize": 60, "symbolStrokeWidth": 1.5}
    points = base.mark_point(size=50, strokeWidth=1.5, opacity=1).encode(
        stroke=alt.Stroke("source:N", scale=SOURCE, legend=legend, title=None),
        fill=alt.Fill("source:N", scale=FILL, legend=legend, title=None),
        shape=alt.Shape("source:N", scale=SHAPE, legend=legend, title=None),
        tooltip=draw.hints(columns, [name]),
    )
    lines = base.mark_line(stroke=draw.QUIET, strokeWidth=1).encode(detail="framework:N")
    return draw.layers(lines, points, width=95, height={"step": 14}, title=draw.heading(workload))
