"""Simulates what the intervals promise: how many hold the true median, and how often equal frameworks tie.

``python -m benchmarks.coverage`` prints the tables of docs/statistics.md; ``--factors`` the widening factors
and, behind them, the narrowing shares of orchestrator/stats.py.
"""

import argparse
from collections.abc import Callable, Sequence
from math import log, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from orchestrator import comparison, errors, stats
from orchestrator.sides import Side
from tests.unit.made_runs import INFO, made_run, summary_of

ROUNDS = (3, 5, 10, 20)
SLOW_SHARE, SLOW_FACTOR = 0.1, 1.3
AIM = 0.96
SAMPLES = 4000
RUNS = 2000

Values = NDArray[np.float64]
Interval = tuple[float, float]


class Noise(NamedTuple):
    """Lognormal noise of the given deviation; if contaminated, a tenth of the rounds is slower besides."""

    sigma: float
    contaminated: bool = False

    def __str__(self) -> str:
        return f"{self.sigma:g}" + (", 10% slow" if self.contaminated else "")

    def draw(self, rng: np.random.Generator, samples: int, rounds: int) -> Values:
        """Return samples x rounds times of a framework that takes about a second."""
        slow = rng.random((samples, rounds)) < (SLOW_SHARE if self.contaminated else 0)
        return np.asarray(rng.lognormal(sigma=self.sigma, size=(samples, rounds)) * np.where(slow, SLOW_FACTOR, 1.0))

    @property
    def median(self) -> float:
        """The true median of these times, by bisection."""
        share, normal = SLOW_SHARE if self.contaminated else 0.0, NormalDist(0, self.sigma)
        low, high = 1.0, SLOW_FACTOR
        for _ in range(60):
            middle = (low + high) / 2
            below = (1 - share) * normal.cdf(log(middle)) + share * normal.cdf(log(middle / SLOW_FACTOR))
            low, high = (middle, high) if below < 0.5 else (low, middle)
        return low


NOISES = (Noise(0.01), Noise(0.05), Noise(0.3), Noise(0.01, contaminated=True), Noise(0.05, contaminated=True))


# ---------------------------------------------------------------------------- methods


def chosen(values: Values) -> Interval:
    """Return the interval of this project."""
    found = stats.estimate(values.tolist())
    if found.low is None or found.high is None:
        raise ValueError("no interval")
    return found.low, found.high


def students_t(values: Values) -> Interval:
    """Return Student's t on the logarithms."""
    logs, rounds = np.log(values), len(values)
    half = float(stdtrit(rounds - 1, 0.975)) * logs.std(ddof=1) / sqrt(rounds)
    return float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))


def _medians(ordered: Values) -> Values:
    left, right = stats.middles(len(ordered))
    return np.asarray((ordered[left] + ordered[right]) / 2)


def percentile(values: Values) -> Interval:
    """Return the 2.5% and 97.5% percentiles of the resamples' medians."""
    low, high = np.quantile(_medians(np.sort(values)), [0.025, 0.975])
    return float(low), float(high)


METHODS: dict[str, Callable[[Values], Interval]] = {
    "this project's": chosen,
    "Student's t on logarithms": students_t,
    "percentile bootstrap": percentile,
}


# ---------------------------------------------------------------------------- simulations


def coverage(method: Callable[[Values], Interval], noise: Noise, rounds: int, samples: int) -> float:
    """Return the share of samples whose interval holds the true median."""
    truth = noise.median
    drawn = noise.draw(np.random.default_rng([rounds, samples]), samples, rounds)
    return sum(low <= truth <= high for low, high in map(method, drawn)) / samples


def tie_rate(noise: Noise, rounds: int, runs: int, workers: int = 2) -> float:
    """Return the share of runs, summed up as any run is, where workers of equal speed are all named a tie."""
    rng = np.random.default_rng([rounds, runs, workers])
    pairs = made_run({("mlp", f"copy{number}"): [1.0] * rounds for number in range(workers)})
    trained = [result for job, result in pairs if job.kind == "train" and result]
    ties = 0
    for _ in range(runs):
        for result, seconds in zip(trained, noise.draw(rng, workers, rounds).ravel(), strict=True):
            for epoch in result.epochs:
                epoch.train_seconds = float(seconds) / len(result.epochs)
        ties += all(cell.tie for cell in summary_of(pairs).cells)
    return ties / runs


def unpaired_coverage(noise: Noise, other: Noise, rounds: tuple[int, int], samples: int) -> float:
    """Return the share of samples whose interval of an unpaired ratio holds the true ratio of the medians."""
    truth = other.median / noise.median
    rng = np.random.default_rng([*rounds, samples])
    base, values = noise.draw(rng, samples, rounds[0]), other.draw(rng, samples, rounds[1])
    found = map(stats.unpaired_ratio, values.tolist(), base.tolist())
    return sum(item.low <= truth <= item.high for item in found if item.low and item.high) / samples


def unchanged_rate(noise: Noise, rounds: int, runs: int) -> tuple[float, float]:
    """Return the shares of pairs of equal runs that are unchanged, and that fail as worse, compared as any runs are."""
    rng = np.random.default_rng([rounds, runs])
    sides = [Side(INFO, made_run({("mlp", "torch"): [1.0] * rounds})) for _ in range(2)]
    trained = [result for side in sides for _, result in side.measured if result]
    unchanged = failed = 0
    for _ in range(runs):
        for result, seconds in zip(trained, noise.draw(rng, 2, rounds).ravel(), strict=True):
            for epoch in result.epochs:
                epoch.train_seconds = float(seconds) / len(result.epochs)
        found = comparison.compare(sides[0], sides[1])
        unchanged += found.rows[0].verdict == "unchanged"
        failed += found.exit_code == errors.WORSE
    return unchanged / runs, failed / runs


def factor(rounds: int, samples: int = 40_000) -> float:
    """Return the factor at which the interval of that many lognormal values holds their median as often as aimed."""
    rng = np.random.default_rng(0)
    logs = rng.standard_normal((samples, rounds))
    pivots = [abs(np.median(sample)) / stats.half_width(sample) for sample in logs]
    return float(np.quantile(pivots, AIM))


def narrower(rounds: int, samples: int = 30_000) -> float:
    """Return the share at which the unpaired interval of that many lognormal values each holds as often as aimed."""
    rng = np.random.default_rng(1)
    logs = rng.standard_normal((2, samples, rounds))
    widened = stats.FACTORS[min(rounds - stats.FEWEST, len(stats.FACTORS) - 1)]
    one, other = (widened * np.array([stats.half_width(sample) for sample in side]) for side in logs)
    both = np.hypot(one, other)
    off = abs(np.median(logs[0], axis=1) - np.median(logs[1], axis=1))
    return float(np.quantile((1 - off / both) / (2 * one * other / both**2) ** 2, 1 - AIM))


def table(head: str, rows: dict[str, list[float]], noises: Sequence[Noise | str] = NOISES) -> str:
    """Return a Markdown table of shares in percent, a column for each noise."""
    lines = [f"| {head} | " + " | ".join(map(str, noises)) + " |", "|:---|" + "---:|" * len(noises)]
    return "\n".join(lines + [table_row(name, shares) for name, shares in rows.items()])


def table_row(name: str, shares: Sequence[float]) -> str:
    return f"| {name} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--factors",
        action="store_true",
        help="print the widening factors, and the narrowing shares of two runs (minutes)",
    )
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples per share of intervals")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs per share of ties")
    asked = parser.parse_args()
    if asked.factors:
        for rounds in range(stats.FEWEST, stats.FEWEST + len(stats.FACTORS)):
            print(rounds, f"{factor(rounds):.3f} {narrower(rounds):.3f}", flush=True)
        return
    for rounds in ROUNDS:
        rows = {
            name: [coverage(method, noise, rounds, asked.samples) for noise in NOISES]
            for name, method in METHODS.items()
        }
        print(f"\n{table(f'{rounds} rounds', rows)}", flush=True)
    ties = {f"{rounds} rounds": [tie_rate(noise, rounds, asked.runs) for noise in NOISES] for rounds in ROUNDS}
    print(f"\n{table('two equal workers', ties)}", flush=True)
    some = (Noise(0.05), Noise(0.05, contaminated=True))
    three = {f"{rounds} rounds": [tie_rate(noise, rounds, asked.runs, 3) for noise in some] for rounds in ROUNDS}
    print(f"\n{table('three equal workers, all tied', three, some)}", flush=True)
    _print_unpaired(asked.samples, asked.runs)


def _print_unpaired(samples: int, runs: int) -> None:
    """Print what is promised of two runs, whose rounds are not paired."""
    counts = [*((rounds, rounds) for rounds in ROUNDS), (3, 10), (10, 3)]
    rows = {
        " and ".join(map(str, pair)) + " rounds": [
            *(unpaired_coverage(noise, noise, pair, samples) for noise in NOISES),
            unpaired_coverage(NOISES[0], NOISES[1], pair, samples),
        ]
        for pair in counts
    }
    print(f"\n{table('two runs', rows, (*NOISES, '0.01, then 0.05'))}", flush=True)
    rates = {rounds: [unchanged_rate(noise, rounds, runs) for noise in NOISES] for rounds in ROUNDS}
    for place, head in enumerate(("equal runs, unchanged", "equal runs, called worse")):
        shares = {f"{rounds} rounds": [rate[place] for rate in found] for rounds, found in rates.items()}
        print(f"\n{table(head, shares)}", flush=True)


if __name__ == "__main__":
    main()
