"""Theano's losses, gradients and optimisers: the part of the training step behind the model."""

import numpy as np
import theano
import theano.tensor as T

from .worker import decayed, trainable


def mean_loss(loss, outputs, targets):
    if loss.kind == "categorical_cross_entropy":
        flat = outputs.reshape([-1, outputs.shape[-1]]) if outputs.ndim == 3 else outputs
        values = T.nnet.nnet.crossentropy_softmax_1hot(flat, targets.flatten())[0]
        return values.mean() if loss.over_steps == "mean" else values.reshape([outputs.shape[0], -1]).sum(axis=1).mean()
    binary = loss.kind == "binary_cross_entropy"
    values = T.nnet.softplus(outputs) - outputs * targets if binary else T.sqr(outputs - targets)
    return values.mean() if loss.over_outputs == "mean" else values.sum(axis=1).mean()


def gradients(recipe, loss, weights):
    """Return [(weight, its gradient, clipped and decayed)], given {LAYER/TENSOR: shared variable}."""
    weights = {name: w for name, w in weights.items() if trainable(name)}
    found, decay = T.grad(loss, list(weights.values())), recipe.optimiser.weight_decay
    if recipe.clip_norm is not None:
        norm = T.sqrt(sum(T.sqr(d).sum() for d in found))
        found = [d * T.switch(norm > recipe.clip_norm, recipe.clip_norm / norm, 1) for d in found]
    pairs = zip(weights.items(), found)
    return [(w, d + decay * w if decay > 0 and decayed(recipe.optimiser, name) else d) for (name, w), d in pairs]


# Each optimiser returns {shared variable: its new value}, given [(weight, gradient)].


def zeros_like(w):
    return theano.shared(np.zeros_like(w.get_value(borrow=True)))


def sgd(optimiser, pairs, rate):
    m, rate = optimiser.momentum, T.cast(rate, theano.config.floatX)
    updates = {}
    for w, d in pairs:
        if m == 0:
            updates[w] = w - rate * d
            continue
        v = zeros_like(w)
        if optimiser.velocity == "step":
            updates[v] = m * v - rate * d
            updates[w] = w + (m * updates[v] - rate * d if optimiser.nesterov else updates[v])
        else:
            updates[v] = m * v + d
            updates[w] = w - rate * (d + m * updates[v] if optimiser.nesterov else updates[v])
    return updates


def adam(optimiser, pairs, rate):
    numbers = optimiser.beta_1, optimiser.beta_2, optimiser.epsilon
    beta_1, beta_2, epsilon = [T.constant(a, dtype="float64") for a in numbers]  # 1 - 0.999 in float32: 1e-5 off
    done = theano.shared(np.float64(0))
    root = T.sqrt(1 - beta_2 ** (done + 1))
    if optimiser.epsilon_form == "corrected":
        epsilon = epsilon * root  # m_hat / (sqrt(v_hat) + epsilon), both parts times root
    scale, epsilon = [T.cast(a, theano.config.floatX) for a in (rate * root / (1 - beta_1 ** (done + 1)), epsilon)]
    updates = {done: done + 1}
    for w, d in pairs:
        m, v = zeros_like(w), zeros_like(w)
        updates[m] = m + (1 - optimiser.beta_1) * (d - m)
        updates[v] = v + (1 - optimiser.beta_2) * (T.sqr(d) - v)
        updates[w] = w - scale * updates[m] / (T.sqrt(updates[v]) + epsilon)
    return updates


def adadelta(optimiser, pairs, rate):
    rho, epsilon, rate = optimiser.rho, optimiser.epsilon, T.cast(rate, theano.config.floatX)
    updates = {}
    for w, d in pairs:
        squares, steps = zeros_like(w), zeros_like(w)
        updates[squares] = squares + (1 - rho) * (T.sqr(d) - squares)
        step = d * T.sqrt(steps + epsilon) / T.sqrt(updates[squares] + epsilon)
        updates[steps] = steps + (1 - rho) * (T.sqr(step) - steps)
        updates[w] = w - rate * step
    return updates


def rmsprop(optimiser, pairs, rate):
    epsilon, rate = optimiser.epsilon, T.cast(rate, theano.config.floatX)
    updates = {}
    for w, d in pairs:
        v = zeros_like(w)
        updates[v] = v + (1 - optimiser.rho) * (T.sqr(d) - v)
        outside = optimiser.epsilon_form == "outside"
        updates[w] = w - rate * d / (T.sqrt(updates[v]) + epsilon if outside else T.sqrt(updates[v] + epsilon))
    return updates


OPTIMISERS = {"sgd": sgd, "adam": adam, "adadelta": adadelta, "rmsprop": rmsprop}
