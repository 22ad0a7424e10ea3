"""The two runs of a comparison, read whole, or refused with everything that is wrong with either."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.documents import RunInfo
from orchestrator.errors import StoreError, UsageError
from orchestrator.store import RunStore
from orchestrator.summary import Pair
from workers.spec import MEASURED


@dataclass(frozen=True)
class Side:
    """A run that is compared. ``pairs``: its jobs with the results there are."""

    info: RunInfo
    pairs: Sequence[Pair]

    @property
    def measured(self) -> list[Pair]:
        return [(job, result) for job, result in self.pairs if job.kind in MEASURED]


def read_sides(run_a: Path, run_b: Path, mistakes: Sequence[str] = ()) -> tuple[Side, Side]:
    """Return the runs of two folders. ``mistakes``: what else is wrong with what was asked.

    Raises UsageError if there are mistakes, else StoreError, either with all that is wrong with the folders too.
    """
    sides: list[Side] = []
    wrong: list[str] = []
    for folder in (run_a, run_b):
        try:
            sides.append(_read(folder))
        except StoreError as error:
            wrong.append(str(error))
    wrong = list(dict.fromkeys(wrong))  # a folder that is given twice is wrong once
    if mistakes:
        raise UsageError([*mistakes, *wrong])
    if wrong:
        raise StoreError("\n".join(wrong))
    a, b = sides
    return a, b


def _read(folder: Path) -> Side:
    store = RunStore(folder)
    side = Side(store.read_info(), list(store.jobs()))
    missing = sum(result is None for _, result in side.measured)
    if missing:
        raise StoreError(
            f"{folder} is not finished: {missing} of its {len(side.measured)} jobs have no result, so that its rows "
            f"would change yet. `bench orchestrate --run {folder}` goes on with it; then compare."
        )
    if not side.measured:
        raise StoreError(f"{folder} holds no measured job: there is nothing to compare. Give another run.")
    return side
