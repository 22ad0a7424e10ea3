"""The harness beside plain scripts: its epochs and predictions over theirs, by turns in one process of an environment.

A process for each would be what a run has. But on a shared machine two processes, seconds apart, differ by more than
what is looked for; two epochs in a row do not.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from orchestrator import stats
from orchestrator.catalogue import FrameworkEntry
from orchestrator.engines import Prepared
from orchestrator.plan import Plan
from orchestrator.store import RunStore
from tests.contract.environments import run_prepared
from workers.spec import Job, Result

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "beside_plain.py"
WISHED, ASKED = 1.02, 1.05  # ratios to the plain script
SUSPECTS = {
    "training epoch": "something besides the training step runs in it",
    "prediction": "something besides one pass in batches runs in it",
}


class Plain(NamedTuple):
    """What a plain script prints: the seconds of each epoch, and of each prediction of all test rows."""

    epoch_seconds: list[float]
    predict_seconds: list[float]


Both = tuple[Result, Plain]
Samples = tuple[list[float], list[float]]  # the harness's seconds, the plain script's


def beside_plain(
    prepared: Prepared,
    plan: Plan,
    source: Path,
    folder: Path,
    cache: Path,
    *,
    rounds: int,
    defects: Sequence[str] = ("none",),
    cpu_time: bool = False,
) -> dict[str, dict[str, list[Both]]]:
    """Run a plan's trainings, all of one framework, and its plain script; return {workload: {defect: a pair a round}}.

    ``source``: the dataset; ``folder``: an empty one. ``defects``: put into the worker, by their names in
    tests/contract/defects.py. ``cpu_time``: read the process's CPU time, which other processes leave alone.
    """
    store = RunStore(folder / "run")
    store.inputs.mkdir(parents=True)
    (folder / "data").mkdir()
    store.add_data(source, plan.train[0].dataset.checksum)
    write_rows(source, plan.train[0], folder / "data")
    for drawing in plan.weights.values():
        store.add_arrays("weights", drawing.arrays())
    for job in plan.train:
        store.write_job(job)
    shutil.copy(plain_script(prepared.entry), folder / "plain.py")
    if tuple(defects) != ("none",):
        shutil.copy(HERE.parent / "tests" / "contract" / "defects.py", folder / "defects.py")
    settings = {
        "threads": plan.train[0].threads,
        "cpu_time": cpu_time,
        "rounds": rounds,
        "defects": list(defects),
        "jobs": [{"job": job.id, "words": plain_words(prepared.entry, job)} for job in plan.train],
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    run_prepared(prepared, SCRIPT, folder, cache)
    times = json.loads((folder / "times.json").read_text())
    return {
        job.workload: {
            defect: [(Result.model_validate(ours), Plain(**theirs)) for ours, theirs in pairs]
            for defect, pairs in times[job.id].items()
        }
        for job in plan.train
    }


def plain_script(entry: FrameworkEntry) -> Path:
    keras_2 = entry.package == "keras" and entry.version.startswith("2.")
    return HERE / "plain" / f"{'keras2' if keras_2 else entry.name}_plain.py"


def plain_words(entry: FrameworkEntry, job: Job) -> list[str]:
    """Return a plain script's arguments, behind its folder of data."""
    words = [job.workload, str(job.recipe.epochs), "--threads", str(job.threads), "--seed", str(job.seed)]
    return [*words, "--mode", entry.mode] if entry.mode and entry.name != "keras" else words


def write_rows(source: Path, job: Job, folder: Path) -> None:
    """Write the rows that a job trains on and predicts, for its plain script."""
    for array in ("train_x", "train_y", "test_x"):
        rows = job.dataset.test_rows if array == "test_x" else job.dataset.train_rows
        np.save(folder / f"{array}.npy", np.load(source / f"{array}.npy")[:rows])


# ---------------------------------------------------------------------------- what the times say


def steady(result: Result, plain: Plain) -> dict[str, Samples]:
    """Return {what: its seconds}: as many of either side, without the first, in which something may warm up."""
    epochs = [epoch.train_seconds for epoch in result.epochs]
    sides = {
        "training epoch": (epochs, plain.epoch_seconds),
        "prediction": (result.predict_seconds, plain.predict_seconds),
    }
    counts = {what: min(map(len, both)) for what, both in sides.items()}
    return {what: (ours[1 : counts[what]], theirs[1 : counts[what]]) for what, (ours, theirs) in sides.items()}


def samples(pairs: Sequence[Both]) -> Mapping[str, list[Samples]]:
    """Return {what: a pair of samples for each round}."""
    found = [steady(*pair) for pair in pairs]
    return {what: [each[what] for each in found] for what in found[0]}


def over_plain(pairs: Sequence[Samples], of: Callable[[list[float]], float] = min) -> stats.Estimate:
    """Return the ratio of the fastest of either side: on a shared machine, what slows others down is outside them."""
    return stats.estimate([of(ours) / of(theirs) for ours, theirs in pairs])


def reached(value: stats.Estimate) -> str:
    """Return what the whole interval of a ratio to the plain script shows: within which goal it is, or above both."""
    for goal in (WISHED, ASKED):
        if value.high is not None and value.high <= goal:
            return f"within {goal}"
    return "above" if value.low is not None and value.low > ASKED else "not shown"


def slower(label: str, workload: str, what: str, value: stats.Estimate) -> str | None:
    """Return in words that the harness takes longer than the plain script; None where the interval does not show it."""
    if reached(value) != "above":
        return None
    return (
        f"{label} on {workload}: a {what} takes {value.median:.2f} times what its plain script does, "
        f"more than is asked for (at most {ASKED}): {SUSPECTS[what]}."
    )
