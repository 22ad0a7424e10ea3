"""Medians, intervals, ratios and ties: hand-computed values, and by simulation what an interval promises."""

import random
import subprocess
import sys
from collections import Counter
from itertools import product
from math import exp, isfinite, log, sqrt
from statistics import median

import numpy as np
import pytest

from benchmarks.coverage import (
    NOISES,
    Noise,
    coverage,
    factor,
    narrower,
    percentile,
    table_row,
    tie_rate,
    unpaired_coverage,
)
from benchmarks.coverage import SAMPLES as PRINTED_SAMPLES
from benchmarks.coverage import chosen as this_projects
from orchestrator import stats
from orchestrator.catalogue import ROOT
from orchestrator.stats import (
    Estimate,
    estimate,
    first_epoch_factor,
    geometric_mean,
    half_width,
    is_tie,
    middles,
    ratio,
    spread,
    unpaired_ratio,
)

SAMPLES = 2000


# ---------------------------------------------------------------------------- the interval


def test_of_three_values_the_bootstrap_reaches_from_the_smallest_to_the_largest() -> None:
    half = stats.FACTORS[0] * log(4) / 2  # 7 of the 27 resamples of three values have the smallest as their median
    assert estimate([4.0, 1.0, 2.0]) == pytest.approx((2.0, 2 * exp(-half), 2 * exp(half)), rel=1e-9)


@pytest.mark.parametrize("logs", [[0.0, 1.0, 5.0], [0.0, 0.1, 1.0, 3.0, 3.5]])
def test_the_half_width_is_that_of_every_resample_there_is(logs: list[float]) -> None:
    medians = sorted(median(resample) for resample in product(logs, repeat=len(logs)))
    cut = int(0.05 * len(medians))
    assert half_width(logs) == pytest.approx((medians[-1 - cut] - medians[cut]) / 2)


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_the_drawn_medians_are_as_frequent_as_among_all_resamples(count: int) -> None:
    places = [sorted(resample) for resample in product(range(count), repeat=count)]
    every = Counter((sample[(count - 1) // 2], sample[count // 2]) for sample in places)
    drawn = Counter((int(left), int(right)) for left, right in zip(*middles(count), strict=True))
    assert set(drawn) <= set(every)
    for pair, times in every.items():
        assert drawn[pair] / stats.RESAMPLES == pytest.approx(times / len(places), abs=0.025)


@pytest.mark.parametrize("count", [3, 10])
def test_each_resample_has_its_mirror_image(count: int) -> None:
    left, right = middles(count)
    assert Counter(zip(left.tolist(), right.tolist(), strict=True)) == Counter(
        zip((count - 1 - right).tolist(), (count - 1 - left).tolist(), strict=True)
    )


def test_the_factor_grows_where_there_are_few_rounds_and_the_last_one_holds_for_more() -> None:
    many = [exp(place / 100) for place in range(200)]
    expected = stats.FACTORS[-1] * half_width([log(value) for value in many])
    found = estimate(many)
    assert found.high is not None
    assert log(found.high / found.median) == pytest.approx(expected)
    assert stats.FACTORS[0] == max(stats.FACTORS)


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_the_factors_are_those_that_a_simulation_gives(rounds: int) -> None:
    assert stats.FACTORS[rounds - 3] == pytest.approx(factor(rounds, samples=4000), rel=0.06)


@pytest.mark.parametrize("seed", range(20))
def test_an_interval_is_positive_and_holds_its_own_estimate(seed: int) -> None:
    rng = random.Random(seed)
    for rounds in range(3, 26):
        for scale in (1e-12, 0.1, 5.0, 100.0):
            found = estimate([exp(scale * rng.gauss(0, 1)) for _ in range(rounds)])
            assert found.low is not None
            assert found.high is not None
            assert 0 < found.low <= found.median <= found.high
            assert isfinite(found.high)


def test_the_same_values_in_any_order_give_the_same_interval_in_any_process() -> None:
    values = [1.0, 1.5, 1.2, 1.1, 1.3, 1.05, 1.25]
    code = f"from orchestrator.stats import estimate; print(tuple(estimate({values[::-1]})))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(tuple(estimate(values)))


@pytest.mark.parametrize("rounds", [3, 5, 10, 21])
def test_equal_values_leave_no_width(rounds: int) -> None:
    assert estimate([3.0] * rounds) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize(("values", "middle"), [([5.0], 5.0), ([1.0, 3.0], 2.0)])
def test_under_three_values_there_is_no_interval(values: list[float], middle: float) -> None:
    assert estimate(values) == Estimate(middle, None, None)


@pytest.mark.parametrize("values", [[], [0.0], [1.0, -1.0], [1.0, 2.0, 0.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_only_positive_numbers_have_an_estimate(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no median for empty data|times and ratios are positive"):
        estimate(values)


# ---------------------------------------------------------------------------- ratios and ties


def test_a_ratio_pairs_by_round() -> None:
    """Rounds differ by a factor of 100, the two sides by exactly two: the pairs see it."""
    assert ratio([2.0, 200.0, 20.0], [1.0, 100.0, 10.0]) == (2.0, 2.0, 2.0)


def test_a_ratio_is_the_median_of_ratios() -> None:
    assert ratio([1.0, 2.0, 12.0], [1.0, 1.0, 3.0]) == estimate([1.0, 2.0, 4.0])


@pytest.mark.parametrize("rounds", [3, 5, 7, 9])
def test_the_ratio_the_other_way_round_has_the_inverse_interval(rounds: int) -> None:
    rng = random.Random(rounds)
    some, others = ([exp(rng.gauss(0, 0.3)) for _ in range(rounds)] for _ in range(2))
    there, back = ratio(some, others), ratio(others, some)
    assert back.low is not None
    assert back.high is not None
    assert there == pytest.approx((1 / back.median, 1 / back.high, 1 / back.low))


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


# ---------------------------------------------------------------------------- rounds that are not paired


def test_of_unpaired_rounds_the_ratio_is_that_of_the_medians_in_any_order() -> None:
    values, base = [2.0, 8.0, 4.0, 2.2], [1.0, 0.5, 2.0]
    found = unpaired_ratio(values, base)
    assert found.median == pytest.approx(3.1)
    assert unpaired_ratio(sorted(values), base[::-1]) == found
    assert unpaired_ratio(base, values) == pytest.approx((1 / found.median, 1 / found.high, 1 / found.low))  # type: ignore[operator]


def test_an_unpaired_interval_is_narrower_than_the_hypotenuse_and_wider_than_either_side() -> None:
    values = [1.0, 1.1, 1.3]
    alone, both = estimate(values), unpaired_ratio(values, values)
    assert alone.high is not None
    assert both.high is not None
    half = log(alone.high / alone.median)
    assert log(both.high) == pytest.approx(half * sqrt(2) * (1 - stats.NARROWER[0]))


def test_beside_values_without_noise_the_interval_is_the_other_sides() -> None:
    values = [1.0, 1.1, 1.3, 1.2]
    assert unpaired_ratio(values, [1.0, 1.0, 1.0]) == pytest.approx(estimate(values))
    assert unpaired_ratio([2.0] * 3, [1.0] * 5) == (2.0, 2.0, 2.0)


def test_of_unequal_counts_the_interval_is_not_narrowed_more_than_that_of_either() -> None:
    few, many = [1.0, 1.1, 1.3], [exp(place / 100) for place in range(10)]
    one, other = (log(found.high / found.median) for found in map(estimate, (few, many)) if found.high)
    evenness = (2 * one * other / (one**2 + other**2)) ** 2
    found = unpaired_ratio(few, many)
    assert found.high is not None
    half = sqrt(one**2 + other**2) * (1 - min(stats.NARROWER[0], stats.NARROWER[7]) * evenness)
    assert log(found.high / found.median) == pytest.approx(half)


@pytest.mark.parametrize(("values", "base"), [([1.0, 3.0], [1.0, 1.0, 1.0]), ([1.0, 3.0, 2.0], [1.0])])
def test_under_three_rounds_on_either_side_there_is_no_interval(values: list[float], base: list[float]) -> None:
    assert unpaired_ratio(values, base) == (2.0, None, None)


@pytest.mark.parametrize("values", [[], [0.0, 1.0, 1.0], [1.0, float("nan"), 1.0]])
def test_only_positive_numbers_have_an_unpaired_ratio(values: list[float]) -> None:
    for sides in ((values, [1.0, 1.0, 1.0]), ([1.0, 1.0, 1.0], values)):
        with pytest.raises(ValueError, match=r"no median for empty data|times and ratios are positive"):
            unpaired_ratio(*sides)


# ---------------------------------------------------------------------------- over workloads


def test_the_geometric_mean_is_taken_round_by_round() -> None:
    found = geometric_mean({"mlp": [1.0, 2.0, 8.0], "cnn": [4.0, 8.0, 2.0]})
    assert found == pytest.approx(estimate([2.0, 4.0, 4.0]))


def test_workloads_that_vary_against_each_other_leave_no_width() -> None:
    """Resampled apart, each workload would vary by a factor of four; a round as a whole never does."""
    assert geometric_mean({"mlp": [1.0, 2.0, 4.0], "cnn": [4.0, 2.0, 1.0]}) == pytest.approx((2.0, 2.0, 2.0))


def test_the_geometric_mean_uses_the_rounds_that_every_workload_has() -> None:
    found = geometric_mean({"mlp": [1.0, 2.0, 3.0, 100.0], "cnn": [1.0, 2.0, 3.0]})
    assert found == pytest.approx(estimate([1.0, 2.0, 3.0]))
    assert geometric_mean({"mlp": [1.0, 2.0], "cnn": [4.0, 2.0, 1.0]}) == pytest.approx((2.0, None, None))


@pytest.mark.parametrize("ratios", [{}, {"mlp": []}, {"mlp": [1.0], "cnn": []}])
def test_without_a_round_there_is_no_geometric_mean(ratios: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="no median for empty data"):
        geometric_mean(ratios)


# ---------------------------------------------------------------------------- what to warn of


def test_the_spread_is_the_range_over_the_median() -> None:
    assert spread([2.0, 1.9, 2.2]) == pytest.approx(0.15)
    assert spread([2.0]) == 0.0


def test_the_first_epoch_is_held_to_the_median_of_the_later_ones() -> None:
    assert first_epoch_factor([6.0, 2.0, 3.0, 100.0]) == pytest.approx(2.0)
    assert first_epoch_factor([6.0, 2.0]) is None


# ---------------------------------------------------------------------------- what an interval promises


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_of_ten_rounds_93_to_97_of_100_intervals_hold_the_true_median(noise: Noise) -> None:
    assert 0.93 <= coverage(this_projects, noise, 10, SAMPLES) <= 0.97


@pytest.mark.parametrize("rounds", [3, 5, 20, 29, 50])
def test_with_fewer_and_more_rounds_nearly_as_many_do(rounds: int) -> None:
    assert 0.94 <= coverage(this_projects, Noise(0.05), rounds, SAMPLES) <= 0.98


def test_the_simulation_sees_a_method_that_covers_too_little() -> None:
    """The range of three values holds the median but for the two samples of eight that lie on one side of it."""
    assert coverage(percentile, Noise(0.05), 3, SAMPLES) == pytest.approx(0.75, abs=0.03)


def test_the_true_median_of_contaminated_noise_is_that_of_many_draws() -> None:
    for noise in NOISES:
        drawn = np.median(noise.draw(np.random.default_rng(0), 1, 400_000))
        assert noise.median == pytest.approx(float(drawn), rel=4 * noise.sigma / sqrt(400_000) * 1.5)


@pytest.mark.parametrize("noise", [Noise(0.01), Noise(0.3), Noise(0.05, contaminated=True)], ids=str)
@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_two_copies_of_one_worker_are_a_tie_in_95_of_100_runs(rounds: int, noise: Noise) -> None:
    assert tie_rate(noise, rounds, SAMPLES) >= 0.95


def test_narrower_intervals_make_ties_too_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "FACTORS", tuple(0.8 * number for number in stats.FACTORS))
    assert tie_rate(Noise(0.05), 10, SAMPLES) < 0.95
    assert coverage(this_projects, Noise(0.05), 10, SAMPLES) < 0.93


@pytest.mark.parametrize("rounds", [3, 10])
def test_ten_percent_slower_under_one_percent_of_noise_is_no_tie(rounds: int) -> None:
    rng, noise = np.random.default_rng(0), Noise(0.01)
    slower, faster = 1.1 * noise.draw(rng, 200, rounds), noise.draw(rng, 200, rounds)
    found = [ratio(*pair) for pair in zip(slower.tolist(), faster.tolist(), strict=True)]
    assert sum(is_tie(item) for item in found) <= (4 if rounds == 3 else 0)  # three rounds cannot always tell
    assert all(item.median == pytest.approx(1.1, rel=0.05) for item in found)


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_of_two_runs_of_ten_rounds_93_to_97_of_100_intervals_hold_the_true_ratio(noise: Noise) -> None:
    """Where some rounds are slow besides, they are up to one in a hundred too careful."""
    found = unpaired_coverage(noise, noise, (10, 10), SAMPLES)
    assert 0.93 <= found <= (0.98 if noise.contaminated else 0.97)


@pytest.mark.parametrize("rounds", [(3, 3), (5, 5), (20, 20), (3, 10), (10, 3), (25, 30)])
def test_of_two_runs_of_fewer_or_unequal_rounds_nearly_as_many_do(rounds: tuple[int, int]) -> None:
    assert 0.94 <= unpaired_coverage(Noise(0.05), Noise(0.05), rounds, SAMPLES) <= 0.98
    assert 0.93 <= unpaired_coverage(Noise(0.01), Noise(0.05), rounds, SAMPLES) <= 0.98


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_the_narrowing_is_what_a_simulation_gives(rounds: int) -> None:
    assert stats.NARROWER[rounds - 3] == pytest.approx(narrower(rounds, samples=4000), abs=0.03)


def test_an_interval_that_is_narrowed_too_much_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "NARROWER", tuple(number + 0.2 for number in stats.NARROWER))
    assert unpaired_coverage(Noise(0.05), Noise(0.05), (10, 10), SAMPLES) < 0.93


PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")


def test_the_page_prints_what_the_simulation_gives() -> None:
    shares = [coverage(this_projects, noise, 10, PRINTED_SAMPLES) for noise in NOISES]
    section = PAGE.split("| 10 rounds | 0.01")[1].split("\n\n")[0]
    assert table_row("this project's", shares) in section.splitlines()
    assert ", ".join(f"{number:.3f}" for number in stats.FACTORS) in " ".join(PAGE.split())


def test_the_page_prints_what_the_simulation_of_two_runs_gives() -> None:
    share = unpaired_coverage(Noise(0.05), Noise(0.05), (10, 10), PRINTED_SAMPLES)
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| 10 and 10 rounds |"))
    assert row.split(" | ")[2] == f"{100 * share:.1f}"
    assert ", ".join(f"{number:.3f}" for number in stats.NARROWER) in " ".join(PAGE.split())
