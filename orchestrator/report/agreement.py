"""How far frameworks agree on the test rows, row by row: from the predictions that a run keeps of its measured jobs."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from orchestrator.summary import Pair
from workers.spec import MEASURED, Job

Outputs = np.ndarray[Any, Any]
Group = dict[str, tuple[Job, Outputs]]


def agreement(folder: Path, pairs: Sequence[Pair]) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield, for each two frameworks of a workload and round, how many test rows they put in the same class.

    A round has the same weights and batches in every framework, so that only rounding and rightful differences tell
    them apart. Of regression and of language models the largest difference of an output stands alone.
    """
    for group in _groups(folder, pairs).values():
        for one, other in combinations(sorted(group), 2):
            (job, a), (second, b) = group[one], group[other]
            if a.shape != b.shape:
                continue
            classes = _classes(job, a)
            same = None if classes is None else int((classes == _classes(second, b)).sum())
            yield (
                job,
                {
                    "other_framework": second.framework.label,
                    "repeat": job.repeat,
                    "outputs": a.size if classes is None else classes.size,
                    "outputs_alike": same,
                    "share_alike": None if same is None or classes is None else same / classes.size,
                    "largest_difference": float(np.abs(a - b).max()),
                },
            )


def _groups(folder: Path, pairs: Sequence[Pair]) -> dict[tuple[Any, ...], Group]:
    groups: dict[tuple[Any, ...], Group] = {}
    for job, result in pairs:
        if job.kind in MEASURED and job.variant == "matched" and result is not None and result.status == "ok":
            outputs = _outputs(folder / "jobs" / job.id / "predictions.npz")
            if outputs is not None:
                key = job.workload, job.device, job.threads, job.repeat, job.seed, job.recipe.epochs
                groups.setdefault(key, {})[job.framework.label] = (job, outputs)
    return groups


def _outputs(path: Path) -> Outputs | None:
    """Return what a job kept of its test outputs; None where that is not there, or cannot be read."""
    try:
        with np.load(path) as archive:
            arrays = [archive[name] for name in archive.files]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return arrays[0] if len(arrays) == 1 and len(arrays[0]) else None


def _classes(job: Job, outputs: Outputs) -> Outputs | None:
    """Return the class of each row, or of each step or output of one; None where the outputs name no class."""
    kind = job.recipe.loss.kind
    if kind == "binary_cross_entropy":
        return outputs > 0.5
    whole = outputs.shape[-1] == job.model.layers[-1].output_shape[-1] and outputs.ndim > 1
    return outputs.argmax(axis=-1) if kind == "categorical_cross_entropy" and whole else None
