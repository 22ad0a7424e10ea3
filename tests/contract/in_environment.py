"""Runs many gate cases in one process of a framework's own environment (Theano compiles for seconds per process).

usage: python in_environment.py LABEL FOLDER    with FOLDER/cases.json: [{name, record, job, change}]
Writes FOLDER/verdicts.json: {case: its verdict, or what is refused, or how it crashed}.
Must run on every Python that a worker runs on.
"""

import importlib
import json
import os
import sys
import traceback

LABEL, FOLDER = sys.argv[1:]
NAME, _, os.environ["BENCH_MODE"] = LABEL.partition(":")  # as the harness does, before the worker is imported
FRAMEWORK = NAME.split("@")[0]

from workers import threads  # noqa: E402

threads.pin(2, [])

import numpy as np  # noqa: E402

from workers import parity  # noqa: E402
from workers.refusal import refused  # noqa: E402
from workers.spec import Job  # noqa: E402


def second_bias(worker):
    """PyTorch's second LSTM bias, left at something else than zero."""
    build = worker.build

    def build_with_bias(job, weights):
        build(job, weights)
        for module in worker.model.modules():
            if hasattr(module, "bias_hh_l0"):
                module.bias_hh_l0.data.fill_(0.01)

    worker.build = build_with_bias


def dropout_always(worker):
    """Evaluation that forgets to switch dropout off (Chainer in DLBench)."""
    build = worker.build

    def build_and_never_evaluate(job, weights):
        build(job, weights)
        worker.model.eval = lambda: worker.model.train(True)

    worker.build = build_and_never_evaluate


def dropout_never(worker):
    """Training that never switches dropout on (PyTorch 0.4 in DLBench)."""
    from torch.nn import Module

    build = worker.build

    def build_and_never_train(job, weights):
        build(job, weights)
        worker.model.train = lambda mode=True: Module.train(worker.model, False)

    worker.build = build_and_never_train


def own_weights(worker):
    """Weights that the worker initialises itself."""
    build = worker.build
    worker.build = lambda job, weights: build(job, {name: value + np.float32(0.01) for name, value in weights.items()})


def without_numpy(worker):
    """No defect: NumPy's arithmetic raises while the worker trains, so that only the framework can compute.

    Where a framework itself computes with NumPy, what its package calls is the framework's.
    """
    train_epoch = worker.train_epoch

    def guarded(function):
        def call(*args, **kwargs):
            if worker.computes_with_numpy is None or calling_package() != worker.computes_with_numpy:
                raise AssertionError("NumPy's arithmetic was used inside train_epoch")
            return function(*args, **kwargs)

        return call

    def train_without_numpy(handle, rates):
        kept = {name: getattr(np, name) for name in ("matmul", "dot", "einsum", "tanh")}
        try:
            for name in kept:
                setattr(np, name, guarded(kept[name]))
            return train_epoch(handle, rates)
        finally:
            for name, function in kept.items():
                setattr(np, name, function)

    worker.train_epoch = train_without_numpy


def calling_package():
    """Return the package whose code called NumPy: that of the nearest frame above ``call`` which is not NumPy's."""
    frame = sys._getframe(2)
    while package_of(frame) == "numpy":
        frame = frame.f_back
    return package_of(frame)


def package_of(frame):
    return frame.f_globals.get("__name__", "numpy").split(".")[0]  # NumPy's dispatch is generated code, without a name


def own_numpy(worker):
    """The NumPy worker under the declaration of another: what it calls is still not that package's."""
    worker.computes_with_numpy = "chainer"
    without_numpy(worker)


def numpy_in_a_layer(worker):
    """A layer in NumPy that the framework calls; NumPy's arithmetic is watched as in ``without_numpy``."""
    import chainer

    worker.layers = dict(worker.layers, activation=lambda item: [lambda x: chainer.Variable(np.tanh(x.array))])
    without_numpy(worker)


CHANGES = {
    f.__name__: f
    for f in (second_bias, dropout_always, dropout_never, own_weights, without_numpy, numpy_in_a_layer, own_numpy)
}


def main():
    with open(os.path.join(FOLDER, "cases.json")) as file:
        cases = json.load(file)
    module = importlib.import_module("workers.{}_worker".format(FRAMEWORK))
    verdicts = {}
    opened = module.WORKER()
    opened.open_device("cpu", 2)
    for case in cases:
        worker = opened
        if case["change"]:
            worker = module.WORKER()
            worker.open_device("cpu", 2)
            CHANGES[case["change"]](worker)
        with np.load(os.path.join(FOLDER, case["record"] + ".npz")) as archive:
            record = dict(archive)
        job = Job.model_validate(case["job"])
        reasons = refused(worker.layers, worker.unsupported, job)
        if reasons:
            verdicts[case["name"]] = {"refused": reasons}
            continue
        try:
            verdict = parity.check(worker, job, record)
            verdicts[case["name"]] = verdict.model_dump(mode="json")
        except Exception:
            verdicts[case["name"]] = {"crashed": traceback.format_exc()}
    with open(os.path.join(FOLDER, "verdicts.json"), "w") as file:
        json.dump(verdicts, file)


main()
