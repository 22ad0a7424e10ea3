"""Scores, learning rates and "did it learn", on values computed by hand."""

from math import exp, log, log1p, sqrt
from typing import Any

import numpy as np
import pytest

from tests.jobs import CATEGORICAL, FLAT, make_job
from workers.schedules import learning_rates
from workers.scoring import learned, probabilities, score
from workers.spec import BinaryCrossEntropy, CategoricalCrossEntropy, MeanSquaredError

CLASSES = CategoricalCrossEntropy(kind="categorical_cross_entropy")
BINARY = BinaryCrossEntropy(kind="binary_cross_entropy")
BINARY_SUM = BinaryCrossEntropy(kind="binary_cross_entropy", over_outputs="sum")
SQUARED = MeanSquaredError(kind="mean_squared_error")
SQUARED_SUM = MeanSquaredError(kind="mean_squared_error", over_outputs="sum")


def single(*rows: Any) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


# ---------------------------------------------------------------------------- loss and accuracy


def test_categorical_cross_entropy() -> None:
    outputs = single([0.0, 0.0], [log(3), 0.0], [log(3), 0.0])  # shares 1/2 1/2, then 3/4 1/4 twice
    loss, accuracy = score(CLASSES, outputs, np.array([1, 0, 1]))
    assert loss == pytest.approx((log(2) + log(4 / 3) + log(4)) / 3, rel=1e-6)
    assert accuracy == pytest.approx(1 / 3)  # the first of two equal outputs counts as the answer


@pytest.mark.parametrize(("loss", "factor"), [(BINARY, 0.5), (BINARY_SUM, 1.0)])
def test_binary_cross_entropy(loss: Any, factor: float) -> None:
    outputs = single([0.0, log(3)], [log(3), -log(3)])  # sigmoid: 1/2 3/4, then 3/4 1/4
    targets = single([1, 1], [0, 0])
    found, accuracy = score(loss, outputs, targets)
    assert found == pytest.approx(factor * ((log(2) + log(4 / 3)) + (log(4) + log(4 / 3))) / 2, rel=1e-6)
    assert accuracy == pytest.approx(2 / 4)  # every output on its own; one half itself is a no


@pytest.mark.parametrize(("loss", "factor"), [(SQUARED, 0.5), (SQUARED_SUM, 1.0)])
def test_mean_squared_error_has_no_accuracy(loss: Any, factor: float) -> None:
    found, accuracy = score(loss, single([1, 2], [3, 4]), single([1, 4], [0, 5]))
    assert found == pytest.approx(factor * ((0 + 4) + (9 + 1)) / 2)
    assert accuracy is None


def test_large_outputs_do_not_overflow() -> None:
    assert score(CLASSES, single([1000, 0]), np.array([1]))[0] == pytest.approx(1000)
    assert score(BINARY, single([1000], [-1000]), single([0], [0]))[0] == pytest.approx(500)


def test_scores_are_computed_in_float64() -> None:
    outputs = np.full((1, 1), 20, dtype=np.float32)
    assert score(BINARY, outputs, single([1]))[0] == pytest.approx(log1p(exp(-20)), rel=1e-9)  # float32 would give 0


def test_an_output_that_is_no_number_is_seen_in_the_loss() -> None:
    assert np.isnan(score(CLASSES, single([np.nan, 0]), np.array([1]))[0])
    assert np.isnan(score(SQUARED, single([np.nan]), single([1]))[0])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (CLASSES, [[0.75, 0.25], [0.5, 0.5]]),
        (BINARY, [[0.75, 0.5], [0.5, 0.5]]),
        (SQUARED, [[log(3), 0.0], [0.0, 0.0]]),
    ],
)
def test_what_a_user_of_the_model_sees(loss: Any, expected: Any) -> None:
    found = probabilities(loss, single([log(3), 0], [0, 0]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# ---------------------------------------------------------------------------- did it learn


def judged(loss: Any, outputs: np.ndarray, targets: np.ndarray) -> str | None:
    return learned(loss, *score(loss, outputs, targets), targets)


def right_in(rows: int, of: np.ndarray) -> np.ndarray:
    """Return logits of two classes that are right in so many first rows and wrong in the rest."""
    answers = np.where(np.arange(len(of)) < rows, of, 1 - of)
    return np.eye(2, dtype=np.float32)[answers]


HALVES = np.array([0, 1] * 50)
# The commonest class has 50 of 100; the standard error is sqrt(0.5 * 0.5 / 100) = 0.05.


def test_classes_at_chance_and_two_standard_errors_are_not_learned() -> None:
    assert judged(CLASSES, right_in(60, HALVES), HALVES) == (
        "test accuracy 0.6000 is not above chance (0.6000 with two standard errors)"
    )
    assert judged(CLASSES, right_in(50, HALVES), HALVES) is not None
    assert judged(CLASSES, right_in(61, HALVES), HALVES) is None


def test_chance_is_the_commonest_class() -> None:
    mostly = np.array([0] * 90 + [1] * 10)
    always = single(*([[1, 0]] * 100))
    bound = 0.9 + 2 * sqrt(0.9 * 0.1 / 100)  # 0.96
    assert judged(CLASSES, always, mostly) == (
        f"test accuracy 0.9000 is not above chance ({bound:.4f} with two standard errors)"
    )
    assert judged(CLASSES, right_in(95, mostly), mostly) is not None
    assert judged(CLASSES, right_in(97, mostly), mostly) is None


def test_chance_of_binary_outputs_is_each_ones_commoner_answer() -> None:
    # The first output is 1 in 80 of 100 rows, the second in 40: chance (0.8 + 0.6) / 2, over 200 answers.
    targets = np.zeros((100, 2), np.float32)
    targets[:80, 0] = 1
    targets[:40, 1] = 1
    bound = 0.7 + 2 * sqrt(0.7 * 0.3 / 200)  # 0.7648
    constant = np.tile(single([1, -1]), (100, 1))
    assert judged(BINARY, constant, targets) == (
        f"test accuracy 0.7000 is not above chance ({bound:.4f} with two standard errors)"
    )
    better = constant.copy()
    better[:12, 1] = 1  # 152 of 200 are right
    assert judged(BINARY, better, targets) is not None
    better[:13, 1] = 1  # 153
    assert judged(BINARY, better, targets) is None


@pytest.mark.parametrize("loss", [SQUARED, SQUARED_SUM])
def test_regression_is_learned_below_the_error_of_the_mean(loss: Any) -> None:
    targets = single([1, 10], [3, 30])
    mean = single([2, 20], [2, 20])
    assert judged(loss, mean, targets) is not None
    assert judged(loss, mean + single([-0.1, 0], [0, 0]), targets) is None
    assert judged(loss, targets, targets) is None


def test_regression_names_both_errors() -> None:
    assert judged(SQUARED, single([4], [4]), single([1], [3])) == (
        "test loss 5 is not below 1, that of always answering the mean"
    )


# ---------------------------------------------------------------------------- learning rates

STEP = {"kind": "step", "every_steps": 3, "factor": 0.5}
RECIPE = {"optimiser": {"kind": "sgd", "learning_rate": 0.8}, "loss": CATEGORICAL}


def rates(first_step: int, steps: int, steps_per_epoch: int = 1, **recipe: Any) -> list[float]:
    job = make_job([{"kind": "dense", "units": 5}], FLAT, **{**RECIPE, **recipe})
    found = learning_rates(job.recipe, first_step, steps, steps_per_epoch)
    assert found.dtype == np.float64
    return list(found)


def test_a_constant_rate() -> None:
    assert rates(7, 3) == [0.8, 0.8, 0.8]


def test_step_decay_falls_after_so_many_steps() -> None:
    assert rates(0, 8, schedule=STEP) == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2])


def test_step_decay_counts_on_from_epoch_to_epoch() -> None:
    whole = rates(0, 10, schedule=STEP)
    assert rates(0, 4, schedule=STEP) + rates(4, 6, schedule=STEP) == pytest.approx(whole)


def test_no_steps_have_no_rates() -> None:
    assert rates(5, 0, schedule=STEP) == []


def test_inverse_decay_is_caffes() -> None:
    inverse = {"kind": "inv", "gamma": 0.5, "power": 2.0}
    assert rates(2, 2, schedule=inverse) == pytest.approx([0.8 / 2.0**2, 0.8 / 2.5**2])


def test_epoch_decay_divides_once_each_epoch_after_so_many() -> None:
    decay = {"kind": "epoch", "after_epochs": 2, "factor": 0.5}
    assert rates(0, 9, steps_per_epoch=2, schedule=decay) == pytest.approx([0.8] * 4 + [0.4] * 2 + [0.2] * 2 + [0.1])


# ---------------------------------------------------------------------------- losses over steps


def test_a_loss_over_steps_is_their_mean_or_their_sum() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 4, 5))
    targets = np.arange(12, dtype=np.int32).reshape(3, 4) % 5
    mean, total = [CategoricalCrossEntropy(kind="categorical_cross_entropy", over_steps=o) for o in ("mean", "sum")]
    flat, accuracy = score(mean, logits.reshape(12, 5), targets.ravel())
    assert score(mean, logits, targets) == pytest.approx((flat, accuracy))
    assert score(total, logits, targets) == pytest.approx((4 * flat, accuracy))
