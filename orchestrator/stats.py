"""Medians, intervals and ratios: numbers in, numbers out.

Times are treated as lognormal: an interval is Student's t on the logarithms, which at 3 rounds is honest (wide)
where a bootstrap of three values is not. Under three rounds there is no interval.
"""

from collections.abc import Mapping, Sequence
from math import exp, log, sqrt
from statistics import fmean, median, stdev
from typing import NamedTuple

from scipy.special import stdtrit  # Student's t quantile; scipy.stats has it too, and takes a second to import

LEVEL = 0.95
FEWEST = 3


class Estimate(NamedTuple):
    """A median and its 95% interval; the interval is None where there are too few values for one."""

    median: float
    low: float | None
    high: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Return the median of positive values with the interval of the underlying median.

    Raises ValueError for no values, or one that is not positive.
    """
    if any(value <= 0 for value in values):
        raise ValueError(f"times and ratios are positive; these are not: {list(values)}")
    middle = median(values)
    if len(values) < FEWEST:
        return Estimate(middle, None, None)
    logs = [log(value) for value in values]
    centre = fmean(logs)
    half = float(stdtrit(len(logs) - 1, 0.5 + LEVEL / 2)) * stdev(logs) / sqrt(len(logs))
    # The median of a skewed sample may lie outside; an interval that excludes its own estimate helps nobody.
    return Estimate(middle, min(exp(centre - half), middle), max(exp(centre + half), middle))


def ratio(values: Sequence[float], base: Sequence[float]) -> Estimate:
    """Return the median of values / base, paired by round, with its interval."""
    return estimate([value / other for value, other in zip(values, base, strict=True)])


def is_tie(ratio_to_fastest: Estimate) -> bool:
    """Return whether the interval of a ratio includes 1; False where there is no interval to say so."""
    low, high = ratio_to_fastest.low, ratio_to_fastest.high
    return low is not None and high is not None and low <= 1.0 <= high


def geometric_mean(ratios: Mapping[str, Sequence[float]]) -> Estimate:
    """Return the geometric mean over workloads of their paired ratios, round by round."""
    rounds = min(len(values) for values in ratios.values())
    return estimate([exp(fmean(log(values[r]) for values in ratios.values())) for r in range(rounds)])


def spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / median(values)


def first_epoch_factor(seconds: Sequence[float]) -> float | None:
    return seconds[0] / median(seconds[1:]) if len(seconds) > 2 else None
