"""How each training went, epoch by epoch, as tidy CSV: convergence against epochs and against seconds."""

import csv
import io
from collections.abc import Iterable

from orchestrator.summary import Pair
from workers.spec import MEASURED, Epoch

JOB = ("variant", "workload", "dataset", "synthetic", "scale", "framework", "version", "device", "threads", "repeat")
SUMS = ("train_seconds_so_far", "train_seconds")
SCORES = tuple(name for name in Epoch.model_fields if name != "train_seconds")


def as_csv(pairs: Iterable[Pair]) -> str:
    """Return one line per epoch of every measured job that has any, whatever became of it; empty: not known.

    ``train_seconds_so_far``: of this and all earlier epochs, without evaluation.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*JOB, "status", "epoch", *SUMS, *SCORES])
    for job, result in pairs:
        if job.kind not in MEASURED or result is None:
            continue
        facts = (
            *(job.variant, job.workload, job.dataset.name, job.dataset.synthetic, job.scale),
            *(job.framework.label, job.framework.version, job.device, job.threads, job.repeat),
        )
        so_far = 0.0
        for number, epoch in enumerate(result.epochs, start=1):
            so_far += epoch.train_seconds
            scores = (getattr(epoch, name) for name in SCORES)
            writer.writerow([*facts, result.status, number, so_far, epoch.train_seconds, *scores])
    return buffer.getvalue()
