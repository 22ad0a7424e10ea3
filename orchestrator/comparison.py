"""Two runs, row by row: faster, slower, unchanged or not comparable, and what is decided of that. Pure.

``Comparison`` is exactly what ``bench compare --format json`` prints.
"""

from collections.abc import Iterable, Sequence

from orchestrator import errors, notes
from orchestrator.cells import Row, read_cell
from orchestrator.counterparts import Compared, Place, compare_rows, place_of
from orchestrator.documents import RunInfo
from orchestrator.sides import Side
from orchestrator.summary import grouped, setting
from workers.compat import Literal
from workers.spec import Record

THRESHOLD = 1.05
MOST_NAMED = 5  # workloads, in a sentence


class Comparison(Record):
    """Two runs compared. ``only_a``, ``only_b``: rows that the other run does not have. ``decided``: in words."""

    schema_version: Literal[1] = 1
    threshold: float
    across_hosts: bool
    run_a: RunInfo
    run_b: RunInfo
    exit_code: int
    decided: list[str]
    rows: list[Compared]
    only_a: list[Place]
    only_b: list[Place]
    notes: list[str]


Rows = dict[tuple[object, ...], dict[str, Row]]  # place -> setting -> row


def compare(a: Side, b: Side, threshold: float = THRESHOLD, across_hosts: bool = False) -> Comparison:
    """Return what became of A's rows in B. ``across_hosts``: another host is named, and no reason not to compare."""
    rows_a, left = _rows(a), _rows(b)
    heard = _of_both(_notes(a, rows_a), _notes(b, left))
    rows: list[Compared] = []
    only_a: list[Place] = []
    for place, found in rows_a.items():
        for computed, row in found.items():
            counterpart = _taken(left.get(place, {}), computed, leave=found)
            if counterpart is None:
                only_a.append(place_of(row))
            else:
                rows.append(compare_rows((row, a.info), (counterpart, b.info), threshold, across_hosts))
    exit_code, decided = _decision(rows, threshold)
    return Comparison(
        threshold=threshold,
        across_hosts=across_hosts,
        run_a=a.info,
        run_b=b.info,
        exit_code=exit_code,
        decided=decided,
        rows=rows,
        only_a=only_a,
        only_b=[place_of(row) for found in left.values() for row in found.values()],
        notes=[*_of_runs(a, b), *heard],
    )


def _rows(side: Side) -> Rows:
    """Return a run's rows; one that was continued with other options has several in one place."""
    found: Rows = {}
    for row in (row for rows in grouped(side.measured) for row in rows.values()):
        place = tuple(place_of(row).model_dump().values())
        found.setdefault(place, {})[setting(row.rounds[0][0])] = row
    return found


def _taken(rows: dict[str, Row], computed: str, leave: Iterable[str]) -> Row | None:
    """Take the row of the same setting out of those, else one whose own setting is not among ``leave``."""
    if computed not in rows:
        computed = next((other for other in rows if other not in leave), computed)
    return rows.pop(computed, None)


def _decision(rows: Sequence[Compared], threshold: float) -> tuple[int, list[str]]:
    """Return the exit code with what was decided, and why."""
    asked = [row for row in rows if not row.unsupported]
    compared = [row for row in asked if row.verdict != "not comparable"]
    slower = [row for row in compared if row.verdict == "slower" and row.beyond]
    worse = [row for row in compared if any(score.change == "worse" for score in row.scores)]
    said = []
    if slower:
        said.append(
            f"Slower: {_named(slower)}. The whole interval of the training time's ratio lies above {threshold:g}."
        )
        noisy = [row for row in slower if row.warnings]
        if noisy:
            said.append(f"Noisy: {_named(noisy)}. Measure both again on a quiet machine before you believe it.")
    if worse:
        said.append(f"Worse: {_named(worse)}. A score is worse by more than its tolerance.")
    if len(compared) < len(asked):
        said.append(f"Not comparable: {_named([row for row in asked if row.verdict == 'not comparable'])}.")
    if not compared:
        return errors.NOT_COMPARED, [*said, "No row could be compared, so nothing is decided."]
    if not slower and not worse:
        none = "No row" if len(compared) == len(asked) else "Of those that could be compared, none"
        said.insert(0, f"{none} is slower by more than {100 * (threshold - 1):.3g}% for sure, and no score is worse.")
    code = errors.WORSE if slower or worse else errors.NOT_COMPARED if len(compared) < len(asked) else errors.OK
    return code, said


def _named(rows: Sequence[Compared]) -> str:
    """Return rows in few words: ``tf on mlp; torch on cnn, mlp``."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.framework, []).append(row.workload)
    workloads = {framework: list(dict.fromkeys(names)) for framework, names in found.items()}
    return "; ".join(
        f"{framework} on {', '.join(names) if len(names) <= MOST_NAMED else f'{len(names)} workloads'}"
        for framework, names in workloads.items()
    )


def _of_runs(a: Side, b: Side) -> list[str]:
    """Return what a reader must know of the two runs as a whole."""
    found = []
    if (a.info.name, a.info.started) == (b.info.name, b.info.started):
        found.append("A and B are one run, or copies of it: what was measured once is compared with itself.")
    if a.info.suite != b.info.suite:
        found.append(f"A is of suite {a.info.suite}, B of {b.info.suite}: rows are matched by their workloads' names.")
    if a.info.altered != b.info.altered:
        old, new = (", ".join(side.info.altered) or "nothing" for side in (a, b))
        found.append(f"What is altered in the suite differs: {old} -> {new}.")
    if not any(result.environment.cpu_model for side in (a, b) for _, result in side.measured if result):
        found.append("No processor's model is known, in neither run: they may be of different machines.")
    return found


def _of_both(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return the notes of each run, those of both once."""
    return (
        [f"A and B: {text}" for text in old if text in new]
        + [f"A: {text}" for text in old if text not in new]
        + [f"B: {text}" for text in new if text not in old]
    )


def _notes(side: Side, rows: Rows) -> list[str]:
    cells = [read_cell(row, {}) for found in rows.values() for row in found.values()]
    return [
        *notes.of_unavailable(side.info.unavailable),
        *notes.of_jobs(side.measured),
        *notes.of_cells(cells),
    ]
