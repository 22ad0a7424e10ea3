"""How the parts of a chart are drawn, in Vega-Lite: frameworks by their colours and marks, axes, hints, panels.

A chart has no background, no title and no colour of text: whoever shows it gives it those by its configuration, light
or dark, for a screen or for paper. It reads the rows of its figure, which stand in the table behind it, and no others.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import altair as alt

from orchestrator.report.palette import Mark, mark_of
from orchestrator.report.tidy import Row

Spec = dict[str, Any]  # a chart, or a part of one, in Vega-Lite

ROWS = "rows"  # the name of a figure's rows in its chart
STEP = 18  # pixels that a framework's row takes
POINTED_AT = "pointed_at"
QUIET = "#808080"  # of lines that only guide the eye; seen on either background


def whole(chart: Spec, title: str, rows: Sequence[Row]) -> Spec:
    """Return a chart that stands by itself; its title is what is read out to those who cannot see it."""
    about = {"$schema": alt.SCHEMA_URL, "description": title, "data": {"name": ROWS}}
    return {**about, "datasets": {ROWS: list(rows)}, **chart}


def of_rows() -> alt.Chart:
    """Return an empty chart of its figure's rows."""
    return alt.Chart(alt.NamedData(name=ROWS))


def has(*fields: str) -> str:
    """Return the expression by which a chart leaves out rows without these numbers."""
    return " && ".join(f"isValid(datum['{field}'])" for field in fields)


class Drawn:
    """How the frameworks of one chart are drawn: the encodings of their colours, marks and dashes.

    ``legend``: None where each has its name beside it. Where there is one, what is under the pointer stands out.
    """

    def __init__(self, labels: Sequence[str], legend: dict[str, Any] | None = None) -> None:
        self.labels = list(labels)
        self.legend = legend

    def _scale(self, of: Callable[[Mark], Any]) -> dict[str, Any]:
        return {"domain": self.labels, "range": [of(mark_of(label)) for label in self.labels]}

    def colour(self) -> alt.Color:
        return alt.Color("framework:N", scale=self._scale(lambda mark: mark.colour), legend=None)

    def points(self) -> dict[str, Any]:
        """Return the channels of a point."""
        legend, title = self.legend, "framework"
        return {
            "stroke": alt.Stroke("framework:N", scale=self._scale(_colour), legend=legend, title=title),
            "fill": alt.Fill("framework:N", scale=self._scale(_fill), legend=legend, title=title),
            "shape": alt.Shape("framework:N", scale=self._scale(lambda mark: mark.shape), legend=legend, title=title),
            **self._standing_out(),
        }

    def lines(self) -> dict[str, Any]:
        """Return the channels of a line."""
        legend, title = self.legend, "framework"
        dashes = self._scale(lambda mark: list(mark.dash))
        return {
            "stroke": alt.Stroke("framework:N", scale=self._scale(_colour), legend=legend, title=title),
            "strokeDash": alt.StrokeDash("framework:N", scale=dashes, legend=legend, title=title),
            **self._standing_out(),
        }

    def _standing_out(self) -> dict[str, Any]:
        if self.legend is None:
            return {}
        return {"opacity": alt.OpacityValue(0.12, condition={"param": POINTED_AT, "value": 1})}


def single(chart: alt.Chart, **properties: Any) -> Spec:
    """Return a chart of one kind of mark."""
    spec: Spec = chart.to_dict(validate=False)
    return {name: value for name, value in spec.items() if name not in ("$schema", "config", "data")} | properties


def heading(text: str) -> Spec:
    """Return the title of a panel."""
    return {"text": text, "fontWeight": "normal", "fontSize": 11}


def once(chart: alt.Chart) -> Spec:
    """Return a mark that is drawn once, whatever rows there are."""
    return single(chart, data={"values": [{}]})


def layers(*charts: alt.Chart | Spec, **properties: Any) -> Spec:
    """Return charts on top of each other. Altair's own would copy them a dozen times, at a tenth of a second each."""
    parts = [chart if isinstance(chart, dict) else single(chart) for chart in charts]
    return {"layer": parts, **properties}


def grid(panels: Sequence[Spec], columns: int, rows_alike: bool = False, spacing: int = 16) -> Spec:
    """Return panels side by side, with one legend for all. ``rows_alike``: all with the same frameworks at the left."""
    shared = ("stroke", "fill", "shape", "strokeDash", *(["y"] if rows_alike else []))
    scales = dict.fromkeys(shared, "shared")
    whole: Spec = {"concat": list(panels), "columns": columns, "spacing": spacing, "resolve": {"scale": scales}}
    return whole | _pointing(panels)


def _pointing(panels: Iterable[Spec]) -> Spec:
    """Return what makes the framework under the pointer stand out in all panels, and name the points that it is of."""
    parts = [part for panel in panels for part in panel.get("layer", [panel])]
    points = [part for part in parts if part["mark"]["type"] == "point" and "opacity" in part["encoding"]]
    for place, part in enumerate(points):
        part["name"] = f"points-{place}"
    select = {"type": "point", "fields": ["framework"], "on": "pointerover", "clear": "pointerout"}
    param = {"name": POINTED_AT, "select": select, "views": [part["name"] for part in points]}
    return {"params": [param]} if points else {}


def _colour(mark: Mark) -> str:
    return mark.colour


def _fill(mark: Mark) -> str:
    return mark.colour if mark.filled else "transparent"


def legend(columns: int = 6) -> dict[str, Any]:
    return {"orient": "bottom", "columns": columns, "symbolSize": 60, "symbolStrokeWidth": 1.5}


def by_framework(order: Sequence[str], remarks: Mapping[str, str] | None = None, **axis: Any) -> alt.Y:
    """Return the axis of frameworks, in the given order, with a remark behind the names of some."""
    if remarks:
        names = {label: f"{label} ({remark})" for label, remark in remarks.items()}
        axis["labelExpr"] = f"{json.dumps(names)}[datum.label] || datum.label"
    return alt.Y("framework:N", sort=list(order), title=None, axis={"labelLimit": 200, "ticks": False, **axis})


def logarithmic(field: str, title: str, rows: Iterable[Row]) -> dict[str, Any]:
    """Return the arguments of a logarithmic axis for a field of these rows, and the ends of its intervals."""
    fields = (field, f"{field}_low", f"{field}_high")
    values = [value for row in rows for name in fields if (value := row.get(name)) is not None and value > 0]
    there = _round_values(min(values), max(values))
    lines = {"values": there} if there else {"tickCount": 4}
    return {
        "shorthand": f"{field}:Q",
        "title": title,
        "scale": {"type": "log", "nice": False, "padding": 12},
        "axis": {"format": "~g", "labelOverlap": "greedy", **lines},
    }


def _round_values(low: float, high: float) -> list[float]:
    """Return where a logarithmic axis has its lines, few and round; none: wherever Vega puts them."""
    spread = high / low
    if spread < 1.5:
        return []
    steps: tuple[float, ...] = (1, 2, 5) if spread < 200 else (1,)
    if spread < 3:
        steps = (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    return [float(f"{step}e{exponent}") for exponent in exponents for step in steps]


def hints(columns: Mapping[str, str], numbers: Iterable[str] = ()) -> list[alt.Tooltip]:
    """Return what hovering shows: the columns by their headers, ``numbers`` with four significant digits."""
    digits = set(numbers)
    return [
        alt.Tooltip(f"{key}:Q", title=header, format=".4~g") if key in digits
        else alt.Tooltip(f"{key}:N", title=header)
        for key, header in columns.items()
    ]  # fmt: skip
