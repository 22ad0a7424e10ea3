"""Medians, intervals, ratios and ties: hand-computed values, and by simulation what an interval promises."""

from math import exp, log, sqrt

import numpy as np
import pytest

from orchestrator.stats import Estimate, estimate, is_tie, ratio

SIMULATIONS = 2000
T_975 = {2: 4.302653, 4: 2.776445, 9: 2.262157}  # Student's t by degrees of freedom, from a printed table


def test_the_interval_is_students_t_on_the_logarithms() -> None:
    half = T_975[2] * log(2) / sqrt(3)  # the logarithms of 1, 2, 4 are 0, log 2, 2 log 2: deviation log 2
    found = estimate([4.0, 1.0, 2.0])
    assert found.median == 2.0
    assert found.low == pytest.approx(2 * exp(-half), rel=1e-6)
    assert found.high == pytest.approx(2 * exp(half), rel=1e-6)


def test_the_estimate_is_the_median_and_the_interval_that_of_the_logarithms_mean() -> None:
    # The logarithms over log 2 are 0, 0, 0, 1, 4: mean 1, squared deviations 1 + 1 + 1 + 0 + 9 = 12.
    half = T_975[4] * sqrt(12 / 4) * log(2) / sqrt(5)
    found = estimate([1.0, 1.0, 1.0, 2.0, 16.0])
    assert found.median == 1.0
    assert found.low == pytest.approx(2 * exp(-half), rel=1e-6)
    assert found.high == pytest.approx(2 * exp(half), rel=1e-6)


def test_an_interval_never_excludes_its_own_estimate() -> None:
    assert estimate([1.0] * 90 + [1e6] * 10).low == 1.0
    assert estimate([1.0] * 90 + [1e-6] * 10).high == 1.0


def test_equal_values_leave_no_width() -> None:
    assert estimate([3.0, 3.0, 3.0]) == pytest.approx((3.0, 3.0, 3.0))


@pytest.mark.parametrize(("values", "median"), [([5.0], 5.0), ([1.0, 3.0], 2.0)])
def test_under_three_values_there_is_no_interval(values: list[float], median: float) -> None:
    assert estimate(values) == Estimate(median, None, None)


@pytest.mark.parametrize("values", [[], [0.0], [1.0, -1.0], [1.0, 2.0, 0.0]])
def test_only_positive_values_have_an_estimate(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no median for empty data|times and ratios are positive"):
        estimate(values)


def test_a_ratio_pairs_by_round() -> None:
    """Rounds differ by a factor of 100, the two sides by exactly two: the pairs see it."""
    found = ratio([2.0, 200.0, 20.0], [1.0, 100.0, 10.0])
    assert found == pytest.approx((2.0, 2.0, 2.0))


def test_a_ratio_is_the_median_of_ratios() -> None:
    half = T_975[2] * log(2) / sqrt(3)
    found = ratio([1.0, 2.0, 12.0], [1.0, 1.0, 3.0])
    assert found == pytest.approx((2.0, 2 * exp(-half), 2 * exp(half)), rel=1e-6)


def test_a_ratio_needs_as_many_rounds_on_both_sides() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("interval", "tie"),
    [
        ((0.9, 1.1), True),
        ((1.0, 1.1), True),
        ((0.9, 1.0), True),
        ((1.001, 1.1), False),
        ((0.9, 0.999), False),
        ((None, None), False),
    ],
)
def test_a_tie_is_an_interval_that_includes_one(interval: tuple[float | None, float | None], tie: bool) -> None:
    assert is_tie(Estimate(1.0, *interval)) is tie


# ---------------------------------------------------------------------------- what an interval promises


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_95_of_100_intervals_hold_the_true_median(rounds: int) -> None:
    samples = np.random.default_rng(rounds).lognormal(mean=log(7.0), sigma=0.3, size=(SIMULATIONS, rounds)).tolist()
    found = [estimate(sample) for sample in samples]
    assert 0.93 <= share([item.low <= 7.0 <= item.high for item in found if item.low and item.high]) <= 0.97


def times(median: float, noise: float, rounds: int, rng: np.random.Generator) -> list[float]:
    sample: list[float] = (median * rng.lognormal(sigma=noise, size=rounds)).tolist()
    return sample


def test_two_copies_of_one_framework_are_a_tie() -> None:
    rng = np.random.default_rng(0)
    ties = [is_tie(ratio(times(2.0, 0.05, 10, rng), times(2.0, 0.05, 10, rng))) for _ in range(SIMULATIONS)]
    assert share(ties) >= 0.93


@pytest.mark.parametrize("rounds", [3, 10])
def test_ten_percent_slower_under_one_percent_of_noise_is_no_tie(rounds: int) -> None:
    rng = np.random.default_rng(0)
    found = [ratio(times(2.2, 0.01, rounds, rng), times(2.0, 0.01, rounds, rng)) for _ in range(200)]
    assert not any(is_tie(item) for item in found)
    assert all(item.low is not None and item.low > 1 for item in found)
    assert all(item.median == pytest.approx(1.1, rel=0.05) for item in found)
