"""What papers stated of each framework and what holds now: every cell has its source, or says that none states it."""

import copy
import csv
import io
import json
import os
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ruamel.yaml import YAML

from orchestrator import completion
from orchestrator.catalogue import FRAMEWORKS, ROOT
from orchestrator.errors import UsageError
from orchestrator.properties import FILE, REFERENCE, TITLES, Properties, Seen, Stated, load_properties
from orchestrator.report import properties as report
from tests.commands import bench

PAPERS = {"kovalev2016", "albdour2020", "kabakus2020", "dlbench2021"}


@pytest.fixture(scope="module")
def found() -> Properties:
    return load_properties()


@pytest.fixture(scope="module")
def read() -> Any:
    return YAML(typ="safe", pure=True).load(FILE.read_text(encoding="utf-8"))


@pytest.fixture
def data(read: Any) -> Any:
    """The file's content, for a test to alter."""
    return copy.deepcopy(read)


def mistakes(data: Any, folder: Path) -> list[str]:
    """Return what loading a file with this content complains of."""
    path = folder / "properties.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(data, file)
    with pytest.raises(UsageError) as raised:
        load_properties(path)
    return raised.value.mistakes


# ---------------------------------------------------------------------------- the data


def test_every_framework_has_every_property_then_and_now(found: Properties) -> None:
    cells = {(name, kind, when) for name, kind, when, _ in found.claims()}
    names = set(FRAMEWORKS) - {REFERENCE}
    assert cells == {(name, kind, when) for name in names for kind in TITLES for when in ("then", "now")}


def test_every_value_has_a_source(found: Properties) -> None:
    claims = [claim for _, _, _, claim in found.claims() if claim is not None]
    assert len(claims) > 150
    for claim in claims:
        assert claim.value
        assert (claim.paper and claim.place) if isinstance(claim, Stated) else (claim.url and claim.seen)


def test_what_was_stated_then_names_a_place_of_one_of_the_four_papers(found: Properties) -> None:
    assert set(found.papers) == PAPERS
    used = {(claim.paper, claim.place) for _, _, _, claim in found.claims() if isinstance(claim, Stated)}
    assert used == {(key, place) for key, paper in found.papers.items() for place in paper.places}


def test_what_holds_now_was_looked_up_on_a_page_that_has_an_address(found: Properties) -> None:
    claims = [claim for _, _, _, claim in found.claims() if isinstance(claim, Seen)]
    for claim in claims:
        assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]+/\S*|pkg:(pypi|maven)/[\w./@-]+", claim.url), claim.url
        assert date(2026, 1, 1) <= claim.seen <= date.today()


def test_papers_that_disagree_are_both_kept_and_it_is_said(found: Properties) -> None:
    cntk = found.frameworks["cntk"].language.then or []
    assert {claim.value for claim in cntk} == {"C++", "Python"}
    assert [claim.place for claim in cntk if claim.note] == ["Section 4"]
    assert "contradicts" in str([claim.note for claim in cntk])


def test_a_framework_that_no_paper_has_states_nothing_then(found: Properties) -> None:
    assert {claim for name, _, when, claim in found.claims() if (name, when) == ("jax", "then")} == {None}


def heading(place: str, words: str) -> re.Pattern[str]:
    """Return what a place's heading looks like in a paper's text."""
    number = re.escape(place.removeprefix("Section "))
    return re.compile(re.escape(words) if place == "Abstract" else rf"{number}\W+{re.escape(words)}", re.IGNORECASE)


def test_the_places_are_in_the_papers_texts(found: Properties) -> None:
    folder = Path(os.environ.get("BENCH_PAPERS_DIR") or ROOT.parent / "shared" / "papers")
    if not folder.is_dir():
        pytest.skip("no papers: neither $BENCH_PAPERS_DIR nor ../shared/papers is a folder, with KEY.txt of each")
    for key, paper in found.papers.items():
        (path,) = folder.glob(f"{key}*.txt")
        text = " ".join(path.read_text(encoding="utf-8").replace("*", "").split()).replace("Table.", "Table ")
        for place, words in paper.places.items():
            assert heading(place, words).search(text), f"{key} has no {place}: {words}"


def test_a_place_that_is_not_there_would_be_seen() -> None:
    text = "# 3. Results Table 2. Properties of the considered frameworks"
    assert heading("Table 2", "Properties of the considered frameworks").search(text)
    assert not heading("Table 3", "Properties of the considered frameworks").search(text)
    assert not heading("Section 4", "Results").search(text)


# ---------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("when", "field"), [("then", "value"), ("then", "paper"), ("then", "place"), ("now", "url"), ("now", "seen")]
)
def test_a_claim_that_lacks_its_value_or_source_is_refused_by_name(
    when: str, field: str, data: Any, tmp_path: Path
) -> None:
    del data["frameworks"]["tf"]["language"][when][0][field]
    assert mistakes(data, tmp_path) == [f"properties.yaml: frameworks.tf.language.{when}[0].{field}: field required."]


def test_a_side_is_claims_or_null_and_never_empty_or_left_out(data: Any, tmp_path: Path) -> None:
    data["frameworks"]["tf"]["gpu"]["now"] = []
    del data["frameworks"]["torch"]["gpu"]["then"]
    del data["frameworks"]["jax"]["cudnn"]
    assert {text.split(": ")[1] for text in mistakes(data, tmp_path)} == {
        "frameworks.tf.gpu.now",
        "frameworks.torch.gpu.then",
        "frameworks.jax.cudnn",
    }


@pytest.mark.parametrize(
    "url", ["example.org/page", "http://example.org/", "https://", "see the docs", "pkg:pypi/", ""]
)
def test_an_address_that_is_none_is_refused(url: str, data: Any, tmp_path: Path) -> None:
    data["frameworks"]["tf"]["gpu"]["now"][0]["url"] = url
    (text,) = mistakes(data, tmp_path)
    assert text.startswith("properties.yaml: frameworks.tf.gpu.now[0].url: ")


def test_a_paper_or_a_place_that_is_not_there_is_refused_with_those_that_are(data: Any, tmp_path: Path) -> None:
    data["frameworks"]["tf"]["gpu"]["then"][0]["paper"] = "albdour2019"
    data["frameworks"]["tf"]["language"]["then"][0]["place"] = "Table 9"
    place, paper = mistakes(data, tmp_path)
    assert "frameworks.tf.language.then (C++): albdour2020 has no 'Table 9'. Did you mean 'Table 2'?" in place
    assert "frameworks.tf.gpu.then (yes): unknown paper 'albdour2019'. Did you mean 'albdour2020'?" in paper


def test_a_framework_too_few_or_too_many_is_refused(data: Any, tmp_path: Path) -> None:
    data["frameworks"]["pytorhc"] = data["frameworks"].pop("torch")
    missing, unknown = mistakes(data, tmp_path)
    assert missing == "properties.yaml: frameworks: torch of the catalogue is missing."
    assert "unknown framework 'pytorhc'. Did you mean 'torch'?" in unknown


def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "properties.yaml"
    path.write_text("papers: {", encoding="utf-8")
    with pytest.raises(UsageError, match=r"properties\.yaml: not YAML"):
        load_properties(path)


# ---------------------------------------------------------------------------- what is printed


def test_each_claim_has_the_number_of_its_source_and_the_same_ones_are_one(found: Properties) -> None:
    numbers = report.numbered(found)
    (table,) = [number for source, number in numbers.items() if source.startswith("albdour2020, Table 2")]
    (other,) = [number for source, number in numbers.items() if source.startswith("kabakus2020, Table 1")]
    (row,) = [row for row in report.rows(found, "language", numbers) if row[0] == "keras"]
    assert row[1] == f"Python [{table}, {other}]"
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))


def test_what_nothing_states_is_said(found: Properties) -> None:
    rows = {name: cells for name, *cells in report.rows(found, "language", report.numbered(found))}
    assert rows["jax"][0] == "not stated"
    assert "not stated" not in rows["tf"]


def test_the_tables_fit_and_every_number_has_its_footnote(tmp_path: Path) -> None:
    run = bench("frameworks", "--properties", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    tables, _, notes = run.stdout.partition(report.SOURCES)
    assert max(map(len, tables.splitlines())) <= 132
    assert all(title in tables for title in TITLES.values())
    cited = {int(number) for group in re.findall(r"\[([\d, ]+)\]", tables) for number in re.findall(r"\d+", group)}
    listed = [int(number) for number in re.findall(r"^\[(\d+)\] ", notes, re.MULTILINE)]
    assert cited == set(listed)
    assert listed == list(range(1, len(listed) + 1))
    assert all(f"\n{key}: " in notes for key in PAPERS)


def test_json_holds_the_whole_file(found: Properties, tmp_path: Path) -> None:
    run = bench("frameworks", "--properties", "--format", "json", folder=tmp_path)
    assert Properties.model_validate(json.loads(run.stdout)) == found


def test_csv_has_a_line_for_each_claim_and_for_each_side_without_one(found: Properties, tmp_path: Path) -> None:
    run = bench("frameworks", "--properties", "--format", "csv", folder=tmp_path)
    lines = list(csv.DictReader(io.StringIO(run.stdout)))
    assert len(lines) == len(list(found.claims()))
    assert {bool(line["value"]) == bool(line["place"] or line["url"]) for line in lines} == {True}
    (line,) = [line for line in lines if (line["framework"], line["property"]) == ("torch7", "licence") and line["url"]]
    assert (line["when"], line["value"], line["seen"]) == ("now", "BSD 3-Clause", "2026-11-25")


def test_markdown_has_a_table_for_each_property_and_the_sources(found: Properties) -> None:
    text = report.as_markdown(found)
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == list(TITLES.values())
    assert text.count("\n| torch7 ") == len(TITLES)
    assert text.count("\n- ") == len(report.footnotes(found)) - 1


def test_the_formats_are_those_that_the_shell_offers() -> None:
    assert completion.FORMATS["frameworks"] == ("table", *report.TEXT_FORMATS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--properties", "--format", "jsno"), "Unknown format 'jsno'. Did you mean 'json'?"),
        (("--format", "csv"), "--format is 'csv', but only --properties has formats."),
        (("--properties", "--layers"), "Give one of --layers and --properties."),
    ],
)
def test_options_that_do_not_go_together_are_mistakes(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    run = bench("frameworks", *arguments, folder=tmp_path)
    assert run.returncode == 2
    assert words in run.stderr


def test_a_narrow_terminal_wraps_the_cells(found: Properties) -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(report.as_tables(found)[0])
    assert max(map(len, console.file.getvalue().splitlines())) <= 80  # type: ignore[attr-defined]
