"""Runs as folders of files: exact numbers in CSV, figures as large as a paper has room for, safe LaTeX."""

import csv
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from orchestrator.errors import StoreError, UsageError
from orchestrator.recipe import current_recipes
from orchestrator.report import formats
from orchestrator.report.booktabs import booktabs
from orchestrator.report.charts import figures
from orchestrator.report.files import COLUMN, CONFIG, FOLDERS, IN_ANY_FONT, PAGE, fitted, on_paper, size
from orchestrator.report.tidy import KEY, Reported, read_run, tables
from tests.runs import RUNS

Get = Callable[[str], Reported]


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Get:
    """Return a made run, read once for all tests."""
    folder = tmp_path_factory.mktemp("runs")
    return cache(lambda name: read_run(RUNS[name](folder / name), current_recipes()))


def written(format: str, run: Reported, folder: Path) -> list[Path]:
    text = formats.write([run.folder], format, folder, "bench report")
    found = sorted(folder.iterdir())
    assert text == f"Written: {len(found)} files in {folder}\n"
    return found


# ---------------------------------------------------------------------------- csv


def same(text: str, value: object) -> bool:
    """Return whether a cell of a CSV file holds exactly this value."""
    if value is None:
        return text == ""
    return float(text) == value if isinstance(value, float) else text == str(value)


@pytest.mark.parametrize("run", ["well", "markup", "killed_job"])
def test_csv_holds_every_row_of_every_table_exactly(run: str, of: Get, tmp_path: Path) -> None:
    expected = {name: rows for name, rows in tables([of(run)]).items() if rows}
    files = written("csv", of(run), tmp_path / "out")
    assert {path.stem for path in files} == set(expected)
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        rows = expected[path.stem]
        assert len(found) == len(rows)
        for line, row in zip(found, rows, strict=True):
            assert set(line) == set(row)
            assert all(same(line[name], value) for name, value in row.items()), path.name


def test_columns_of_seconds_bytes_and_percent_say_so_and_every_file_begins_alike(of: Get, tmp_path: Path) -> None:
    files = written("csv", of("gpu"), tmp_path / "out")
    headers = {path.stem: path.read_text(encoding="utf-8").splitlines()[0].split(",") for path in files}
    assert {tuple(header[: len(KEY)]) for header in headers.values()} == {KEY}
    assert {"train_seconds", "predict_seconds", "predict_rows_per_second"} <= set(headers["cells"])
    assert {"cpu_percent", "peak_rss_bytes", "gpu_watts", "energy_joules"} <= set(headers["resources"])


# ---------------------------------------------------------------------------- figures


def test_pdf_has_a_file_of_one_page_for_each_figure_and_a_list_of_them(of: Get, tmp_path: Path) -> None:
    names = {figure.name: figure.title for figure in figures(tables([of("one_framework")]))}
    files = written("pdf", of("one_framework"), tmp_path / "out")
    assert {path.stem for path in files if path.suffix == ".pdf"} == set(names)
    for path in files:
        if path.suffix == ".pdf":
            content = path.read_bytes()
            assert content.startswith(b"%PDF-")
            assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1
    with (tmp_path / "out" / "figures.csv").open(encoding="utf-8", newline="") as file:
        assert {row["name"]: row["title"] for row in csv.DictReader(file)} == names


def test_svg_has_a_drawing_for_each_figure_no_wider_than_a_page(of: Get, tmp_path: Path) -> None:
    files = written("svg", of("one_framework"), tmp_path / "out")
    drawings = [path for path in files if path.suffix == ".svg"]
    assert len(drawings) == len(figures(tables([of("one_framework")])))
    for path in drawings:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.attrib["width"].endswith("pt")
        assert float(root.attrib["width"].removesuffix("pt")) <= PAGE


def letters(svg: str) -> Iterator[float]:
    """Yield the points of each text of a drawing on paper."""
    root = ElementTree.fromstring(svg)
    scale = float(root.attrib["width"]) / float(root.attrib["viewBox"].split()[2])
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        yield float(text.attrib["font-size"].removesuffix("px")) * scale


@pytest.mark.parametrize("start", ["ratio-mlp", "phases-mlp", "overall"])
@pytest.mark.parametrize("config", [CONFIG, IN_ANY_FONT], ids=["pdf", "svg"])
def test_a_single_plot_fits_one_column_with_letters_of_eight_points(
    config: dict[str, Any], start: str, of: Get
) -> None:
    figure = next(figure for figure in figures(tables([of("well")])) if figure.name.startswith(start))
    paper = on_paper(fitted(figure.spec, config))
    assert size(paper)[0] <= COLUMN
    assert {round(points, 2) for points in letters(paper)} == {8.0}


def test_panels_fit_a_page_with_letters_of_eight_points(of: Get) -> None:
    for figure in figures(tables([of("well")])):
        if "concat" in figure.spec and len(figure.spec["concat"]) < 4:
            paper = on_paper(fitted(figure.spec, CONFIG))
            assert COLUMN < size(paper)[0] <= PAGE
            assert {round(points, 2) for points in letters(paper)} == {8.0}


def test_a_drawing_that_is_too_wide_is_made_smaller() -> None:
    paper = on_paper('<svg class="marks" width="2000" height="100" viewBox="0 0 2000 100"></svg>')
    assert size(paper) == (PAGE, pytest.approx(0.05 * PAGE))


# ---------------------------------------------------------------------------- latex

SPECIAL = r"a_b & 5% of #1 {x} ~ ^ $y$ \input{z} <i>"


def test_latex_has_a_booktabs_table_for_each_figure(of: Get, tmp_path: Path) -> None:
    files = written("latex", of("one_framework"), tmp_path / "out")
    assert {path.stem for path in files} == {figure.name for figure in figures(tables([of("one_framework")]))}
    for path in files:
        comment, begin, top, *rest = path.read_text(encoding="utf-8").splitlines()
        assert comment.startswith("% ")
        assert (begin[:15], top, rest[-1]) == ("\\begin{tabular}", "\\toprule", "\\end{tabular}")


def test_latex_escapes_what_means_something_to_it() -> None:
    text = booktabs(f"On {SPECIAL}\n\\input{{evil}}", {"framework": SPECIAL}, [{"framework": SPECIAL}], None)
    comment, *table = text.splitlines()
    assert comment.startswith("% On a_b")
    inside = "\n".join(table).replace("\\begin{tabular}{l}", "").replace("\\end{tabular}", "")
    escaped = r"a\_b \& 5\% of \#1 \{x\} \textasciitilde{} \^{} \$y\$ \textbackslash{}input\{z\}"
    assert "evil" in comment
    assert inside.count(escaped) == 2
    assert "\\input" not in inside


def test_latex_puts_an_interval_behind_its_median_and_leaves_a_gap_for_what_is_not_known() -> None:
    columns = {"framework": "framework", "s": "time, s", "s_low": "low", "s_high": "high", "n": "count"}
    rows = [
        {"framework": "tf", "s": 1.5, "s_low": 1.25, "s_high": 1.75, "n": 3, "reason": None},
        {"framework": "jax", "s": None, "s_low": None, "s_high": None, "n": 10000, "reason": None},
    ]
    text = booktabs("Title", columns | {"reason": "a column that holds nothing"}, rows, None)
    assert [re.split(r"\s*&\s*", line.strip()) for line in text.splitlines()[3:7:1] if "&" in line] == [
        ["framework", r"time, s [95\%]", r"count \\"],
        ["tf", "1.50 [1.25, 1.75]", r"3 \\"],
        ["jax", "-", r"10000 \\"],
    ]


def test_latex_puts_sources_side_by_side() -> None:
    columns = {"framework": "framework", "source": "source", "seconds": "time, s", "differs": "differs in"}
    rows = [
        {"framework": name, "source": source, "seconds": seconds, "differs": "a long sentence"}
        for name, source, seconds in (("tf", "said", 1.0), ("tf", "here", 2.0), ("jax", "here", 3.0))
    ]
    text = booktabs("Title", columns, rows, "source")
    assert [re.split(r"\s*&\s*", line.strip()) for line in text.splitlines() if "&" in line] == [
        ["framework", "time, s: said", r"time, s: here \\"],
        ["tf", "1.000", r"2.000 \\"],
        ["jax", "-", r"3.000 \\"],
    ]


# ---------------------------------------------------------------------------- asked for wrongly


@pytest.mark.parametrize("format", FOLDERS)
def test_a_folder_of_files_needs_a_folder(format: str, of: Get, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"Format {format} is a folder of files\. No folder is named"):
        formats.write([of("well").folder], format, None, "bench report")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"is a file\. Name a folder by --output"):
        formats.write([of("well").folder], format, tmp_path / "file", "bench report")


def test_a_folder_that_cannot_be_made_is_told(of: Get, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        formats.write([of("one_framework").folder], "csv", tmp_path / "file" / "out", "bench report")


def test_of_a_run_without_results_there_are_tables_and_no_figures(of: Get, tmp_path: Path) -> None:
    assert [path.name for path in written("svg", of("nothing_done"), tmp_path / "svg")] == ["figures.csv"]
    assert "jobs.csv" in {path.name for path in written("csv", of("nothing_done"), tmp_path / "csv")}
