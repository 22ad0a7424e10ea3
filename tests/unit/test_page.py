"""The page of a run: each number on it is that of the run or of the study, and what cannot be said is said to be so."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cells import Cell
from orchestrator.errors import StoreError
from orchestrator.report.page import as_page
from orchestrator.report.study import Figure, beside, read_figures, resources, said_of
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
    assert {figure.workload for figure in figures} == workloads
    assert {figure.epochs for figure in figures} == {1, 5, 10}
    assert len(figures) == 16 * 3 * 5
    names = {study.stands_for for study in load_suite("kovalev2016").paper.values()}
    assert names < {figure.framework for figure in figures}
    first = Figure("Keras", "relu-1x100", 1, train_seconds=0.619, predict_seconds=0.046, accuracy=0.952)
    assert figures[0] == first


def test_a_file_that_holds_no_figures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.csv"
    path.write_text("framework,workload\nKeras,mlp\n")
    with pytest.raises(StoreError, match="holds no figures of a study"):
        read_figures(path)
    assert read_figures(tmp_path / "none.csv") == []


# ---------------------------------------------------------------------------- which figure belongs to which row

STUDY = """framework,labels,workload,device,threads,epochs,train_seconds,train_ratio,accuracy,perplexity,cpu_percent
Keras,keras keras:tf2.2,tanh-1x100,cpu,1,2,100,,,,
Keras,keras keras:tf2.2,tanh-1x100,cpu,2,2,60,,,,
Keras,keras keras:tf2.2,tanh-1x100,cpu,,2,,,0.987,,95.5
Keras,keras keras:tf2.2,tanh-1x100,gpu,,2,7,,0.986,,
PyTorch,torch,tanh-1x100,gpu,,2,,1.9,0.765,,
PyTorch,torch,lstm,,,2,,,,114.79,
"""


@pytest.fixture
def said(tmp_path: Path) -> list[Figure]:
    path = tmp_path / "study.csv"
    path.write_text(STUDY)
    return list(read_figures(path))


def cell(**changes: Any) -> Cell:
    (found,) = [item for item in summary_of(pairs_of(tf=TIMES["tf"])).cells if item.epochs == 2]
    return found.model_copy(update={"framework": "keras", "threads": 1, **changes})


def test_a_time_is_that_of_as_many_threads_and_a_score_that_of_the_device(said: list[Figure]) -> None:
    for threads, seconds in ((1, 100.0), (2, 60.0), (3, None)):
        found = said_of(cell(threads=threads), {}, said)
        assert found is not None
        assert (found.train_seconds, found.accuracy, found.cpu_percent) == (seconds, 0.987, 95.5)
    on_gpu = said_of(cell(device="gpu", framework="keras:tf2.2"), {}, said)
    assert on_gpu is not None
    assert (on_gpu.train_seconds, on_gpu.accuracy) == (7.0, 0.986)


def test_nothing_is_said_of_another_framework_workload_or_reading(said: list[Figure]) -> None:
    assert said_of(cell(framework="jax"), {}, said) is None
    assert said_of(cell(workload="tanh-2x100"), {}, said) is None
    assert said_of(cell(epochs=1), {}, said) is None


def test_what_was_said_of_another_device_alone_names_it(said: list[Figure]) -> None:
    line = beside([cell(framework="torch")], {}, said).splitlines()[-1]
    assert "1.9 x fastest (gpu)" in line
    assert "0.765 (gpu)" in line
    assert "(gpu)" not in beside([cell()], {}, said)


def test_a_score_that_is_no_accuracy_has_its_name(said: list[Figure]) -> None:
    text = beside([cell(framework="torch", workload="lstm", perplexity=120.25, accuracy=0.3)], {}, said)
    assert "perplexity 114.8" in text
    assert "perplexity 120.2" in text
    assert "0.300" not in text


def test_nothing_is_said_of_a_scaled_run_and_of_synthetic_data(said: list[Figure]) -> None:
    assert said_of(cell(scale=0.5), {}, said) is None
    assert said_of(cell(synthetic=True), {}, said) is None
    assert "meaningless" in beside([cell(synthetic=True)], {}, said)


def test_a_row_without_a_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.csv"
    path.write_text(STUDY + "PyTorch,torch,other,,,2,,,,,\n")
    with pytest.raises(StoreError, match="no number for PyTorch on other"):
        read_figures(path)


def test_the_resources_that_a_study_gives_are_on_the_page(said: list[Figure]) -> None:
    text = resources([cell()], said)
    assert text is not None
    assert [part.strip() for part in text.splitlines()[-1].strip("|").split("|")] == [
        *("tanh-1x100", "Keras", "cpu", "95.5", "-", "-")
    ]
    assert resources([cell(workload="lstm")], said) is None
    assert resources([cell()], []) is None


def test_the_main_table_has_the_last_reading_of_each_workload(store: RunStore) -> None:
    short = [(job.model_copy(update={"id": f"{job.id}-short", "workload": "relu-1x100", "read_at_epochs": [1]}), result)
             for job, result in pairs_of(tf=TIMES["tf"])]  # fmt: skip
    short = [(job, result.model_copy(update={"job_id": job.id})) for job, result in short if result is not None]
    text, _ = page(store, [*pairs_of(tf=TIMES["tf"]), *short])
    assert {row[0] for row in rows(text, "Matched, ranked")} == {"relu-1x100", "tanh-1x100"}
    folded = text.split("## Matched, ranked")[1].split("<summary>After epoch 1</summary>")[1].split("</details>")[0]
    assert "tanh-1x100" in folded
    assert "relu-1x100" not in folded, "its only reading is its last one"
