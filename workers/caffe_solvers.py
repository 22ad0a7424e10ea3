"""From a batch's gradient to new weights: by Caffe's own solvers, or, for the forms that these lack, by a net of
Caffe's layers over all parameters in one row. Both run a training net a step at a time."""

import os

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P
from caffe.proto import caffe_pb2

from .worker import decayed, trainable


def write(folder, name, message):
    """Write a protobuf message as text, which is how pycaffe takes it, and return the path."""
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(str(message))
    return path


def native(o):
    """Return a solver's parameters for a recipe's optimiser, or None where Caffe has another form of it."""
    if o.kind == "sgd" and (o.velocity == "step" or o.momentum == 0):
        nesterov = o.nesterov and o.momentum > 0
        return {"type": "Nesterov" if nesterov else "SGD", "momentum": o.momentum}
    if o.kind == "adam" and o.epsilon_form == "uncorrected":
        return {"type": "Adam", "momentum": o.beta_1, "momentum2": o.beta_2, "delta": o.epsilon}
    if o.kind == "adadelta":
        return {"type": "AdaDelta", "momentum": o.rho, "delta": o.epsilon}
    if o.kind == "rmsprop" and o.epsilon_form == "outside":
        return {"type": "RMSProp", "rms_decay": o.rho, "delta": o.epsilon}
    return None


class Solver:
    """One of Caffe's solvers, each step of which gets its rate."""

    def __init__(self, recipe, graph, folder):
        o = recipe.optimiser
        text = caffe_pb2.SolverParameter(
            train_net=write(folder, "train.prototxt", graph.spec.to_proto()),
            base_lr=o.learning_rate,
            lr_policy="fixed",
            weight_decay=o.weight_decay,
            clip_gradients=-1 if recipe.clip_norm is None else recipe.clip_norm,
            solver_mode=caffe_pb2.SolverParameter.CPU,
            snapshot_after_train=False,
            **native(o),
        )
        self.solver = caffe.get_solver(write(folder, "solver.prototxt", text))
        self.net, self.held = self.solver.net, graph.held
        if self.held:
            self.solver.add_callback(lambda: None, self.hold)

    def hold(self):
        """Keep the gradient of what is held out of the global norm."""
        for layer, blob in self.held:
            self.net.params[layer][blob].diff[...] = 0

    def start(self):
        """Nothing to prepare: a solver's state is zero at first."""

    def step(self, rate):
        self.solver.param.base_lr = rate
        self.solver.step(1)


class Composed:
    """A step of the net, then one of the optimiser in Caffe's layers: a net from w, gradients and state to the next."""

    def __init__(self, recipe, graph, folder):
        self.optimiser, self.steps = recipe.optimiser, 0
        self.net = caffe.Net(write(folder, "train.prototxt", graph.spec.to_proto()), caffe.TRAIN)
        moved = sorted(filter(trainable, graph.tensors))
        places = [graph.tensors[name] for name in moved]
        self.parameters = [self.net.params[place.layer][place.blob] for place in places]
        ends = np.cumsum([parameter.count for parameter in self.parameters]).tolist()
        self.parts = [slice(end - parameter.count, end) for end, parameter in zip(ends, self.parameters)]
        spec, self.states = update_spec(recipe, ends[-1])
        self.update = caffe.Net(write(folder, "update.prototxt", spec.to_proto()), caffe.TEST)
        for name, part in zip(moved, self.parts):
            self.update.blobs["decay"].data[part] = self.optimiser.weight_decay if decayed(self.optimiser, name) else 0

    def start(self):
        for parameter, part in zip(self.parameters, self.parts):
            self.update.blobs["w"].data[part] = parameter.data.ravel()

    def step(self, rate):
        self.net.clear_param_diffs()
        self.net.forward()
        self.net.backward()
        blobs, o = self.update.blobs, self.optimiser
        self.steps += 1
        for parameter, part in zip(self.parameters, self.parts):
            blobs["gradient"].data[part] = parameter.diff.ravel()
        if o.kind == "adam":
            rate /= 1 - o.beta_1**self.steps
            blobs["root_factor"].data[...] = (1 - o.beta_2**self.steps) ** -0.5
        blobs["rate"].data[...] = rate
        self.update.forward()
        for name in ["w", *self.states]:
            blobs[name].data[...] = blobs[name + "_next"].data
        for parameter, part in zip(self.parameters, self.parts):
            parameter.data[...] = blobs["w"].data[part].reshape(parameter.data.shape)


def combined(*terms):
    """Return a sum. terms: (factor, blob)."""
    factors, blobs = zip(*terms)
    return L.Eltwise(*blobs, operation=P.Eltwise.SUM, coeff=list(factors))


def product(*blobs):
    return L.Eltwise(*blobs, operation=P.Eltwise.PROD)


def times(blob, scalar):
    return L.Scale(blob, scalar, axis=0)


def clipped(gradient, most):
    """Return a gradient times 1 / max(1, norm / most)."""
    excess = L.ReLU(L.Power(L.Reduction(gradient, operation=P.Reduction.SUMSQ), scale=most**-2.0, shift=-1.0))
    return times(gradient, L.Power(excess, shift=1.0, power=-0.5))


def update_spec(recipe, count):
    """Return the net of one step over so many parameters, and the names of its states, which NAME_next replace."""
    o, spec = recipe.optimiser, caffe.NetSpec()

    def source(name, *dims):
        spec[name] = top = L.Input(shape={"dim": list(dims)} if dims else {})  # without dims: one number
        return top

    w, decay, rate = source("w", count), source("decay", count), source("rate")
    d = source("gradient", count)
    if recipe.clip_norm is not None:
        d = clipped(d, recipe.clip_norm)
    if o.weight_decay > 0:
        d = combined((1, d), (1, product(w, decay)))
    states = {}

    def average(name, share, value):
        """Move a state towards a value."""
        states[name] = combined((share, source(name, count)), (1 - share, value))
        return states[name]

    if o.kind == "adam":
        root = L.Power(average("squares", o.beta_2, product(d, d)), power=0.5)
        inverse = L.Power(times(root, source("root_factor")), shift=o.epsilon, power=-1.0)
        step = product(average("mean", o.beta_1, d), inverse)
    elif o.kind == "rmsprop":
        step = product(d, L.Power(average("squares", o.rho, product(d, d)), shift=o.epsilon, power=-0.5))
    else:
        states["velocity"] = step = combined((o.momentum, source("velocity", count)), (1, d))
        if o.nesterov:
            step = combined((1, d), (o.momentum, step))
    spec["w_next"] = combined((1, w), (-1, times(step, rate)))
    for name, top in states.items():
        spec[name + "_next"] = top
    return spec, list(states)
