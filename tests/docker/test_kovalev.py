"""A study's suite in real containers, on real data: its frameworks and their modes, both variants, the run's page."""

from pathlib import Path

import pytest

from orchestrator.documents import RunInfo
from orchestrator.engines.docker import DockerEngine
from orchestrator.store import RunStore
from orchestrator.summary import Summary, summarise
from tests.commands import bench

# What the study had (PyTorch for Torch7), and their modes of today; the other frameworks are in test_main_job.py.
LABELS = ("tf", "tf:eager", "tf:xla", "torch", "torch:compile", "keras", "keras:torch", "keras:jax", "theano")
SMALL = ("--workloads", "tanh-1x100", "--epochs", "1,2", "--limit-rows", "2000", "--repeats", "1", "--threads", "1")


@pytest.fixture(scope="module")
def run(docker_engine: DockerEngine, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one workload of the suite, at a small scale, in every framework and mode."""
    folder = tmp_path_factory.mktemp("kovalev")
    arguments = ("--suite", "kovalev2016", "--variant", "both", "--frameworks", ",".join(LABELS), "--engine", "docker")
    done = bench("orchestrate", *arguments, *SMALL, "--data-dir", data_dir, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tf:xla: kovalev2016 did not have it, so it has no row of variant paper." in done.stdout
    (found,) = (folder / "runs").iterdir()
    return found


def summary_of(run: Path) -> tuple[RunInfo, Summary]:
    store = RunStore(run)
    info = store.read_info()
    return info, summarise(info, store.jobs())


def test_every_mode_is_a_row_with_its_own_time_to_compile(run: Path) -> None:
    info, summary = summary_of(run)
    matched = [cell for cell in summary.cells if cell.variant == "matched"]
    assert {cell.framework for cell in matched} == set(LABELS)
    assert {cell.epochs for cell in matched} == {1, 2}
    assert all(cell.parity == "passed" and cell.comparable for cell in matched)
    assert all(cell.build_seconds for cell in matched)
    built = {cell.framework: cell.build_seconds or 0.0 for cell in matched}
    assert built["tf:xla"] > built["tf:eager"], "XLA compiles, eager TensorFlow does not"
    assert {cell.framework: cell.compile_cache for cell in matched if cell.compile_cache} == {
        "theano": "warm",
        "torch:compile": "warm",
    }
    assert info.altered == ["2 epochs", "at most 2,000 rows"]


def test_all_compute_the_same(run: Path) -> None:
    _, summary = summary_of(run)
    accuracies = [cell.accuracy for cell in summary.cells if cell.variant == "matched" and cell.epochs == 2]
    assert len(accuracies) == len(LABELS)
    assert all(value is not None and value > 0.5 for value in accuracies)
    assert max(accuracies) - min(accuracies) <= 0.005  # type: ignore[type-var, operator]


def test_the_study_as_published_carries_its_words_and_is_never_ranked(run: Path) -> None:
    _, summary = summary_of(run)
    paper = [cell for cell in summary.cells if cell.variant == "paper"]
    assert {cell.framework for cell in paper} == {"keras", "tf", "torch"}
    for cell in paper:
        assert cell.differs
        assert (cell.comparable, cell.ratio, cell.fastest, cell.tie) == (False, None, False, None)
        assert cell.parity == "passed", "it computes what it says, defects included"
    words = {cell.framework: " ".join(cell.differs) for cell in paper}
    assert "trains on across the repeats" in words["keras"]
    assert "Adam at 0.01" in words["tf"]
    assert "sigmoid in the tanh tests" in words["torch"]


def test_the_page_puts_them_beside_the_studys_own_figures(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    made = bench("report", run, "--output", page, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    text = page.read_text(encoding="utf-8")
    folded = text.split("<summary>After epoch 1</summary>")[1]
    (said,) = [line for line in folded.splitlines() if "keras (Keras)" in line]
    assert "0.785" in said, "what the study printed for one epoch of tanh-1x100 in Keras"
    assert "sigmoid in the tanh tests" in text
