"""What a comparison says, in words: the cells of its table and the lines below it."""

from collections.abc import Callable, Iterable

from orchestrator.changes import QUANTITIES, Change
from orchestrator.comparison import Comparison
from orchestrator.counterparts import Compared, Place
from orchestrator.report.tables import interval, number

HEADERS = (
    "workload",
    "framework",
    "verdict",
    "training s, A -> B",
    "B / A [95%]",
    "predict",
    "build",
    "memory",
    "score",
)
LEFT = 3  # so many columns are words; the rest are numbers


def rows(comparison: Comparison) -> list[list[str]]:
    """Return the table's cells as text, in the columns of HEADERS."""
    name = _workload_names(comparison)
    return [
        [
            name(row),
            row.framework + ("" if row.version_a == row.version_b else f" {row.version_a} -> {row.version_b}"),
            ", ".join(filter(None, (row.verdict, row.how_sure, "noisy" if row.warnings and row.how_sure else None))),
            f"{number(row.train_seconds.a)} -> {number(row.train_seconds.b)}",
            interval(row.train_seconds.ratio),
            *(_ratio(getattr(row, name), comparison.threshold) for name in QUANTITIES),
            _score(row),
        ]
        for row in comparison.rows
    ]


def caption(comparison: Comparison) -> str:
    a, b = comparison.run_a, comparison.run_b
    return (
        f"A: {a.name}, {a.engine}, started {a.started}. B: {b.name}, {b.engine}, started {b.started}. Medians over "
        f"rounds, B / A with its interval at 95%; of prediction, build and peak memory B / A alone."
    )


def changed_lines(comparison: Comparison) -> list[str]:
    """Return what differs between compared rows, each text once, with the rows that it holds for."""
    return _grouped(comparison, ((row, "; ".join(row.changed)) for row in comparison.rows if row.changed))


def only_lines(comparison: Comparison) -> list[str]:
    """Return the rows that only one run has."""
    return [
        *_grouped(comparison, ((place, "only in A") for place in comparison.only_a)),
        *_grouped(comparison, ((place, "only in B") for place in comparison.only_b)),
    ]


def reason_lines(comparison: Comparison) -> list[str]:
    """Return why rows are not comparable."""
    return _grouped(comparison, ((row, "; ".join(row.reasons)) for row in comparison.rows if row.reasons))


def _ratio(change: Change, threshold: float) -> str:
    """Return ``1.31 higher``: the word where the interval does not hold 1 and the ratio is beyond the threshold."""
    if change.ratio is None:
        return "-"
    ratio = change.ratio.median
    word = change.change if change.change in ("higher", "lower") and max(ratio, 1 / ratio) > threshold else None
    return " ".join(filter(None, (number(ratio), word)))


def _score(row: Compared) -> str:
    """Return the first score there is, and the others that moved beyond their tolerance."""
    shown = [score for place, score in enumerate(row.scores) if place == 0 or score.change != "unchanged"]
    return (
        "; ".join(
            f"{score.metric.replace('_', ' ')} {number(score.a, 4)} -> {number(score.b, 4)}"
            + ("" if score.change == "unchanged" else f" {score.change} (over {score.tolerance})")
            for score in shown
        )
        or "-"
    )


def _workload_names(comparison: Comparison) -> Callable[[Place], str]:
    """Return what names a row's workload: with its device, threads, epochs where there is more than one of them."""
    places = [*comparison.rows, *comparison.only_a, *comparison.only_b]
    settings = {(place.device, place.threads) for place in places}
    readings: dict[str, set[int]] = {}
    for place in places:
        readings.setdefault(place.workload, set()).add(place.epochs)

    def name(place: Place) -> str:
        words = [f"epoch {place.epochs}"] if len(readings[place.workload]) > 1 else []
        words += [place.device, f"{place.threads} threads"] if len(settings) > 1 else []
        words += ["paper"] if place.variant == "paper" else []
        return place.workload + (f" ({', '.join(words)})" if words else "")

    return name


def _grouped(comparison: Comparison, said: Iterable[tuple[Place, str]]) -> list[str]:
    """Return each text once, with the rows that it is said of: ``torch on cnn, mlp: version 2.12 -> 2.13``."""
    found: dict[tuple[str, str], list[Place]] = {}
    for place, text in said:
        found.setdefault((place.framework, text), []).append(place)
    name = _workload_names(comparison)
    return [
        f"{framework} on {', '.join(dict.fromkeys(map(name, places)))}: {text}"
        for (framework, text), places in found.items()
    ]
