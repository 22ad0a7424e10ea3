"""A recipe's loss and optimiser in Optax."""

import jax
import jax.numpy as jnp
import optax

from .worker import decayed

LOSSES = {  # without a reduction
    "categorical_cross_entropy": optax.softmax_cross_entropy_with_integer_labels,
    "binary_cross_entropy": optax.sigmoid_binary_cross_entropy,
    "mean_squared_error": optax.squared_error,
}


def mean_loss(loss, outputs, targets):
    values = LOSSES[loss.kind](outputs, targets)  # (rows,), (rows, steps) or (rows, outputs)
    over = loss.over_steps if loss.kind == "categorical_cross_entropy" else loss.over_outputs
    return values.mean() if over == "mean" else values.sum() / len(values)


# Each optimiser is a list of Optax's transformations; ``rate`` multiplies by the negative learning rate.


def sgd(o, rate):
    if o.momentum == 0:
        return [rate]
    velocity = optax.trace(o.momentum, o.nesterov)
    return [rate, velocity] if o.velocity == "step" else [velocity, rate]


def adam(o, rate):
    own = optax.scale_by_adam(o.beta_1, o.beta_2, o.epsilon)
    if o.epsilon_form == "corrected":
        return [own, rate]

    def update(updates, state, params=None):
        epsilon = o.epsilon / jnp.sqrt(1 - o.beta_2 ** (state.count + 1))
        return optax.scale_by_adam(o.beta_1, o.beta_2, epsilon).update(updates, state)

    return [optax.GradientTransformation(own.init, update), rate]


OPTIMISERS = {
    "sgd": sgd,
    "adam": adam,
    "adadelta": lambda o, rate: [optax.scale_by_adadelta(o.rho, o.epsilon), rate],
    "rmsprop": lambda o, rate: [optax.scale_by_rms(o.rho, o.epsilon, eps_in_sqrt=o.epsilon_form == "inside"), rate],
}


def make_optimiser(recipe, rate):
    """Return the recipe's optimiser; the rate may be a traced number, so that each step brings its own."""
    o, parts = recipe.optimiser, []
    if recipe.clip_norm is not None:
        parts.append(optax.clip_by_global_norm(recipe.clip_norm))
    if o.weight_decay > 0:
        parts.append(optax.add_decayed_weights(o.weight_decay, lambda params: mask(o, params)))
    return optax.chain(*parts, *OPTIMISERS[o.kind](o, optax.scale_by_learning_rate(rate)))


def mask(optimiser, params):
    """Return the same tree of booleans: which tensors decay."""
    return jax.tree_util.tree_map_with_path(lambda path, _: decayed(optimiser, path[-1].key), params)
