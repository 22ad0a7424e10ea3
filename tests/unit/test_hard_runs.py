"""The made runs are runs: read back whole, each with the difficulty that its name says."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from orchestrator.errors import StoreError
from orchestrator.store import RunStore
from orchestrator.suite import load_suite
from orchestrator.summary import Summary, summarise
from tests.runs import MARKUP, RUNS, large
from workers.spec import MEASURED

SMALL = [name for name in RUNS if name != "large"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunStore]:
    """Return the run of a name, made once for all tests, which leave it as it is."""
    folder = tmp_path_factory.mktemp("runs")
    return cache(lambda name: RunStore(RUNS[name](folder / name)))


def summary_of(store: RunStore) -> Summary:
    return summarise(store.read_info(), store.jobs())


@pytest.mark.parametrize("name", SMALL)
def test_a_made_run_is_read_back_whole(name: str, store: Callable[[str], RunStore]) -> None:
    found = summary_of(store(name))
    assert found.jobs == sum(job.kind in MEASURED for job, _ in store(name).jobs()) > 0
    assert load_suite(str(store(name).suite_file)).suite == found.run.suite


def test_a_result_that_cannot_be_the_jobs_is_refused_in_a_made_run_too(tmp_path: Path) -> None:
    run = RunStore(RUNS["well"](tmp_path / "well"))
    first, second, *_ = sorted(run.folder.glob("jobs/*-r0-*/result.json"))
    second.write_text(first.read_text())
    with pytest.raises(StoreError, match="the result of another job"):
        list(run.jobs())


def test_each_has_its_difficulty(store: Callable[[str], RunStore]) -> None:
    def summary(name: str) -> Summary:
        return summary_of(store(name))

    (failed,) = [gate for gate in summary("failed_gate").gates if not gate.passed]
    assert (failed.workload, failed.framework) == ("mlp", "theano")
    killed = summary("killed_job")
    assert {problem.status for problem in killed.problems} == {"lost", "timeout", "diverged"}
    assert killed.jobs_done == killed.jobs - 1
    missing = summary("missing_framework")
    assert "torch7" in missing.run.unavailable
    assert {problem.status for problem in missing.problems} == {"unsupported"}
    assert not any(cell.fastest for cell in summary("one_repeat").cells)
    assert {cell.framework for cell in summary("one_framework").cells} == {"torch"}
    assert summary("nothing_done").jobs_done == 0
    scored = summary("scores").cells
    assert any(cell.perplexity for cell in scored)
    assert any(cell.squared_error for cell in scored)
    assert all(cell.synthetic and cell.accuracy is None for cell in summary("synthetic").cells)
    assert {cell.variant for cell in summary("study").cells} == {"matched", "paper"}
    assert all(any(used.gpu_watts for used in cell.resources) for cell in summary("gpu").cells)
    marked = summary("markup")
    assert all(MARKUP in cell.workload for cell in marked.cells)
    assert all(MARKUP in text for text in (marked.run.name, *marked.run.unavailable, marked.problems[0].reason))


def test_a_round_of_the_large_run_is_an_eighth_of_ten_thousand_results(tmp_path: Path) -> None:
    folder = large(tmp_path / "large", repeats=1)
    assert len(list(folder.glob("jobs/*-r0-*/result.json"))) * 8 == 10240
