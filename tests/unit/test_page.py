"""The page of a run: each number on it is that of the run or of the study, and what cannot be said is said to be so."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import StoreError
from orchestrator.report.page import as_page
from orchestrator.report.study import Figure, read_figures
from orchestrator.report.tables import interval
from orchestrator.store import RunStore
from orchestrator.suite import SUITES_DIR, load_suite
from orchestrator.summary import Pair, Summary
from tests.unit.made_runs import altered, made_job, made_result, summary_of
from workers.spec import Environment

FIGURES = SUITES_DIR / "kovalev2016.csv"
EPOCHS = [1, 2]


def pairs_of(**times: tuple[float, float, float]) -> list[Pair]:
    """Return three rounds on tanh-1x100 of ``framework`` (matched) or ``framework_paper``, with two readings."""
    pairs: list[Pair] = []
    for name, seconds in times.items():
        framework, _, variant = name.partition("_")
        for repeat, value in enumerate(seconds):
            changes: dict[str, Any] = {"read_at_epochs": EPOCHS}
            if variant:
                changes |= {"variant": "paper", "differs": ["Adam in place of SGD"]}
            job = made_job("tanh-1x100", framework, repeat, **changes)
            job = job.model_copy(update={"id": f"{job.id}{variant}"})
            result = made_result(job, value)
            result.environment = Environment(
                engine="docker", recipe_hash="ab" * 20, image_id="sha256:cd34cd34cd34ef", python="3.11.7",
                versions={framework: "2.0"}, cpu_model="A processor",
            )  # fmt: skip
            pairs.append((job, result))
    return pairs


TIMES: dict[str, tuple[float, float, float]] = {
    "tf": (1.0, 1.01, 1.02),
    "torch": (2.0, 2.02, 2.04),
    "tf_paper": (3.0, 3.1, 3.2),
}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "run")
    store.keep_suite(SUITES_DIR / "kovalev2016.yaml")
    return store


def page(store: RunStore, pairs: list[Pair]) -> tuple[str, Summary]:
    summary = summary_of(pairs)
    return as_page(store, summary, pairs, "bench report RUN"), summary


def rows(text: str, section: str) -> list[list[str]]:
    """Return the cells of a section's first table, without its header."""
    part = text.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in part.split("<details>")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_said_as_published_and_matched_stand_side_by_side(store: RunStore) -> None:
    text, summary = page(store, pairs_of(**TIMES))
    found = {row[1]: row for row in rows(text, "Said, as published, and matched")}
    assert set(found) == {"tf (Tensorflow)", "torch (Torch)"}
    cells = {(cell.framework, cell.variant): cell for cell in summary.cells if cell.epochs == 2}
    tf = found["tf (Tensorflow)"]
    assert tf[4:] == [
        interval(cells["tf", "paper"].train_seconds),
        "0.920",
        interval(cells["tf", "matched"].train_seconds),
        "0.920",
    ]
    assert found["torch (Torch)"][4:6] == ["-", "-"], "the run has no such row, and the page does not invent one"


def test_the_studys_own_figures_are_those_of_its_file(store: RunStore) -> None:
    """Read anew from the file, by a line of its own."""
    text, _ = page(store, pairs_of(**TIMES))
    folded = text.split("<summary>After epoch 1</summary>")[1].split("</details>")[0]
    (said,) = re.findall(
        r"^Tensorflow,tanh-1x100,1,([\d.]+),[^,]+,[^,]+,[^,]+,([\d.]+),", FIGURES.read_text(), re.MULTILINE
    )
    (row,) = [line for line in folded.splitlines() if "tf (Tensorflow)" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert float(cells[2]) == pytest.approx(float(said[0]), rel=0.005)
    assert cells[3] == said[1]


def test_what_differs_and_what_the_run_lacks_is_said(store: RunStore) -> None:
    text, _ = page(store, pairs_of(**TIMES))
    assert "tf as published: Adam in place of SGD." in text
    assert "Not measured here: Caffe, Deeplearning4J, Keras." in text


def test_the_winner_is_the_tables(store: RunStore) -> None:
    text, _ = page(store, pairs_of(**TIMES))
    assert "the fastest is tf on 1" in text
    matched = rows(text, "Matched, ranked")
    assert [row[1] for row in matched] == ["tf 2.21", "torch 2.13"]
    assert matched[0][3] == "fastest"
    assert "as published" not in " ".join(cell for row in matched for cell in row)


def test_failures_and_provenance_are_on_the_page(store: RunStore) -> None:
    pairs = altered(pairs_of(**TIMES), "tanh-1x100-torch-r1", status="lost", reason="killed by SIGKILL")
    text, _ = page(store, pairs)
    assert "**lost** `tanh-1x100-torch-r1`: killed by SIGKILL" in text
    provenance = rows(text, "Where the numbers come from")
    assert ["tf", "tf 2.0", "3.11.7", "docker", "abababababab", "cd34cd34cd34"] in provenance
    assert "A processor" in text


def test_a_suite_without_a_study_has_a_page_too(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    store.keep_suite(SUITES_DIR / "quick.yaml")
    text, _ = page(store, pairs_of(tf=TIMES["tf"], torch=TIMES["torch"]))
    assert "Said" not in text
    assert "## Matched, ranked" in text


def test_every_figure_of_the_study_has_its_workload() -> None:
    workloads = {item.name for item in load_suite("kovalev2016").workloads}
    figures = read_figures(FIGURES)
    assert {workload for _, workload, _ in figures} == workloads
    assert {epochs for _, _, epochs in figures} == {1, 5, 10}
    assert len(figures) == 16 * 3 * 5
    names = {study.stands_for for study in load_suite("kovalev2016").paper.values()}
    assert names < {framework for framework, _, _ in figures}
    assert figures["Keras", "relu-1x100", 1] == Figure(0.619, 0.046, 0.952)


def test_a_file_that_holds_no_figures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.csv"
    path.write_text("framework,workload\nKeras,mlp\n")
    with pytest.raises(StoreError, match="holds no figures of a study"):
        read_figures(path)
    assert read_figures(tmp_path / "none.csv") == {}
