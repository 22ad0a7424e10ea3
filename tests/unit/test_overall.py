"""Over several workloads: the geometric mean of paired ratios, of those frameworks that are comparable on each."""

import numpy as np
import pytest

from orchestrator.summary import Pair
from tests.unit.made_runs import TIMES, altered, made_job, made_result, made_run, summary_of, with_failed_gate


def round_means(framework: str, base: str) -> list[float]:
    """Return, for each round, the geometric mean over both workloads, computed anew."""
    ratios = [np.array(TIMES[workload, framework]) / np.array(TIMES[workload, base]) for workload in ("mlp", "cnn")]
    means: list[float] = np.exp(np.mean(np.log(ratios), axis=0)).tolist()
    return means


def test_each_framework_has_its_mean_ratio_to_the_fastest() -> None:
    found = summary_of(made_run()).overall
    assert [item.framework for item in found] == ["torch", "tf", "theano"]
    assert [item.workloads for item in found] == [2, 2, 2]
    for item in found:
        assert item.ratio.median == pytest.approx(float(np.median(round_means(item.framework, "torch"))), rel=1e-6)
    assert (found[0].fastest, found[0].ratio.median) == (True, 1.0)
    assert [item.tie for item in found] == [False, False, False]


def test_equal_frameworks_tie_overall() -> None:
    times = {(workload, name): (1.0, 1.1, 1.2) for workload in ("mlp", "cnn") for name in ("tf", "torch")}
    times["mlp", "torch"] = (1.01, 1.09, 1.2)
    found = summary_of(made_run(times)).overall
    assert [item.tie for item in found] == [True, True]


def test_one_that_is_not_comparable_somewhere_is_left_out() -> None:
    failed = summary_of(with_failed_gate(made_run(), "mlp", "tf")).overall
    assert [item.framework for item in failed] == ["torch", "theano"]
    lost = summary_of(altered(made_run(), "cnn-torch-r1", status="lost", reason="killed")).overall
    assert [item.framework for item in lost] == ["tf", "theano"]


def test_one_workload_has_no_mean() -> None:
    assert summary_of(made_run({key: value for key, value in TIMES.items() if key[0] == "mlp"})).overall == []


def test_under_three_rounds_there_is_no_winner_overall() -> None:
    found = summary_of(made_run({key: seconds[:2] for key, seconds in TIMES.items()})).overall
    assert [(item.fastest, item.tie, item.ratio.low) for item in found] == [(False, None, None)] * 3


def test_the_variant_of_a_study_has_no_part_in_it() -> None:
    pairs: list[Pair] = [
        (job.model_copy(update={"variant": "paper"}), result) for job, result in made_run() if job.kind == "train"
    ]
    summary = summary_of(pairs)
    assert summary.overall == []
    assert {(cell.variant, cell.comparable, cell.fastest) for cell in summary.cells} == {("paper", False, False)}


def test_one_training_is_read_at_each_of_its_readings() -> None:
    pairs: list[Pair] = []
    for repeat in range(3):
        job = made_job("mlp", "tf", repeat, read_at_epochs=[1, 2])
        pairs.append((job, made_result(job, 4.0)))
    first, last = summary_of(pairs).cells
    assert first.train_seconds is not None
    assert last.train_seconds is not None
    assert (first.epochs, first.train_seconds.median, first.accuracy) == (1, 1.0, 0.5)
    assert (last.epochs, last.train_seconds.median) == (2, 4.0)
    assert last.accuracy == pytest.approx(0.92)


def test_two_experiments_of_one_workload_are_never_pooled() -> None:
    """A run that was continued with other options holds both."""
    pairs = made_run({("mlp", "tf"): (1.0, 1.0, 1.0)})
    for repeat in range(3):
        job = made_job("mlp", "tf", repeat)
        recipe = job.recipe.model_copy(update={"batch_size": 64})
        pairs.append((job.model_copy(update={"id": f"other-{repeat}", "recipe": recipe}), made_result(job, 9.0)))
    found = {cell.batch_size: cell.train_seconds.median for cell in summary_of(pairs).cells if cell.train_seconds}
    assert found == {16: 1.0, 64: 9.0}
