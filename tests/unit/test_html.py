"""The HTML page: nothing from outside, nothing that runs but its own script, small, and readable whatever happened."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from orchestrator.cli import app
from orchestrator.report.html import winners
from orchestrator.report.html.page import ORDER
from orchestrator.report.html.views import Column, Shown, View, text_of
from orchestrator.report.tables import number
from orchestrator.report.tidy import Row, read_run, tables
from orchestrator.request import Request
from orchestrator.summary import Pair
from tests.pages import Page, page_of
from tests.runs import MARKUP, RUNS, SCRIPT, write_run
from tests.unit.made_runs import TIMES, made_run
from tests.unit.test_tidy import kept_run
from workers.spec import Job, Result

MEGABYTE = 1_000_000
SMALL = [name for name in RUNS if name not in ("large", "study")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    where = tmp_path_factory.mktemp("pages")
    return {name: page_of([RUNS[name](where / name)], where) for name in SMALL}


@pytest.mark.parametrize("name", SMALL)
def test_a_page_asks_for_nothing(name: str, pages: dict[str, Page]) -> None:
    page = pages[name]
    assert not {tag for tag, _ in page.elements} & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "audio",
        "video",
    }
    for attribute in ("src", "srcset", "action", "data", "background", "poster"):
        assert page.attributes(attribute) == []
    assert all(re.match(r"#|[\w.%-]+/jobs/", address) for address in page.attributes("href"))
    style = page.html[page.html.index("<style>") : page.html.index("</style>")]
    assert not re.search(r"url\(|@import|@font-face", style)


@pytest.mark.parametrize("name", SMALL)
def test_only_the_pages_own_script_may_run(name: str, pages: dict[str, Page]) -> None:
    page = pages[name]
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = page.attributes("content")[:1]
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}' 'unsafe-eval';")


def test_markup_in_names_is_text(pages: dict[str, Page]) -> None:
    page = pages["markup"]
    assert page.html.count(MARKUP) == page.html.count(SCRIPT) == 0
    assert page.text.count(MARKUP) > 20
    assert page.text.count(SCRIPT) > 20
    plain = pages["well"]
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements}
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]


def test_a_template_that_did_not_escape_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from markupsafe import Markup

    from orchestrator.report.html import template

    monkeypatch.setattr(template, "text_of", lambda value, kind: Markup(text_of(value, kind)))
    page = page_of([RUNS["markup"](tmp_path / "markup")], tmp_path)
    assert "img" in {tag for tag, _ in page.elements}


@pytest.mark.parametrize("name", SMALL)
def test_ids_are_unique_and_labels_lead_to_them(name: str, pages: dict[str, Page]) -> None:
    ids = pages[name].attributes("id")
    assert len(ids) == len(set(ids))
    assert set(pages[name].attributes("aria-labelledby")) <= set(ids)


@pytest.mark.parametrize("name", SMALL)
def test_every_section_has_something_to_say(name: str, pages: dict[str, Page]) -> None:
    page = pages[name]
    assert page.html.count('class="section"') == len(ORDER)
    for section in page.html.split('class="section"')[1:]:
        text = re.sub(r"<script.*?</script>|<h3.*?</h3>|<[^>]+>", "", section.split("</section>")[0], flags=re.DOTALL)
        assert len(text.split()) > 3


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("failed_gate", ["not compared: theano", "dense_1/kernel is off by 0.5", "Read the parity table"]),
        ("killed_job", ["killed by SIGKILL", "stopped after 60 seconds", "the loss of epoch 2 is not a number",
                        "2 of 3 rounds ok", "26 of 27 measured jobs have a result"]),
        ("missing_framework", ["no base image is given", "its LSTM has one output per sequence alone", "bench build"]),
        ("one_repeat", ["Nobody is called fastest, since under three rounds there is no interval"]),
        ("one_framework", ["torch alone is comparable", "No two frameworks kept predictions"]),
        ("nothing_done", ["No framework has a comparable time here", "0 of 18 measured jobs have a result"]),
        ("synthetic", ["random numbers. Times hold; no accuracy or loss on them means anything"]),
        ("scores", ["perplexity 114.79", "squared error of the mean", "Scaled down (scale 0.25)"]),
        ("gpu", ["A made-up GPU", "GPU W", "550.1"]),
        ("well", ["trains fastest, in ", "Of 3 comparisons", "It repeats no study"]),
    ],
)  # fmt: skip
def test_what_happened_is_said_in_words(name: str, texts: list[str], pages: dict[str, Page]) -> None:
    for text in texts:
        assert text in pages[name].text


def test_the_sections_stand_in_the_order_of_a_readers_questions(pages: dict[str, Page]) -> None:
    headings = re.findall(r'<h3 id="section-(\w+)">', pages["well"].html)
    assert headings == [
        *("winners", "papers", "times", "convergence", "accuracy_time", "scaling", "resources", "phases", "lines"),
        *("agreement", "properties", "problems", "parity", "provenance"),
    ]


def test_several_runs_are_parts_of_one_page_with_ids_of_their_own(tmp_path: Path) -> None:
    folders = [RUNS[name](tmp_path / name) for name in ("well", "one_framework")]
    page = page_of(folders, tmp_path)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {"run-1-cells", "run-2-cells"} <= set(page.tables)
    assert page.html.count('class="part"') == 2


def test_a_page_of_several_runs_says_of_each_who_wins_before_its_contents(tmp_path: Path) -> None:
    names = ("well", "one_repeat", "nothing_done")
    page = page_of([RUNS[name](tmp_path / name) for name in names], tmp_path)
    first = page.html[page.html.index("<h1>") : page.html.index("<nav")]
    assert re.findall(r'<h3><a href="#(run-\d-section-winners)">', first) == [
        f"run-{number}-section-winners" for number in (1, 2, 3)
    ]
    assert {f"run-{number}-section-winners" for number in (1, 2, 3)} <= set(page.attributes("id"))
    well, one_repeat, nothing_done = re.findall(r"<ul>(.*?)</ul>", first)
    assert well.startswith("<li>Over 3 workloads (cpu, 2 threads), geometric means of the ratios: torch fastest; ")
    assert well.endswith("<li>Of 3 comparisons, the fastest is torch on 3.</li>")
    assert one_repeat.count("<li>") == 1, "under three rounds nobody is called the fastest"
    assert nothing_done.count("so there is no winner") == 3
    assert "<details><summary>Contents" in page.html, "folded, so that the results come first"


def test_of_one_workload_with_several_thread_counts_each_is_told_apart(tmp_path: Path) -> None:
    request = Request(frameworks="tf,torch", workloads="mlp", threads=[1, 2])
    folders = [write_run(tmp_path / "threads", request), RUNS["well"](tmp_path / "well")]
    first = page_of(folders, tmp_path).html.partition("<nav")[0]
    told = re.findall(r"<li>(mlp \(cpu, threads: \d\)): ", first)
    assert told == ["mlp (cpu, threads: 1)", "mlp (cpu, threads: 2)"]


def any_digits(job: Job, result: Result) -> Pair:
    """Return a job's result with numbers that no compression shortens, as measured ones are."""
    rng = np.random.default_rng(crc32(job.id.encode()))
    epochs = [
        epoch.model_copy(update={name: number * rng.uniform(0.9, 1.1) for name, number in epoch if number is not None})
        for epoch in result.epochs
    ]
    return job, result.model_copy(update={"epochs": epochs})


def test_a_full_matrix_fits_in_three_megabytes(tmp_path: Path) -> None:
    """25 frameworks and modes, 16 models, three rounds, ten epochs."""
    labels = "tf,tf:xla,tf:eager,tf@2.2.0,torch,torch:compile,torch@1.6.0,keras,keras:torch,keras:jax"
    labels += ",keras:theano,keras:cntk,keras:tf2.2,theano,theano@0.9.0,mxnet,mxnet:imperative,chainer,caffe,cntk,jax"
    labels += ",dl4j,torch7,theano@1.0.5,tf@2.2.0:eager"
    request = Request(suite="kovalev2016", frameworks=labels, threads=[1], repeats=3, epochs=[10])
    page = page_of([write_run(tmp_path / "run", request, any_digits, predictions=False)], tmp_path)
    assert len(page.tables["epochs"].rows) == 25 * 16 * 3 * 10
    assert len(page.html.encode()) <= 3 * MEGABYTE


# ---------------------------------------------------------------------------- sentences


def groups(tmp_path: Path, times: Mapping[tuple[str, str], Sequence[float]]) -> list[list[Row]]:
    run = kept_run(tmp_path / "run", made_run(times), suite="quick")
    return winners.groups(tables([run])["cells"])


def shown(row: Row, name: str) -> str:
    middle, low, high = (number(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{middle} [{low}, {high}]"


def test_a_winner_has_its_time_and_the_next_ones_ratio(tmp_path: Path) -> None:
    torch, tf, theano = groups(tmp_path, TIMES)[0]
    assert (torch["framework"], tf["framework"], theano["framework"]) == ("torch", "tf", "theano")
    assert winners.sentences([torch, tf, theano]) == (
        f"torch trains fastest, in {shown(torch, 'train_seconds')} s; "
        f"the next, tf, takes {shown(tf, 'ratio')} times as long.",
        f"theano is the slowest, at {shown(theano, 'ratio')} times the smallest.",
    )


def test_a_tie_is_called_one(tmp_path: Path) -> None:
    tf, torch, theano = groups(tmp_path, TIMES)[1]
    assert winners.sentences([tf, torch, theano]) == (
        f"A tie: tf has the smallest median, {shown(tf, 'train_seconds')} s of training, but cannot be told from torch "
        f"(ratio {shown(torch, 'ratio')}).",
        f"theano is the slowest, at {shown(theano, 'ratio')} times the smallest.",
    )


def test_two_frameworks_need_no_slowest(tmp_path: Path) -> None:
    _, second = winners.sentences(groups(tmp_path, {("m", "tf"): (1.0, 1.1, 1.0), ("m", "torch"): (3.0, 3.1, 3.0)})[0])
    assert second == "Nobody else is compared."


# ---------------------------------------------------------------------------- cells of tables


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [(None, "number", "-"), ("", "words", "-"), (True, "words", "yes"), (1.23456, "number", "1.23"), (7, "count", "7")],
)
def test_a_value_has_its_text(value: object, kind: str, text: str) -> None:
    assert text_of(value, kind) == text  # type: ignore[arg-type]


def test_a_row_of_the_same_cell_twice_has_one_id() -> None:
    rows = [{"a": 1.5}, {"a": 2.5}]
    view = View("v", "c", [Column("a", "a", read=lambda row: Shown(row["a"], "words"))], rows, identify=lambda row: "x")
    assert list(view.lines) == [
        ["x", [None] * 4, [{"v": 1.5, "t": "words"}]],
        ["", [None] * 4, [{"v": 2.5, "t": "words"}]],
    ]


def test_a_run_elsewhere_is_linked_relatively(tmp_path: Path) -> None:
    folder = RUNS["one_framework"](tmp_path / "runs" / "a run")
    page = page_of([folder], tmp_path / "pages")
    assert any(address.startswith("../runs/a%20run/jobs/") for address in page.attributes("href"))
    assert read_run(folder).name in page.html


@pytest.mark.parametrize("name", ["page.html", "page.md"])
def test_a_page_names_the_command_that_it_is_told(name: str, tmp_path: Path) -> None:
    run, page = RUNS["well"](tmp_path / "well"), tmp_path / name
    app(["report", str(run), "--output", str(page), "--made-by", "make all-of-it"], standalone_mode=False)
    assert "make all-of-it" in page.read_text(encoding="utf-8")
