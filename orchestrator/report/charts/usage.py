"""What jobs used, phase by phase, and where their time went."""

from collections.abc import Iterator, Sequence

import altair as alt

from orchestrator.report.charts import draw
from orchestrator.report.charts.draw import Spec
from orchestrator.report.charts.figure import Figure, figure, known, labels_of, middles, only, places
from orchestrator.report.charts.matrix import matrix
from orchestrator.report.tables import number
from orchestrator.report.tidy import Row, Tables

MIB = 1024**2
# Column -> its header, and what it is divided by.
MEASURES = {
    "cpu_percent": ("CPU, % of what the job was given", 1),
    "peak_rss_mebibytes": ("peak resident memory, MiB", MIB),
    "energy_joules": ("energy of the processors, J", 1),
    "gpu_percent": ("GPU, %", 1),
    "gpu_memory_mebibytes": ("peak memory of the GPU, MiB", MIB),
    "gpu_watts": ("power of the GPU, W", 1),
}
# What the harness times, in the order of a job, in colours of the palette: any two of them can be told apart.
PHASES = {
    "import": "#786996",
    "open_device": "#7887b4",
    "data": "#b48787",
    "build": "#c300d2",
    "warm_up": "#e15ae1",
    "stage": "#1e96ff",
    "first_step": "#f06900",  # of training
    "train": "#f06900",
    "validate": "#0fa52d",
    "evaluate": "#2d785a",
    "predict": "#a55a00",
    "latency": "#d22d69",
    "other": "#808080",
}


def resources(tables: Tables) -> Iterator[Figure]:
    """Yield a figure for each measure that was read: frameworks down, phases across."""
    for place, rows in places(tables["resources"]).items():
        for name, (header, unit) in MEASURES.items():
            source = name.replace("mebibytes", "bytes")
            shown = [
                row | {name: row[source] / unit, "words": number(row[source] / unit, 2)}
                for row in _by_phase(rows)
                if known(row, source)
            ]
            if shown:
                columns = {"framework": "framework", "phase": "phase", name: header}
                title = f"What jobs use on {place.on}: {header}, in each phase"
                chart = matrix(shown, "phase", name, columns, _order(shown), step=44)
                embedded = only(shown, [*columns, "words"])
                yield figure(name, title, "resources", place, chart, columns, embedded, across="phase")


def _by_phase(rows: Sequence[Row]) -> list[Row]:
    """Return rows by framework, the largest use in training first."""
    trained = {row["framework"]: row["cpu_percent"] or 0.0 for row in rows if row["phase"] == "train"}
    return sorted(rows, key=lambda row: (-trained.get(row["framework"], 0.0), row["framework"]))


def phases(tables: Tables) -> Iterator[Figure]:
    columns = {"framework": "framework", "phase": "phase", "seconds": "time, s"}
    ended = {row["job_id"] for row in tables["jobs"] if row["status"] == "ok"}
    for place, rows in places(row for row in tables["phases"] if row["job_id"] in ended).items():
        shown = _stacked(middles(rows, ("framework", "phase"), ("seconds",)))
        title = f"Where the time of a job goes on {place.on}, medians over its rounds"
        embedded = only(shown, [*columns, "order"])
        chart = _bars(embedded, columns)
        yield figure("phases", title, "phases", place, chart, columns, embedded, across="phase")


def _order(rows: Sequence[Row]) -> list[str]:
    """Return the phases of rows in the order of a job; those that are not known here last."""
    there = sorted({row["phase"] for row in rows})
    known_here = list(PHASES)
    return sorted(there, key=lambda name: known_here.index(name) if name in PHASES else len(PHASES))


def _stacked(rows: Sequence[Row]) -> list[Row]:
    """Return rows with their places in a bar, the frameworks with the shortest jobs first."""
    total: dict[str, float] = {}
    for row in rows:
        total[row["framework"]] = total.get(row["framework"], 0.0) + row["seconds"]
    ordered = _order(rows)
    placed = [row | {"order": ordered.index(row["phase"])} for row in rows]
    return sorted(placed, key=lambda row: (total[row["framework"]], row["framework"], row["order"]))


def _bars(rows: Sequence[Row], columns: dict[str, str]) -> Spec:
    there = _order(rows)
    scale = alt.Scale(domain=there, range=[PHASES.get(name, draw.QUIET) for name in there])
    legend = {"orient": "bottom", "columns": 4, "title": None}
    chart = draw.of_rows().mark_bar().encode(
        x=alt.X("seconds:Q", title="time of a job, s", stack="zero"),
        y=draw.by_framework(labels_of(rows)),
        color=alt.Color("phase:N", scale=scale, legend=legend),
        order=alt.Order("order:Q"),
        tooltip=draw.hints(columns, ["seconds"]),
    )  # fmt: skip
    return draw.single(chart, width=480, height={"step": draw.STEP})
