"""How time grows with a model's depth and width, and how it shrinks with more threads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Drawn, Spec
from orchestrator.report.charts.figure import Figure, Place, figure, final, labels_of, only, places, positive
from orchestrator.report.charts.observed import SOURCES, observed, with_all_cells
from orchestrator.report.tidy import Row, Tables

MEASURES = {"train_seconds": "training, s", "predict_seconds": "prediction of the test rows, s"}
SIDES = {"depth": "hidden layers", "width": "units in each hidden layer"}
OTHER = {"depth": "width", "width": "depth"}


def scaling(tables: Tables) -> Iterator[Figure]:
    cells = [row for row in with_all_cells(tables, observed(tables)) if row["depth"] is not None]
    for place, rows in places(cells, whole=True).items():
        for own in _experiments(rows):
            for side in SIDES:
                for measure in MEASURES:
                    shown = [row for row in _varied(own, side) if positive(row, measure)]
                    if shown:
                        yield _of_models(place, side, measure, shown)
    yield from _threads(tables)


# ---------------------------------------------------------------------------- depth and width


def _experiments(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of workloads that may differ in their models alone."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault((row["dataset"], row["epochs"], row["batch_size"]), []).append(row)
    return list(found.values())


def _varied(rows: Sequence[Row], side: str) -> list[Row]:
    """Return the rows of models that differ in this side alone; of several such series those with the most sizes."""
    other = OTHER[side]
    series: dict[tuple[str, int], set[int]] = {}
    for row in rows:
        series.setdefault((row["activations"], row[other]), set()).add(row[side])
    most: dict[str, int] = {}
    for (activations, _), sizes in series.items():
        most[activations] = max(len(sizes), most.get(activations, 2))
    kept = {key for key, sizes in series.items() if len(sizes) == most[key[0]]}
    return [row for row in rows if (row["activations"], row[other]) in kept]


def _of_models(place: Place, side: str, measure: str, rows: Sequence[Row]) -> Figure:
    columns = {
        "framework": "framework",
        "source": "source",
        "workload": "workload",
        "activations": "activation",
        side: SIDES[side],
        OTHER[side]: SIDES[OTHER[side]],
        measure: MEASURES[measure],
    }
    what = "training" if measure == "train_seconds" else "prediction"
    more = "layers" if side == "depth" else "units in a layer"
    data = f"{rows[0]['dataset']}, epochs: {rows[0]['epochs']}"
    title = f"How the time of {what} grows with more {more}, as said and as measured here ({data}; {place.words})"
    shown = only(rows, columns)
    chart = _models(shown, side, measure, columns)
    return figure(f"{side}-{measure}", title, "scaling", place, chart, columns, shown, across="source")


def _models(rows: Sequence[Row], side: str, measure: str, columns: Mapping[str, str]) -> Spec:
    """Return a panel for each activation and source, all with the same axes."""
    drawn = Drawn(sorted(labels_of(rows)), draw.legend())
    sources = [source for source in SOURCES if any(row["source"] == source for row in rows)]
    x, y = _sizes(rows, side, columns), draw.logarithmic(measure, columns[measure], rows)
    values = [row[measure] for row in rows]
    y["scale"] |= {"domain": [min(values) / 1.2, max(values) * 1.2], "padding": 0}
    panels = []
    for activations in dict.fromkeys(row["activations"] for row in rows):
        for source in sources:
            base = draw.of_rows().encode(x=x, y=alt.Y(**y | {"title": y["title"] if source == sources[0] else None}))
            for field, value in (("activations", activations), ("source", source)):
                base = base.transform_filter(alt.FieldEqualPredicate(field=field, equal=value))
            hints = draw.hints(columns, [measure])
            panels.append(_lines(base, drawn, hints, width=165, height=130, title=f"{activations}: {source}"))
    return draw.grid(panels, columns=len(sources))


def _sizes(rows: Sequence[Row], side: str, columns: Mapping[str, str]) -> alt.X:
    """Return the axis of depths, or of widths, which are far apart."""
    axis = {"values": sorted({row[side] for row in rows}), "format": "d", "labelOverlap": "greedy"}
    scale: dict[str, Any] = {"nice": False, "padding": 10}
    scale |= {"type": "log", "base": 2} if side == "width" else {"zero": False}
    return alt.X(f"{side}:Q", title=columns[side], scale=scale, axis=axis)


def _lines(base: alt.Chart, drawn: Drawn, hints: Sequence[alt.Tooltip], title: str, **size: int) -> Spec:
    points = base.mark_point(size=40, strokeWidth=1.5)
    return draw.layers(
        base.mark_line(strokeWidth=1.5).encode(**drawn.lines()),
        points.encode(tooltip=list(hints), **drawn.points()),
        title=draw.heading(title),
        **size,
    )


# ---------------------------------------------------------------------------- threads

OF_THREADS = {
    "framework": "framework",
    "threads": "threads",
    "cpus": "CPUs that the job had",
    "train_seconds": "training, s",
    "efficiency": "efficiency: speed-up per thread",
}


def _threads(tables: Tables) -> Iterator[Figure]:
    cells = [row for row in final(tables["cells"]) if row["variant"] == "matched" and positive(row, "train_seconds")]
    whole: dict[Place, list[Row]] = {}
    for place, rows in places(cells).items():
        whole.setdefault(Place(place.run, place.workload, "matched", place.device), []).extend(rows)
    for place, rows in whole.items():
        shown = only(_with_efficiency(rows), OF_THREADS)
        if shown:
            title = f"How the training time of {place.on} falls with more threads, and how well each is used"
            yield figure("threads", title, "scaling", place, _speed_up(shown), OF_THREADS, shown)


def _with_efficiency(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of frameworks that ran with several counts: t1 / (n * tn), from the fewest threads that ran."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["threads"])):
        found.setdefault(row["framework"], []).append(row)
    return [
        row | {"efficiency": own[0]["train_seconds"] * own[0]["threads"] / (row["train_seconds"] * row["threads"])}
        for own in found.values()
        for row in own
        if len(own) > 1
    ]


def _speed_up(rows: Sequence[Row]) -> Spec:
    drawn = Drawn(labels_of(rows), draw.legend())
    axis = {"values": sorted({row["threads"] for row in rows}), "format": "d"}
    x = alt.X("threads:Q", scale={"type": "log", "base": 2, "nice": False, "padding": 12}, axis=axis)
    seconds = alt.Y(**draw.logarithmic("train_seconds", "training, s (log scale)", rows))
    efficiency = alt.Y("efficiency:Q", title=OF_THREADS["efficiency"], scale={"zero": True})
    hints = draw.hints(OF_THREADS, ["train_seconds", "efficiency"])
    panels = [
        _lines(draw.of_rows().encode(x=x, y=y), drawn, hints, width=270, height=200, title=title)
        for y, title in ((seconds, "time"), (efficiency, "efficiency, 1 where n threads are n times as fast"))
    ]
    return draw.grid(panels, columns=2)
