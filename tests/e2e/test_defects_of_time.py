"""Defects that leave the numbers right and the time wrong: the comparison with the plain script finds them by name."""

from pathlib import Path

import pytest

from benchmarks import beside
from benchmarks.sampling import SUITE
from orchestrator import datasets
from orchestrator.plan import make_plan
from orchestrator.request import Request
from orchestrator.stats import Estimate
from tests.contract.environments import prepare

ROUNDS = 9
ROWS = 1536  # 12 batches, so that what an epoch costs once does not count as if each batch did
EPOCHS = 4
DEFECTS = ("none", "extra_forward_pass", "row_by_row")


@pytest.fixture(scope="module")
def ratios(data_dir: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Estimate]]:
    """{defect: {what: the worker's seconds over the plain script's}} of PyTorch's worker on the convolutional network.

    Its forward pass is a third of a training step.
    """
    request = Request(frameworks="torch", suite=str(SUITE), workloads="cnn", threads=[1], repeats=1)
    plan = make_plan(request.model_copy(update={"epochs": [EPOCHS], "limit_rows": ROWS}), [0])
    source = datasets.prepare("mnist", cache, data_dir, progress=False)
    prepared, folder = prepare("torch", cache), tmp_path_factory.mktemp("beside_plain")
    found = beside.beside_plain(prepared, plan, source, folder, cache, rounds=ROUNDS, defects=DEFECTS, cpu_time=True)
    for pairs in found["cnn"].values():
        assert {result.status for result, _ in pairs} == {"ok"}, "no other check sees these defects"
    return {
        defect: {what: beside.over_plain(own) for what, own in beside.samples(pairs).items()}
        for defect, pairs in found["cnn"].items()
    }


def lines(ratios: dict[str, Estimate]) -> list[str]:
    return [line for what, value in ratios.items() if (line := beside.slower("torch", "cnn", what, value))]


def test_a_right_worker_is_not_called_slower(ratios: dict[str, dict[str, Estimate]]) -> None:
    assert lines(ratios["none"]) == [], ratios


def test_an_extra_forward_pass_is_reported_as_a_slower_epoch(ratios: dict[str, dict[str, Estimate]]) -> None:
    (line,) = lines(ratios["extra_forward_pass"])
    assert line.startswith("torch on cnn: a training epoch takes 1."), ratios
    assert "times what its plain script does, more than is asked for (at most 1.05)" in line
    assert line.endswith("something besides the training step runs in it.")


def test_prediction_row_by_row_is_reported_as_a_slower_prediction(ratios: dict[str, dict[str, Estimate]]) -> None:
    (line,) = lines(ratios["row_by_row"])
    assert line.startswith("torch on cnn: a prediction takes "), ratios
    assert line.endswith("something besides one pass in batches runs in it.")


def test_each_goal_is_judged_by_the_whole_interval() -> None:
    said = {
        "within 1.02": Estimate(1.0, 0.9, 1.02),
        "within 1.05": Estimate(1.0, 0.9, 1.03),
        "not shown": Estimate(1.2, 1.05, 1.4),
        "above": Estimate(1.2, 1.06, 1.4),
    }
    assert {words: beside.reached(value) for words, value in said.items()} == {words: words for words in said}
    assert beside.reached(Estimate(1.5, None, None)) == "not shown", "under three pairs there is no interval"
