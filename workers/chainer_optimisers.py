"""The spec's optimisers and losses in Chainer's own, with its hooks for weight decay and clipping."""

import chainer.functions as F
from chainer import backend, optimizers
from chainer.optimizer_hooks import WeightDecay
from chainer.optimizers.ada_delta import AdaDeltaRule
from chainer.optimizers.momentum_sgd import MomentumSGDRule

from .worker import decayed


class NesterovRule(MomentumSGDRule):
    """w += momentum * v - rate * gradient, with the new v.

    Chainer's NesterovAG puts the new velocity where its formula has the old one (issue 4274 of chainer).
    """

    def update_core(self, param):
        v, step = self.state["v"], self.hyperparam.lr * param.grad
        v *= self.hyperparam.momentum
        v -= step
        param.array += self.hyperparam.momentum * v - step


class Nesterov(optimizers.MomentumSGD):
    def create_update_rule(self):
        return NesterovRule(self.hyperparam)


class RatedAdaDeltaRule(AdaDeltaRule):
    """Chainer's AdaDelta has no rate: of its step, the share ``rate`` is taken."""

    def update_core(self, param):
        before = param.array.copy()
        super().update_core(param)
        if self.hyperparam.rate != 1:
            param.array += (1 - self.hyperparam.rate) * (before - param.array)


class RatedAdaDelta(optimizers.AdaDelta):
    def create_update_rule(self):
        return RatedAdaDeltaRule(self.hyperparam)


def native(o):
    """Return Chainer's optimiser for a recipe's."""
    if o.kind == "adam":
        return optimizers.Adam(o.learning_rate, o.beta_1, o.beta_2, o.epsilon)
    if o.kind == "adadelta":
        return RatedAdaDelta(o.rho, o.epsilon)
    if o.kind == "rmsprop":
        return optimizers.RMSprop(o.learning_rate, o.rho, o.epsilon, eps_inside_sqrt=o.epsilon_form == "inside")
    if o.momentum == 0:
        return optimizers.SGD(o.learning_rate)
    return (Nesterov if o.nesterov else optimizers.MomentumSGD)(o.learning_rate, o.momentum)


class Clipping:
    """Chainer's GradientClipping with sums of squares: its dot product of 16 million numbers is off by 5e-4."""

    name, timing = "Clipping", "pre"

    def __init__(self, limit):
        self.limit = limit

    def __call__(self, optimiser):
        gradients = [parameter.grad for parameter in optimiser.target.params(include_uninit=False)]
        xp = backend.get_array_module(gradients[0])
        norm = xp.sqrt(sum(xp.square(d).sum() for d in gradients))
        scale = xp.minimum(self.limit / norm, 1)
        for d in gradients:
            d *= scale


def make_optimiser(recipe, model, parameters):
    """Return an optimiser of the model. parameters: {LAYER/TENSOR: Parameter}."""
    optimiser = native(recipe.optimiser).setup(model)
    if recipe.clip_norm is not None:
        optimiser.add_hook(Clipping(recipe.clip_norm))  # before the hooks of the parameters
    for name, parameter in parameters.items():
        if recipe.optimiser.weight_decay > 0 and decayed(recipe.optimiser, name):
            parameter.update_rule.add_hook(WeightDecay(recipe.optimiser.weight_decay))
    return optimiser


def set_rate(o, optimiser, rate):
    """Give the optimiser the rate of its next step. o: the recipe's."""
    hyper = optimiser.hyperparam
    if o.kind == "adam":
        hyper.alpha = rate
        if o.epsilon_form == "corrected":  # Chainer's form is the uncorrected one
            hyper.eps = o.epsilon * (1 - o.beta_2 ** (optimiser.t + 1)) ** 0.5
    elif o.kind == "adadelta":
        hyper.rate = rate
    else:
        if o.kind == "sgd" and o.velocity == "gradient" and o.momentum > 0 and rate != hyper.lr:
            for parameter in optimiser.target.params():
                if parameter.update_rule.state:  # None before the first step
                    parameter.update_rule.state["v"] *= rate / hyper.lr  # Chainer's v is -rate times the spec's
        hyper.lr = rate


def categorical_cross_entropy(loss, outputs, targets):
    steps = outputs.shape[1] if outputs.ndim == 3 else 1
    mean = F.softmax_cross_entropy(F.reshape(outputs, (-1, outputs.shape[-1])), targets.reshape(-1))
    return mean * steps if loss.over_steps == "sum" else mean


def binary_cross_entropy(loss, outputs, targets):
    if loss.over_outputs == "mean":
        return F.bernoulli_nll(targets, outputs, "mean")
    return F.bernoulli_nll(targets, outputs, "sum") / len(outputs)


def mean_squared_error(loss, outputs, targets):
    mean = F.mean_squared_error(outputs, targets)
    return mean * outputs.shape[1] if loss.over_outputs == "sum" else mean


LOSSES = {
    "categorical_cross_entropy": categorical_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
}
