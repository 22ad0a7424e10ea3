"""Defects to put into a worker, by the name of a function here: most are those of published comparisons."""

import sys

import numpy as np


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


def normal_weights(worker):
    """Weights and biases from N(0, 1) (TensorFlow in Kovalev et al.)."""
    build, rng = worker.build, np.random.RandomState(0)

    def build_with_normal_weights(job, weights):
        build(job, {name: rng.randn(*value.shape).astype(np.float32) for name, value in weights.items()})

    worker.build = build_with_normal_weights


def sigmoid_for_tanh(worker):
    """Another activation than the name says (Torch7 in Kovalev et al.)."""
    from workers import torch_layers

    build = worker.build

    def build_with_sigmoid(job, weights):
        own = torch_layers.FUNCTIONS["tanh"]
        torch_layers.FUNCTIONS["tanh"] = torch_layers.FUNCTIONS["sigmoid"]
        try:
            build(job, weights)
        finally:
            torch_layers.FUNCTIONS["tanh"] = own

    worker.build = build_with_sigmoid


def keeps_training(worker):
    """A model that is trained on where a new one was asked for (Keras in Kovalev et al.)."""
    build, built = worker.build, []

    def build_once(job, weights):
        if not built:
            build(job, weights)
        built.append(job)

    worker.build = build_once


def rate_decay_for_weight_decay(worker):
    """Weight decay passed as the decay of the learning rate (Keras in DLBench)."""
    build, train_epoch, decay, steps = worker.build, worker.train_epoch, [0.0], [0]

    def build_without_weight_decay(job, weights):
        optimiser = job.recipe.optimiser
        decay[0], steps[0] = optimiser.weight_decay, 0
        recipe = job.recipe.model_copy(update={"optimiser": optimiser.model_copy(update={"weight_decay": 0.0})})
        build(job.model_copy(update={"recipe": recipe}), weights)

    def train_at_lower_rates(handle, rates):
        numbers = steps[0] + np.arange(len(rates))
        steps[0] += len(rates)
        return train_epoch(handle, rates / (1 + decay[0] * numbers))

    worker.build, worker.train_epoch = build_without_weight_decay, train_at_lower_rates


def extra_forward_pass(worker):
    """A second forward pass on every training batch (Theano in DLBench): the numbers stay right, the time does not."""
    train_epoch = worker.train_epoch

    def train_with_two_passes(handle, rates):
        forward = worker.forward

        def twice(batch):
            forward(batch)
            return forward(batch)

        worker.forward = twice
        try:
            return train_epoch(handle, rates)
        finally:
            worker.forward = forward

    worker.train_epoch = train_with_two_passes


def row_by_row(worker):
    """Prediction in batches of one row (PyTorch in DLBench, Torch7 in Kovalev et al.): right numbers, another time."""
    predict = worker.predict
    worker.predict = lambda handle: np.concatenate([predict([row, None]) for row in handle[0].split(1)])


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
