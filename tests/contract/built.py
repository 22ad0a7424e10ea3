"""Trains jobs built as measured ones (compiled beforehand) and as a gate's (nothing compiled), in one process.

usage: python built.py LABEL FOLDER    with FOLDER/JOB/job.json, data.npz and weights.npz of each job
Writes FOLDER/JOB/parameters.npz: {compiled|lazy}/{start|end}/TENSOR. Once compiled, PyTorch may compile nothing more.
"""

import importlib
import json
import os
import sys

LABEL, FOLDER = sys.argv[1:]
NAME, _, MODE = LABEL.partition(":")
NAME = NAME.split("@")[0]
os.environ["BENCH_MODE"] = MODE

from workers import threads  # noqa: E402

threads.pin(1, [])

import numpy as np  # noqa: E402

from workers.spec import Job  # noqa: E402
from workers.worker import staged  # noqa: E402


def main():
    worker = importlib.import_module(f"workers.{NAME}_worker").WORKER()
    worker.open_device("cpu", 1)
    for name in sorted(os.listdir(FOLDER)):
        train_both(worker, os.path.join(FOLDER, name))


def train_both(worker, folder):
    with open(os.path.join(folder, "job.json")) as file:
        job = Job.model_validate(json.load(file))
    with np.load(os.path.join(folder, "data.npz")) as archive:
        data = dict(archive)
    with np.load(os.path.join(folder, "weights.npz")) as archive:
        weights = {name.replace("|", "/"): archive[name] for name in archive}
    found = {}
    for name, kind in (("compiled", "train"), ("lazy", "parity")):
        if name == "compiled":
            worker.warm_up(job, weights)
        worker.build(job.model_copy(update={"kind": kind}), weights)
        for tensor, value in worker.parameters().items():
            found["/".join((name, "start", tensor))] = value
        set_stance(name)
        rows = job.dataset.train_rows
        for _ in range(2):
            handle = staged(worker, job, data["x"][:rows], data["y"][:rows])
            worker.reset_states()  # as the harness does before each epoch
            worker.train_epoch(handle, np.full(-(-rows // job.recipe.batch_size), 0.01))
            for count in (job.dataset.test_rows, 1):
                worker.predict(staged(worker, job, data["x"][:count], data["y"][:count]))
        set_stance("lazy")
        for tensor, value in worker.parameters().items():
            found["/".join((name, "end", tensor))] = value
    np.savez(os.path.join(folder, "parameters.npz"), **found)


def set_stance(name):
    if LABEL == "torch:compile":
        import torch

        torch.compiler.set_stance("fail_on_recompile" if name == "compiled" else "default")


main()
