"""Every figure is valid Vega-Lite, renders, and has as many marks as its data say; none is drawn of nothing."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any
from xml.etree import ElementTree

import altair
import pytest
import vl_convert
from jsonschema import ValidationError

from orchestrator.report.charts import SECTIONS, Figure, figures
from orchestrator.report.charts.caveats import settings_of, with_caveats
from orchestrator.report.charts.code import agreement
from orchestrator.report.charts.draw import logarithmic
from orchestrator.report.charts.figure import Place, natural
from orchestrator.report.charts.scaling import scaling
from orchestrator.report.charts.training import convergence
from orchestrator.report.charts.usage import phases, resources
from orchestrator.report.charts.winners import winners
from orchestrator.report.palette import mark_of
from orchestrator.report.tidy import Row, Tables, read_run, tables
from tests.runs import RUNS, SCRIPT

SVG = "{http://www.w3.org/2000/svg}"
Get = Callable[[str], Tables]
Figures = Callable[[str], list[Figure]]


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Get:
    """Return the tables of a made run, read once for all tests."""
    folder = tmp_path_factory.mktemp("runs")
    return cache(lambda name: tables([read_run(RUNS[name](folder / name))]))


@pytest.fixture(scope="module")
def figures_of(of: Get) -> Figures:
    return cache(lambda name: figures(of(name)))


def drawing(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(vl_convert.vegalite_to_svg(figure.spec))


def marks(svg: ElementTree.Element, kind: str) -> int:
    """Return how many marks of a kind a drawing has, its axes and legends left out."""
    groups = [group for group in svg.iter(f"{SVG}g") if f"mark-{kind} role-mark" in group.get("class", "")]
    return sum(len(list(group)) for group in groups)


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


def named(found: Iterable[Figure], start: str) -> Figure:
    return next(figure for figure in found if figure.name.startswith(start))


def rows_of(rows: Iterable[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


# ---------------------------------------------------------------------------- all figures


def test_each_section_has_figures_where_its_data_are(figures_of: Figures) -> None:
    assert {figure.section for figure in figures_of("well")} == set(SECTIONS) - {"papers", "scaling"}
    assert {figure.section for figure in figures_of("study")} == set(SECTIONS) - {"lines"}


def test_nothing_is_drawn_where_nothing_is_known(figures_of: Figures) -> None:
    assert figures_of("nothing_done") == []
    assert {figure.section for figure in figures_of("one_framework")}.isdisjoint({"winners", "agreement"})
    assert "accuracy_time" not in {figure.section for figure in figures_of("synthetic")}


def test_figures_are_valid(figures_of: Figures) -> None:
    forms = {(figure.section, *figure.columns): figure for run in ("study", "well") for figure in figures_of(run)}
    assert {section for section, *_ in forms} == set(SECTIONS)
    for figure in forms.values():  # one of each form, as this takes long
        altair.Chart.from_dict(figure.spec, validate=True)


@pytest.mark.parametrize("run", ["well", "study", "scores", "gpu", "markup"])
def test_a_figure_has_a_name_of_its_own_and_the_rows_that_its_table_shows(run: str, figures_of: Figures) -> None:
    found = figures_of(run)
    assert len({figure.name for figure in found}) == len(found)
    for figure in found:
        json.dumps(figure.spec, allow_nan=False)
        assert figure.spec["datasets"]["rows"] == figure.rows
        assert set(figure.columns) <= set(figure.rows[0]), figure.name
        assert len(figure.name.encode()) < 200
        assert figure.name.replace("-", "").isalnum()


def test_a_chart_that_is_no_vega_lite_is_seen(figures_of: Figures) -> None:
    spec = figures_of("one_framework")[0].spec
    with pytest.raises(ValidationError, match="no such mark"):
        altair.Chart.from_dict({**spec, "concat": [{"mark": "no such mark"}]}, validate=True)


def test_charts_leave_background_and_colour_of_text_to_whoever_shows_them(figures_of: Figures) -> None:
    for figure in figures_of("study"):
        assert "config" not in figure.spec
        assert "background" not in figure.spec
        assert "title" not in figure.spec


def test_figures_of_several_runs_name_their_run(of: Get, tmp_path: Path) -> None:
    first = of("one_framework")
    other = tables([read_run(RUNS["one_framework"](tmp_path / "second"))])
    found = figures({name: first[name] + other[name] for name in first})
    assert len({figure.name for figure in found}) == len(found) == 2 * len(figures(first))
    assert all(figure.title.startswith(f"{figure.place.run}: ") for figure in found)


def test_markup_in_names_is_text(figures_of: Figures) -> None:
    for figure in figures_of("markup"):
        svg = drawing(figure)
        assert {element.tag for element in svg.iter()} <= {f"{SVG}{tag}" for tag in TAGS}
    ratio = drawing(named(figures_of("markup"), "ratio"))
    assert f"theano{SCRIPT[:9]}" in {text[:15] for text in texts(ratio)}  # an axis has no room for all of it


TAGS = ("svg", "g", "path", "line", "text", "rect", "defs", "clipPath", "style", "title")


def scales(part: object) -> Iterator[dict[str, Any]]:
    """Yield every channel of a chart that stands for frameworks."""
    if isinstance(part, dict):
        if part.get("field") == "framework" and "domain" in part.get("scale", {}):
            yield part["scale"]
        for inner in part.values():
            yield from scales(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from scales(inner)


@pytest.mark.parametrize("run", ["well", "gpu"])
def test_a_framework_looks_the_same_in_every_figure(run: str, figures_of: Figures) -> None:
    found = [scale for figure in figures_of(run) for scale in scales(figure.chart)]
    assert len(found) > 50
    for scale in found:
        for label, drawn in zip(scale["domain"], scale["range"], strict=True):
            mark = mark_of(label)
            fill = mark.colour if mark.filled else "transparent"
            assert drawn in (mark.colour, fill, mark.shape, list(mark.dash))


def test_what_is_pointed_at_in_one_panel_stands_out_in_all(figures_of: Figures) -> None:
    spec = named(figures_of("well"), "convergence-mlp").spec
    parts = [part for panel in spec["concat"] for part in panel["layer"]]
    (param,) = spec["params"]
    assert param["views"] == [part["name"] for part in parts if part["mark"]["type"] == "point"]
    assert len(set(param["views"])) == 4
    conditions = [part["encoding"]["opacity"]["condition"]["param"] for part in parts]
    assert conditions == [param["name"]] * len(parts)
    assert "params" not in named(figures_of("well"), "times-mlp").spec  # each has its name beside it


def test_what_is_another_experiment_than_its_suite_s_says_so_in_title_and_drawing(figures_of: Figures) -> None:
    for run, words in (("scores", "scaled to 0.25 of its suite"), ("synthetic", "synthetic data")):
        for figure in figures_of(run):
            assert figure.title.endswith(f"({words})")
            assert figure.spec["title"]["text"] == words
        assert words in texts(drawing(figures_of(run)[0]))


def test_more_threads_than_cpus_and_imported_data_are_said_where_they_hold() -> None:
    place = {"run": "r", "workload": "mlp", "device": "cpu", "scale": 1.0, "synthetic": False, "dataset": "mnist"}
    cells = [{**place, "threads": threads, "cpus": 2} for threads in (1, 2, 4)]
    cells.append({**place, "workload": "cnn", "dataset": "cifar10-subset", "threads": 1, "cpus": 2})
    settings = settings_of(cells)

    def title(workload: str | None, threads: int | None) -> str:
        figure = Figure("name", "Title", "times", Place("r", workload, "matched", "cpu", threads), {}, {}, [])
        return with_caveats(figure, settings).title

    assert title("mlp", 2) == "Title"
    assert title("mlp", 4) == title("mlp", None) == "Title (4 threads on 2 CPUs)"
    assert title("cnn", 1) == title(None, 1) == "Title (on cifar10-subset)"


# ---------------------------------------------------------------------------- marks


def test_winners_have_a_point_and_an_interval_for_each_ranked_framework(figures_of: Figures, of: Get) -> None:
    svg = drawing(named(figures_of("well"), "ratio-mlp"))
    ranked = [row for row in rows_of(of("well")["cells"], workload="mlp") if row["ratio"] is not None]
    assert marks(svg, "symbol") == marks(svg, "text") == len(ranked) == 3
    assert marks(svg, "rule") == len(ranked) + 1  # the line at 1


def test_what_was_not_compared_is_not_ranked(figures_of: Figures) -> None:
    svg = drawing(named(figures_of("failed_gate"), "ratio-mlp"))
    assert marks(svg, "symbol") == 2
    assert "theano" not in texts(svg)


def test_under_three_rounds_there_is_no_interval(figures_of: Figures) -> None:
    svg = drawing(named(figures_of("one_repeat"), "ratio-mlp"))
    assert (marks(svg, "symbol"), marks(svg, "rule")) == (3, 1)


def test_ties_are_named() -> None:
    rows = [
        {"run": "r", "workload": "mlp", "variant": "matched", "device": "cpu", "threads": 1, "epochs": 1}
        | {"framework": name, "ratio": ratio, "ratio_low": ratio - 0.1, "ratio_high": ratio + 0.1}
        | {"fastest": name == "tf", "tie": tie, "train_seconds": ratio}
        for name, ratio, tie in (("tf", 1.0, True), ("torch", 1.05, True), ("jax", 2.0, False))
    ]
    (figure,) = winners({"overall": [], "cells": rows})
    assert [row["place"] for row in figure.rows] == ["fastest, tie", "tie", "slower"]
    assert {"fastest, tie", "1.05 [0.950, 1.15] tie", "2.00 [1.90, 2.10]"} <= set(texts(drawing(figure)))


def test_the_matrix_of_winners_has_a_cell_for_each_ratio(figures_of: Figures, of: Get) -> None:
    svg = drawing(named(figures_of("well"), "ratios"))
    ratios = [row for row in of("well")["cells"] if row["ratio"] is not None]
    assert marks(svg, "rect") == marks(svg, "text") == len(ratios)


def test_times_have_a_point_for_each_framework_in_each_of_three_panels(figures_of: Figures) -> None:
    svg = drawing(named(figures_of("well"), "times-mlp"))
    assert (marks(svg, "symbol"), marks(svg, "rule")) == (3 * 3, 3)


def test_a_time_that_is_not_compared_says_why(figures_of: Figures) -> None:
    figure = named(figures_of("failed_gate"), "times-mlp")
    found = texts(drawing(figure))
    assert "theano (not comparable)" in found
    assert {"tf", "torch"} <= set(found)
    (row,) = rows_of(figure.rows, framework="theano")
    assert (row["parity"], row["reason"]) == ("failed", "not comparable")


def test_convergence_has_a_point_for_each_epoch_in_each_of_four_panels(figures_of: Figures, of: Get) -> None:
    figure = named(figures_of("well"), "convergence-mlp")
    epochs = {row["epoch"] for row in rows_of(of("well")["epochs"], workload="mlp")}
    svg = drawing(figure)
    assert len(figure.rows) == 3 * len(epochs)
    assert marks(svg, "symbol") == 4 * 3 * len(epochs)
    assert marks(svg, "line") == 4 * 3


def test_a_curve_ends_where_half_of_its_rounds_have(of: Get) -> None:
    jobs = rows_of(of("well")["epochs"], workload="mlp", framework="tf")
    last = max(row["epoch"] for row in jobs)
    short = [row for row in jobs if row["epoch"] < last or row["repeat"] == 0]
    (figure,) = convergence({"epochs": short})
    assert max(row["epoch"] for row in figure.rows) == last - 1
    (figure,) = convergence({"epochs": [row for row in jobs if row["epoch"] < last or row["repeat"] < 2]})
    assert max(row["epoch"] for row in figure.rows) == last


def test_the_score_of_a_language_model_is_its_perplexity_and_of_regression_its_error(figures_of: Figures) -> None:
    found = figures_of("scores")
    assert "perplexity" in named(found, "convergence-lstm").columns
    assert "squared_error" in named(found, "convergence-cnn-driving").columns
    scored = {figure.name.split("-time")[0] for figure in found if figure.section == "accuracy_time"}
    assert scored == {"perplexity", "squared-error"}


def test_accuracy_against_time_has_a_point_for_each_cell(figures_of: Figures, of: Get) -> None:
    svg = drawing(named(figures_of("well"), "accuracy-time"))
    assert marks(svg, "symbol") == len(of("well")["cells"])


def test_said_and_measured_have_a_point_each(figures_of: Figures, of: Get) -> None:
    figure = named(figures_of("study"), "said-train-seconds")
    last = rows_of(of("study")["said"], epochs=10)
    said = {(row["workload"], row["said_framework"]) for row in last}
    measured = [row for row in last if row["measured_train_seconds"] is not None]
    assert marks(drawing(figure), "symbol") == len(figure.rows) == len(said) + len(measured)


def test_a_figure_of_a_study_is_the_study_s_own(figures_of: Figures, of: Get) -> None:
    figure = named(figures_of("study"), "said-accuracy")
    (row,) = rows_of(figure.rows, workload="tanh-1x100", framework="dl4j", source="said")
    (said,) = rows_of(of("study")["said"], workload="tanh-1x100", said_framework="Deeplearning4J", epochs=10)
    assert row["accuracy"] == said["said_accuracy"]


@pytest.mark.parametrize(("side", "place", "fixed"), [("depth", 0, "x100"), ("width", 1, "-1x")])
def test_depth_and_width_are_those_of_the_layers_and_vary_alone(
    side: str, place: int, fixed: str, figures_of: Figures, of: Get
) -> None:
    figure = named(figures_of("study"), f"{side}-train-seconds")
    names = {row["workload"] for row in of("study")["cells"] if re.search(rf"{fixed}(?=\d|$)", row["workload"])}
    sizes = {int(name.split("-")[1].split("x")[place]) for name in names}
    assert {row[side] for row in figure.rows} == sizes
    assert len(sizes) > 1
    assert len({(row["activations"], row["width" if side == "depth" else "depth"]) for row in figure.rows}) == 1
    assert {row["source"] for row in figure.rows} == {"said", "as published, here", "matched, here"}
    assert marks(drawing(figure), "symbol") == len(figure.rows)


def test_models_of_different_data_are_not_put_on_one_line(of: Get) -> None:
    own = of("study")
    cells = [row | {"dataset": "fashion-mnist"} if row["workload"] == "tanh-2x100" else row for row in own["cells"]]
    found = [figure.name for figure in scaling({**own, "cells": cells})]
    assert not any(name.startswith("depth") for name in found)
    assert any(name.startswith("width") for name in found)


def test_efficiency_is_the_speed_up_over_the_number_of_threads(figures_of: Figures, of: Get) -> None:
    figure = named(figures_of("scores"), "threads-cnn-driving")
    cells = rows_of(of("scores")["cells"], workload="cnn-driving", framework="tf")
    seconds = {row["threads"]: row["train_seconds"] for row in cells}
    (two,) = rows_of(figure.rows, framework="tf", threads=2)
    assert two["efficiency"] == seconds[1] / (2 * seconds[2])
    assert marks(drawing(figure), "symbol") == 2 * len(figure.rows) == 2 * 2 * 2


def test_resources_have_a_cell_for_each_phase_that_was_read(figures_of: Figures, of: Get) -> None:
    figure = named(figures_of("gpu"), "gpu-memory-mebibytes")
    read = rows_of(of("gpu")["resources"], workload=figure.workload)
    expected = {(r["framework"], r["phase"]): r["gpu_memory_bytes"] / 2**20 for r in read if r["gpu_memory_bytes"]}
    assert {(row["framework"], row["phase"]): row["gpu_memory_mebibytes"] for row in figure.rows} == expected
    assert marks(drawing(figure), "rect") == len(expected) > 0


def test_phases_add_up_to_the_medians_of_each(figures_of: Figures, of: Get) -> None:
    figure = named(figures_of("well"), "phases-mlp")
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows_of(of("well")["phases"], workload="mlp"):
        found.setdefault((row["framework"], row["phase"]), []).append(row["seconds"])
    middles = {key: median(seconds) for key, seconds in found.items()}
    assert {(row["framework"], row["phase"]): row["seconds"] for row in figure.rows} == middles
    assert marks(drawing(figure), "rect") == len(middles)


def test_a_phase_that_is_not_known_comes_last(of: Get) -> None:
    own = of("well")
    altered = [row | {"phase": "dreaming"} if row["phase"] == "import" else row for row in own["resources"]]
    figure = named(resources({"resources": altered}), "cpu-percent-mlp")
    order = figure.spec["layer"][0]["encoding"]["x"]["sort"]
    assert (order[0], order[-2:]) == ("build", ["other", "dreaming"])


def test_the_phases_of_jobs_that_did_not_end_well_are_left_out(of: Get) -> None:
    own = of("well")
    jobs = [row | ({"status": "lost"} if row["framework"] == "tf" else {}) for row in own["jobs"]]
    figure = named(phases({"jobs": jobs, "phases": own["phases"]}), "phases-mlp")
    assert {row["framework"] for row in figure.rows} == {"torch", "theano"}


def test_times_say_how_long_was_trained(figures_of: Figures) -> None:
    found = figures_of("scores")
    assert "after 3 epochs" in named(found, "times-lstm-ptb-small-cpu").title
    assert "trained to a perplexity of 114.79" in named(found, "times-lstm-ptb-small-to").title


def test_lines_of_code_have_a_named_point_for_each_framework(figures_of: Figures) -> None:
    svg = drawing(named(figures_of("well"), "lines-mlp"))
    assert (marks(svg, "symbol"), marks(svg, "text")) == (3, 3)


def test_agreement_has_each_pair_from_both_sides(figures_of: Figures) -> None:
    figure = named(figures_of("well"), "agreement-mlp")
    assert marks(drawing(figure), "rect") == len(figure.rows) == 3 * 2
    shares = {frozenset((row["framework"], row["other_framework"])): row["share_alike"] for row in figure.rows}
    assert len(shares) == 3


def test_a_matrix_of_many_is_no_wider_than_a_page_and_leaves_its_words_to_the_table() -> None:
    names = [f"mine{place}" for place in range(25)]
    place = {"run": "r", "workload": "mlp", "variant": "matched", "device": "cpu", "threads": 1}
    rows = [
        {**place, "framework": one, "other_framework": other, "share_alike": 0.99, "largest_difference": 1e-3}
        for one in names
        for other in names
        if one < other
    ]
    (figure,) = agreement({"agreement": rows})
    svg = drawing(figure)
    assert (marks(svg, "rect"), marks(svg, "text")) == (25 * 24, 0)
    assert float(svg.attrib["width"]) * 8 / 11 < 7 * 72


# ---------------------------------------------------------------------------- axes


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        ({"x": 0.7}, None),  # Vega's own
        ({"x": 0.7, "x_low": 0.6, "x_high": 1.3}, [0.6, 0.8, 1, 1.2]),
        ({"x": 3.0, "x_low": 0.6, "x_high": 30.0}, [1, 2, 5, 10, 20]),
        ({"x": 3.0, "x_low": None, "x_high": 4000.0}, [10, 100, 1000]),
    ],
)
def test_a_logarithmic_axis_has_few_round_lines(row: Row, lines: list[float] | None) -> None:
    values = logarithmic("x", "x", [row, {"x": None}])["axis"].get("values")
    low, high = row.get("x_low") or row["x"], row.get("x_high") or row["x"]
    assert (values and [value for value in values if low <= value <= high]) == lines


def test_workloads_stand_in_natural_order() -> None:
    names = ["tanh-1x1024", "tanh-1x64", "relu-2x100", "tanh-1x100"]
    assert sorted(names, key=natural) == ["relu-2x100", "tanh-1x64", "tanh-1x100", "tanh-1x1024"]
