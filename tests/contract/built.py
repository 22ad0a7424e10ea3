"""Trains a job built as a measured one (compiled beforehand) and as a gate's one (nothing compiled), in one process.

usage: python built.py LABEL FOLDER    with FOLDER/job.json, data.npz and weights.npz
Writes FOLDER/parameters.npz: {compiled|lazy}/{start|end}/TENSOR. Once compiled, PyTorch may compile nothing more.
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
    with open(os.path.join(FOLDER, "job.json")) as file:
        job = Job.model_validate(json.load(file))
    with np.load(os.path.join(FOLDER, "data.npz")) as archive:
        data = dict(archive)
    with np.load(os.path.join(FOLDER, "weights.npz")) as archive:
        weights = {name.replace("|", "/"): archive[name] for name in archive}
    worker = importlib.import_module(f"workers.{NAME}_worker").WORKER()
    worker.open_device("cpu", 1)
    found = {}
    for name, kind in (("compiled", "train"), ("lazy", "parity")):
        worker.build(job.model_copy(update={"kind": kind}), weights)
        for tensor, value in worker.parameters().items():
            found["/".join((name, "start", tensor))] = value
        set_stance(name)
        rows = job.dataset.train_rows
        for _ in range(2):
            handle = staged(worker, job, data["x"][:rows], data["y"][:rows])
            worker.train_epoch(handle, np.full(-(-rows // job.recipe.batch_size), 0.01))
            for count in (job.dataset.test_rows, 1):
                worker.predict(staged(worker, job, data["x"][:count], data["y"][:count]))
        set_stance("lazy")
        for tensor, value in worker.parameters().items():
            found["/".join((name, "end", tensor))] = value
    np.savez(os.path.join(FOLDER, "parameters.npz"), **found)


def set_stance(name):
    if LABEL == "torch:compile":
        import torch

        torch.compiler.set_stance("fail_on_recompile" if name == "compiled" else "default")


main()
