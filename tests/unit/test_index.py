"""The index of a folder of reports says of each page what the page's runs say, and takes nothing else for a report."""

import re
from html import unescape
from pathlib import Path

import pytest

from orchestrator.cli import app
from orchestrator.errors import StoreError
from orchestrator.report.index import read, write_index
from tests.runs import MARKUP, RUNS


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two reports, a page of somebody else, and their index."""
    folder = tmp_path_factory.mktemp("reports")
    runs = tmp_path_factory.mktemp("runs")
    for name in ("one_framework", "markup"):
        app(["report", str(RUNS[name](runs / name)), "--output", str(folder / f"{name} 1.html")], standalone_mode=False)
    (folder / "other.html").write_text("<!DOCTYPE html><title>Somebody else's</title>", encoding="utf-8")
    app(["index", str(folder)], standalone_mode=False)
    return folder


def test_each_report_is_listed_with_what_its_run_says(reports: Path) -> None:
    text = (reports / "index.html").read_text(encoding="utf-8")
    addresses = re.findall(r'<h2><a href="([^"]*)">', text)
    assert sorted(addresses) == ["markup%201.html", "one_framework%201.html"]
    (entry,) = [part for part in text.split("<li>") if "one_framework" in part]
    assert "quick: Three small models on the digits of scikit-learn" in entry
    assert re.search(r'<time datetime="2026-01-02T03:04:05\+00:00">2026-01-02</time>, 3 rounds, cpu, threads 2', entry)
    assert re.findall(r"<dd>(.*?)</dd>", entry) == ["torch", "A made-up processor"]


def test_names_with_markup_are_text_in_it(reports: Path) -> None:
    text = (reports / "index.html").read_text(encoding="utf-8")
    assert MARKUP not in text
    assert unescape(text).count(MARKUP) >= 2


def test_the_newest_run_comes_first(reports: Path, tmp_path: Path) -> None:
    for place, year in enumerate(("2024", "2027", "2025")):
        page = (reports / "one_framework 1.html").read_text(encoding="utf-8")
        (tmp_path / f"{place}.html").write_text(page.replace("2026-01-02T", f"{year}-01-02T"), encoding="utf-8")
    text = write_index(tmp_path).read_text(encoding="utf-8")
    assert re.findall(r">(\d{4})-01-02</time>", text) == ["2027", "2025", "2024"]
    again = write_index(tmp_path).read_text(encoding="utf-8")
    assert again == text, "an index is no report of its own"


def test_a_page_whose_facts_are_broken_is_named(reports: Path, tmp_path: Path) -> None:
    page = (reports / "one_framework 1.html").read_text(encoding="utf-8")
    for place, broken in enumerate(
        (page.replace("&#34;suite&#34;", "&#34;siute&#34;", 1), page.replace('="[{', '="[{,'))
    ):
        path = tmp_path / f"{place}.html"
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(StoreError, match=rf"{place}\.html cannot be read as a report .* Make it again"):
            read(path)


def test_a_folder_without_reports_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"holds no report\. Make one: bench report RUN --output"):
        write_index(tmp_path)
    with pytest.raises(StoreError, match="is not a folder"):
        write_index(tmp_path / "nowhere")


def test_a_page_holds_the_facts_of_its_run(reports: Path) -> None:
    (fact,) = read(reports / "one_framework 1.html")
    assert (fact.frameworks, fact.engine, fact.repeats, fact.altered) == (["torch"], "docker", 3, [])
