"""Who wins on a workload, by how much, how sure, and where it is a tie: two sentences on each group of cells."""

from collections import Counter
from collections.abc import Sequence

from orchestrator.cells import Estimate
from orchestrator.report.charts.figure import natural
from orchestrator.report.tables import interval, number
from orchestrator.report.tidy import Row


def groups(cells: Sequence[Row]) -> list[list[Row]]:
    """Return the matched cells that are compared with each other, each group's last reading, fastest first."""
    found: dict[tuple[str, str, int], list[Row]] = {}
    for row in cells:
        if row["variant"] == "matched":
            found.setdefault((row["workload"], row["device"], row["threads"]), []).append(row)
    last = {key: max(row["epochs"] for row in rows) for key, rows in found.items()}
    ordered = sorted(found.items(), key=lambda item: (natural(item[0][0]), item[0][1:]))
    return [sorted((row for row in rows if row["epochs"] == last[key]), key=_seconds) for key, rows in ordered]


def _seconds(row: Row) -> float:
    return float("inf") if row["train_seconds"] is None else float(row["train_seconds"])


def sentences(group: Sequence[Row]) -> tuple[str, str]:
    """Return what can be said of a group: the first sentence names the winner, or says why there is none."""
    ranked = [row for row in group if row["ratio"] is not None]
    left = [row["framework"] for row in group if row["ratio"] is None]
    if not ranked:
        return _without_ratios(group)
    best, others = ranked[0], ranked[1:]
    if not best["fastest"]:
        first = (
            f"Nobody is called fastest, since under three rounds there is no interval; {best['framework']} has the "
            f"smallest median, {number(best['train_seconds'])} s of training."
        )
        return first, _last(others, left)
    ties = [row for row in others if row["tie"]]
    beaten = [row for row in others if not row["tie"]]
    time = f"{words(best, 'train_seconds')} s"
    if ties:
        names = ", ".join(f"{row['framework']} (ratio {words(row, 'ratio')})" for row in ties)
        tie = (
            f"A tie: {best['framework']} has the smallest median, {time} of training, but cannot be told from {names}."
        )
        return tie, _last(beaten, left, "Nobody is surely slower than the fastest")
    first = (
        f"{best['framework']} trains fastest, in {time}; the next, {beaten[0]['framework']}, takes "
        f"{words(beaten[0], 'ratio')} times as long."
    )
    return first, _last(beaten[1:], left)


def counted(found: Sequence[Sequence[Row]]) -> list[str]:
    """Return on how many workloads each framework is the fastest, in a sentence; none where there is one group, or
    nobody is called fastest in any."""
    best = [row for group in found for row in group if row["fastest"]]
    if len(found) < 2 or not best:
        return []
    alone = Counter(row["framework"] for row in best if not row["tie"])
    wins = ", ".join(f"{name} on {count}" for name, count in alone.most_common()) or "nobody alone"
    ties = sum(bool(row["tie"]) for row in best)
    tied = {0: "", 1: "; 1 is a tie"}.get(ties, f"; {ties} are ties")
    return [f"Of {len(found)} comparisons, the fastest is {wins}{tied}."]


def _last(slower: Sequence[Row], left: Sequence[str], none: str = "Nobody else is compared") -> str:
    """Return the sentence on the slowest, and on those that are not compared."""
    text = none
    if slower:
        text = f"{slower[-1]['framework']} is the slowest, at {words(slower[-1], 'ratio')} times the smallest"
    return text + (f"; not compared: {', '.join(left)}." if left else ".")


def _without_ratios(group: Sequence[Row]) -> tuple[str, str]:
    measured = [row for row in group if row["comparable"] and row["train_seconds"] is not None]
    reasons = ", ".join(f"{row['framework']} ({row['reason']})" for row in group if row["reason"])
    second = f"Not compared: {reasons}." if reasons else "Nothing else was measured on it."
    if len(measured) == 1:
        (row,) = measured
        return f"{row['framework']} alone is comparable, at {words(row, 'train_seconds')} s of training.", second
    if measured:
        return "Its results come from different machines or engines, so that nothing is compared.", second
    return "No framework has a comparable time here, so there is no winner.", second


def words(row: Row, name: str) -> str:
    """Return a median with its interval, ``1.23 [1.10, 1.38]``, of a row's three columns."""
    if row[name] is None:
        return "-"
    return interval(Estimate(median=row[name], low=row[f"{name}_low"], high=row[f"{name}_high"]))


def place(row: Row) -> str:
    """Return a cell's place in its group, as ``bench show`` words it."""
    if row["reason"] is not None:
        return str(row["reason"])
    if row["ratio"] is None:
        return "-"
    if row["fastest"]:
        return "fastest, tie" if row["tie"] else "fastest"
    return words(row, "ratio") + (" tie" if row["tie"] else "")
