"""Medians, intervals, ratios and ties: numbers in, numbers out.

An interval is a bootstrap of the median on the logarithms of the rounds, widened for few rounds so that it holds what
it promises (docs/statistics.md). The same values give the same interval, always. Under three rounds there is none.
"""

import statistics
from collections.abc import Mapping, Sequence
from functools import cache
from math import exp, hypot, inf, log
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST = 3
RESAMPLES = 4000
TAIL = 0.05  # left out on either side of the resamples' medians; further out one slow round of ten decides the width
FACTORS = (
    2.986,
    2.553,
    1.181,
    1.580,
    1.643,
    1.593,
    1.973,
    1.588,
    1.240,
    1.490,
    1.425,
    1.405,
    1.577,
    1.528,
    1.669,
    1.493,
    1.797,
    1.495,
)
"""By which the bootstrap's half width is multiplied, from three values on; the last holds for more. With them 96% of
intervals hold the median of lognormal values: a little over the 95% that are promised, for ties and for noise of
another shape. ``python -m benchmarks.coverage --factors`` prints them."""
NARROWER = (
    0.461,
    0.312,
    0.174,
    0.146,
    0.215,
    0.167,
    0.228,
    0.153,
    0.122,
    0.133,
    0.151,
    0.127,
    0.164,
    0.134,
    0.146,
    0.136,
    0.147,
    0.139,
)
"""Of two unpaired medians whose intervals are equally wide: by what share their ratio's is narrower than the hypotenuse
of the two, from three values each on; the last holds for more. Both are widened for what is unknown of one's noise, and
two are seldom off at once. With them 96% of intervals hold the ratio of two equally noisy medians."""


class Estimate(NamedTuple):
    """A median and its 95% interval; the interval is None where there are too few values for one."""

    median: float
    low: float | None
    high: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Return the median of positive values with the interval of the underlying median.

    Raises ValueError for no values, or one that is not a positive number.
    """
    middle = _middle(values)
    return Estimate(middle, None, None) if len(values) < FEWEST else _within(middle, _widened(values))


def unpaired_ratio(values: Sequence[float], base: Sequence[float]) -> Estimate:
    """Return the median of values over that of base, with its interval, where no round of one belongs to the other's.

    Raises ValueError as ``estimate`` does.
    """
    middle = _middle(values) / _middle(base)
    if min(len(values), len(base)) < FEWEST:
        return Estimate(middle, None, None)
    one, other = _widened(values), _widened(base)
    both = hypot(one, other)
    if both == 0:
        return Estimate(middle, middle, middle)
    evenness = (2 * (one / both) * (other / both)) ** 2  # 1: both as wide; 0: one has no width
    return _within(middle, both * (1 - evenness * min(_of_count(NARROWER, values), _of_count(NARROWER, base))))


def _middle(values: Sequence[float]) -> float:
    if not all(0 < value < inf for value in values):
        raise ValueError(f"times and ratios are positive; these are not: {list(values)}")
    return statistics.median(values)


def _widened(values: Sequence[float]) -> float:
    """Return half the width of the interval of the values' median, on the logarithms."""
    return _of_count(FACTORS, values) * half_width([log(value) for value in values])


def _of_count(numbers: Sequence[float], values: Sequence[float]) -> float:
    return numbers[min(len(values) - FEWEST, len(numbers) - 1)]


def _within(middle: float, half: float) -> Estimate:
    if half == 0:
        return Estimate(middle, middle, middle)
    # The bounds keep exp within the numbers that a float can hold.
    low, high = exp(max(log(middle) - half, -700.0)), exp(min(log(middle) + half, 700.0))
    return Estimate(middle, min(low, middle), max(high, middle))


def half_width(logs: Sequence[float]) -> float:
    """Return half of the width that the medians of resamples have, their tails left out."""
    import numpy as np  # here, so that commands which compute nothing do not wait for it

    ordered = np.sort(logs)
    left, right = middles(len(logs))
    medians = (ordered[left] + ordered[right]) / 2
    cut = int(TAIL * RESAMPLES)
    medians.partition((cut, RESAMPLES - 1 - cut))
    return float(medians[-1 - cut] - medians[cut]) / 2


@cache
def middles(count: int) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """Return the places, among so many sorted values, of the two whose mean is the median of each resample.

    The seed is the count. Each resample is there with its mirror image, so that a ratio and its inverse have the same
    interval.
    """
    import numpy as np

    rng = np.random.default_rng(count)
    both = [(count - 1) // 2, count // 2]
    drawn = np.array([np.sort(rng.integers(count, size=count))[both] for _ in range(RESAMPLES // 2)])
    drawn = np.concatenate([drawn, count - 1 - drawn[:, ::-1]])
    return drawn[:, 0], drawn[:, 1]


def ratio(values: Sequence[float], base: Sequence[float]) -> Estimate:
    """Return the median of values / base, paired by round, with its interval."""
    return estimate([value / other for value, other in zip(values, base, strict=True)])


def is_tie(ratio_to_fastest: Estimate) -> bool:
    """Return whether the interval of a ratio includes 1; False where there is no interval to say so."""
    low, high = ratio_to_fastest.low, ratio_to_fastest.high
    return low is not None and high is not None and low <= 1.0 <= high


def geometric_mean(ratios: Mapping[str, Sequence[float]]) -> Estimate:
    """Return the geometric mean over workloads of each one's ratios by round, with its interval.

    A round counts as a whole: its value is the geometric mean of its ratios, and the estimate that of these values.
    Rounds pair from the first on; those that not every workload has are left out. Raises ValueError if no round is
    left.
    """
    return estimate([statistics.geometric_mean(round_ratios) for round_ratios in zip(*ratios.values(), strict=False)])


def spread(values: Sequence[float]) -> float:
    """Return the distance from the smallest to the largest value, over the median; 0.1 is 10%."""
    return (max(values) - min(values)) / statistics.median(values)


def first_epoch_factor(epoch_seconds: Sequence[float]) -> float | None:
    """Return the first epoch's seconds over the median of the later ones; None under three epochs."""
    if len(epoch_seconds) < 3:
        return None
    return epoch_seconds[0] / statistics.median(epoch_seconds[1:])
