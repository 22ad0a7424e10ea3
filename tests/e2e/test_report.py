"""From a run to its page: a run is measured, its lines of code are counted into it, and the page holds both."""

import json
import re
from pathlib import Path

import pytest

from tests.commands import bench
from tests.pages import Page, value

QUICK = ["--frameworks", "numpy", "--workloads", "mlp", "--engine", "local", "--repeats", "1", "--threads", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    bench("orchestrate", *QUICK, "--epochs", "2", "--limit-rows", "200", folder=folder)
    (found,) = (folder / "runs").iterdir()
    return found


def test_lines_are_counted_into_a_run_once_and_stand_on_its_page(run: Path) -> None:
    page = run.parent / "page.html"
    first, second = (bench("lines", "--run", run, "--engine", "local", folder=run.parent) for _ in range(2))
    assert first.returncode == second.returncode == 0
    (counted,) = run.glob("jobs/*-lines-*/result.json")
    lines = json.loads(counted.read_text())["code_lines"]
    for found in (first, second):
        assert re.search(rf"numpy\W+{lines['build']}\W+{lines['train']}\W+{lines['both']}\b", found.stdout)
    assert (counted.parent / "log.txt").stat().st_mtime < counted.stat().st_mtime, "the second call ran nothing"

    assert bench("report", run, "--output", page, folder=run.parent).stdout == f"Written: {page}\n"
    found = Page(page.read_text(encoding="utf-8"))
    (row,) = found.tables["lines"].rows
    assert [row[f"{part}_lines"] for part in ("build", "train", "both")] == [lines[part] for part in lines]
    (raw,) = (json.loads(path.read_text()) for path in run.glob("jobs/*-r0-*/result.json"))
    epochs = [value(row["train_seconds"]) for row in found.tables["epochs"].rows]
    assert epochs == [epoch["train_seconds"] for epoch in raw["epochs"]]


def test_a_run_has_its_own_suite(run: Path) -> None:
    said = bench("lines", "--run", run, "--suite", "quick", folder=run.parent)
    assert (said.returncode, "Leave one out." in said.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "page.txt"], "its suffix names no format. Allowed: csv, html, latex, markdown, pdf, svg."),
        (["--format", "htm"], "Unknown format 'htm'. Did you mean 'html'?"),
        (["--format", "svg"], "Format svg is a folder of files. No folder is named."),
    ],
)
def test_a_format_that_is_none_is_refused(run: Path, arguments: list[str], words: str) -> None:
    said = bench("report", run, *arguments, folder=run.parent)
    assert (said.returncode, words in " ".join(said.stderr.split())) == (2, True), said.stderr


def test_a_markdown_page_holds_one_run(run: Path) -> None:
    one, two = (bench("report", *[run] * count, "--format", "markdown", folder=run.parent) for count in (1, 2))
    assert one.stdout.startswith("# quick: Three small models")
    assert (two.returncode, "A Markdown page holds one run." in two.stderr) == (2, True)


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    said = bench("report", tmp_path, "--output", "page.html", folder=tmp_path)
    assert said.returncode == 5
    assert "is not a run: it has no run.json" in " ".join(said.stderr.split())
    assert not (tmp_path / "page.html").exists()
