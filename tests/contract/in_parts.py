"""Predicts rows at once and in parts, as the harness scores a language model whose outputs would fill the memory.

``at_once``, ``carried/N`` (part N, the states going on from part to part) and ``anew/N`` (each from zero). Must run on
every Python that a worker runs on.
"""

import json
import os

import numpy as np

from workers.spec import Job
from workers.worker import staged


def predict_in_parts(worker, folder):
    """Train FOLDER/parts.json's job on the rows of parts.npz, so that states are left, and write predicted.npz."""
    with open(os.path.join(folder, "parts.json")) as file:
        task = json.load(file)
    with np.load(os.path.join(folder, "parts.npz")) as archive:
        data = dict(archive)
    job = Job.model_validate(task["job"])
    worker.build(job, {name.replace("|", "/"): a for name, a in data.items() if name not in ("x", "y")})
    x, y, ends = data["x"], data["y"], np.cumsum(task["rows"])
    rows = job.dataset.train_rows
    worker.train_epoch(staged(worker, job, x[:rows], y[:rows]), np.full(-(-rows // job.recipe.batch_size), 0.01))
    parts = [staged(worker, job, x[end - n : end], y[end - n : end]) for n, end in zip(task["rows"], ends)]

    found = {"at_once": worker.predict(staged(worker, job, x, y))}
    worker.reset_states()
    worker.carries_states = True
    found.update(("carried/%d" % number, worker.predict(part)) for number, part in enumerate(parts))
    worker.carries_states = False
    worker.reset_states()
    found.update(("anew/%d" % number, worker.predict(part)) for number, part in enumerate(parts))
    np.savez(os.path.join(folder, "predicted.npz"), **found)
