"""What became of a quantity and of a score from one run to another, and the verdict on training time. Pure."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from orchestrator import stats
from orchestrator.cells import Cell, Estimate, as_record, build_seconds
from workers.compat import Literal
from workers.spec import Record, Result

Verdict = Literal["faster", "slower", "unchanged", "not comparable"]


class Change(Record):
    """A quantity in both runs: medians over the rounds, and B's over A's, unpaired.

    ``ratio`` is null where there is nothing to divide or the rows are not comparable; ``change``: which side of 1 its
    whole interval lies on.
    """

    a: float | None = None
    b: float | None = None
    ratio: Estimate | None = None
    change: Literal["higher", "lower", "unchanged"] | None = None


class Score(Record):
    """A score in both runs, medians over the rounds. ``change``: beyond the tolerance, else ``unchanged``."""

    metric: str
    a: float
    b: float
    tolerance: str
    change: Literal["better", "worse", "unchanged"]


class Tolerance(NamedTuple):
    """How far a score may move. An absolute distance, or a share of what it was."""

    allowed: float
    relative: bool
    higher_is_better: bool

    def __str__(self) -> str:
        return f"{self.allowed:.0%}" if self.relative else f"{self.allowed:g}"


ACCURACY = Tolerance(0.01, relative=False, higher_is_better=True)
ERROR = Tolerance(0.05, relative=True, higher_is_better=False)
SCORES = {
    "accuracy": ACCURACY,
    "validation_accuracy": ACCURACY,
    "perplexity": ERROR,
    "squared_error": ERROR,
    "absolute_error": ERROR,
}

QUANTITIES: Mapping[str, Callable[[Result], float | None]] = {
    "predict_seconds": lambda result: median(result.predict_seconds) if result.predict_seconds else None,
    "build_seconds": lambda result: build_seconds(result.phases),
    "peak_rss_bytes": lambda result: result.peak_rss_bytes,
}


def change_of(a: Sequence[float], b: Sequence[float], comparable: bool) -> Change:
    """Return what became of the values of A's rounds in B's; without a ratio where they mean different things."""
    change = Change(a=median(a) if a else None, b=median(b) if b else None)
    if comparable and a and b and min(*a, *b) > 0:
        ratio = stats.unpaired_ratio(b, a)
        change.ratio = as_record(ratio)
        if ratio.low is not None and ratio.high is not None:
            change.change = "higher" if ratio.low > 1 else "lower" if ratio.high < 1 else "unchanged"
    return change


def scores_of(a: Cell, b: Cell) -> list[Score]:
    """Return what became of the scores that both have; none where the data are random numbers."""
    found: list[Score] = []
    if a.synthetic:
        return found
    for metric, tolerance in SCORES.items():
        old, new = getattr(a, metric), getattr(b, metric)
        if old is None or new is None:
            continue
        allowed = tolerance.allowed * (old if tolerance.relative else 1) + 1e-9  # 0.98 - 0.97 is over 0.01, in floats
        change: Literal["better", "worse", "unchanged"] = "unchanged"
        if abs(new - old) > allowed:
            change = "better" if (new > old) == tolerance.higher_is_better else "worse"
        found.append(Score(metric=metric, a=old, b=new, tolerance=str(tolerance), change=change))
    return found


def verdict(ratio: Estimate | None, threshold: float, noisy: bool) -> tuple[Verdict, bool, str | None]:
    """Return what a ratio with an interval says, whether all of it is beyond the threshold, and how sure that is.

    ``noisy``: the interval knows of the rounds' spread, but not of what a loaded machine did to one run as a whole.
    """
    assert ratio is not None
    assert ratio.low is not None
    assert ratio.high is not None
    word: Verdict = "slower" if ratio.low > 1 else "faster" if ratio.high < 1 else "unchanged"
    nearest, furthest = (ratio.low, ratio.high) if ratio.median >= 1 else (1 / ratio.high, 1 / ratio.low)
    limit = f"{100 * (threshold - 1):.3g}%"
    surely = "" if noisy else "surely "
    if nearest > threshold:
        return word, True, f"{surely}over {limit}"
    within = max(furthest, 1 / nearest) <= threshold
    return word, False, f"{surely}under {limit}" if within else f"maybe over {limit}"
