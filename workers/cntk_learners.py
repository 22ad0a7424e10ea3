"""CNTK: the spec's optimisers, as CNTK's own learners where their form is the spec's, else as C.learners.universal."""

from typing import Any, Dict, List

import cntk as C
import numpy as np

from .worker import decayed

IGNORE = C.learners.IGNORE  # gradients are then means over the rows of a batch, the last and shorter one too


class Native:
    """CNTK's own learners: one for the decayed tensors, one for the others."""

    def __init__(self, recipe, tensors):
        o = recipe.optimiser
        groups: Dict[float, List[Any]] = {}
        for name, tensor in tensors.items():
            decay = o.weight_decay if decayed(o, name) else 0.0
            groups.setdefault(decay, []).append(tensor)
        self.learners = [own_learner(o, group, decay) for decay, group in groups.items()]
        self.rate = None

    def before_step(self, rate, rows):
        if rate != self.rate:
            self.rate = rate
            for learner in self.learners:
                learner.reset_learning_rate(C.learning_parameter_schedule(rate))

    def forget(self):
        self.rate = None
        for learner in self.learners:
            learner.reset_smoothed_gradients()


def has_own_learner(recipe):
    """Return whether CNTK has the optimiser in the spec's form; it clips by the norm of each tensor, not of all."""
    o = recipe.optimiser
    if recipe.clip_norm is not None:
        return False
    if o.kind == "sgd":
        return o.momentum == 0 or o.velocity == "step"
    return o.kind == "adadelta" or (o.kind == "adam" and o.epsilon_form == "uncorrected")


def own_learner(o, tensors, decay):
    rate = C.learning_parameter_schedule(o.learning_rate)
    options = {"l2_regularization_weight": decay, "minibatch_size": IGNORE}
    if o.kind == "sgd" and o.momentum == 0:
        return C.sgd(tensors, rate, **options)
    if o.kind == "sgd":
        learner = C.nesterov if o.nesterov else C.momentum_sgd
        return learner(tensors, rate, C.momentum_schedule(o.momentum), unit_gain=False, **options)
    if o.kind == "adadelta":
        return C.adadelta(tensors, rate, o.rho, o.epsilon, **options)
    betas = C.momentum_schedule(o.beta_1), C.momentum_schedule(o.beta_2)
    # Unit gain is the factor 1 - beta_1 of Adam's own formula.
    return C.adam(tensors, rate, betas[0], True, betas[1], epsilon=o.epsilon, **options)


class Universal:
    """One graph of assignments that updates all tensors; gradients come as sums over a batch's rows."""

    def __init__(self, recipe, tensors):
        self.recipe, self.names = recipe, list(tensors)
        dtype = next(iter(tensors.values())).dtype
        self.numbers = {name: C.constant(0, dtype=dtype) for name in ("rate", "epsilon", "share")}
        self.values, self.state, self.assignments = {}, [], []
        self.forget()
        self.learners = [C.universal(lambda p, gradients: self.update(p, gradients), list(tensors.values()))]

    def update(self, parameters, gradients):
        o, limit, factor = self.recipe.optimiser, self.recipe.clip_norm, self.numbers["share"]
        if limit is not None:
            factor = C.element_min(factor, limit / C.sqrt(sum(C.reduce_sum(C.square(d)) for d in gradients)))
        for name, w, d in zip(self.names, parameters, gradients):
            d = d * factor
            if o.weight_decay > 0 and decayed(o, name):
                d = d + o.weight_decay * w
            self.assignments.append(C.assign(w, w + UPDATES[o.kind](self, o, d, self.numbers["rate"])))
        return C.combine(self.assignments)

    def new_state(self, like):
        state = C.constant(0, like.shape, dtype=like.dtype)
        self.state.append(state)
        return state

    def assign(self, state, value):
        """Return the new value; whatever reads ``state`` itself gets the one before this step."""
        self.assignments.append(C.assign(state, value))
        return self.assignments[-1]

    def blend(self, state, keep, value):
        return self.assign(state, keep * state + (1 - keep) * value)

    def before_step(self, rate, rows):
        self.steps += 1
        o, values = self.recipe.optimiser, {"rate": rate, "share": 1.0 / rows}
        if o.kind == "adam":
            root = (1 - o.beta_2**self.steps) ** 0.5
            values["rate"] = rate * root / (1 - o.beta_1**self.steps)
            # Corrected: m_hat / (sqrt(v_hat) + epsilon), both parts times root.
            values["epsilon"] = o.epsilon * (root if o.epsilon_form == "corrected" else 1)
        for name, value in values.items():
            if self.values.get(name) != value:
                self.values[name] = self.numbers[name].value = np.array(value, self.numbers[name].dtype)

    def forget(self):
        self.steps = 0
        for state in self.state:
            state.value = np.zeros(state.shape, state.dtype)


# Each update returns what is added to a tensor.


def sgd(learner, o, d, rate):
    if o.momentum == 0:
        return -rate * d
    v = learner.new_state(d)
    if o.velocity == "step":
        step = rate * d
        v = learner.assign(v, o.momentum * v - step)
        return o.momentum * v - step if o.nesterov else v
    v = learner.assign(v, o.momentum * v + d)
    return -rate * (d + o.momentum * v if o.nesterov else v)


def adam(learner, o, d, rate):
    m = learner.blend(learner.new_state(d), o.beta_1, d)
    v = learner.blend(learner.new_state(d), o.beta_2, C.square(d))
    return -rate * m / (C.sqrt(v) + learner.numbers["epsilon"])


def adadelta(learner, o, d, rate):
    squares, steps = learner.new_state(d), learner.new_state(d)
    step = d * C.sqrt((steps + o.epsilon) / (learner.blend(squares, o.rho, C.square(d)) + o.epsilon))
    learner.blend(steps, o.rho, C.square(step))
    return -rate * step


def rmsprop(learner, o, d, rate):
    v = learner.blend(learner.new_state(d), o.rho, C.square(d))
    return -rate * d / (C.sqrt(v) + o.epsilon if o.epsilon_form == "outside" else C.sqrt(v + o.epsilon))


UPDATES = {f.__name__: f for f in (sgd, adam, adadelta, rmsprop)}
