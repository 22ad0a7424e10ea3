"""The spec's optimisers in TensorFlow's own update kernels.

Each is one step of one variable w, in place, with the gradient d; ``slots`` are that variable's own.
"""

from typing import Any, Dict

import tensorflow as tf


def sgd(optimiser, w, d, slots, rate):
    if not slots:
        tf.raw_ops.ResourceApplyGradientDescent(var=w.handle, alpha=rate, delta=d)
        return
    step = optimiser.velocity == "step"
    apply = tf.raw_ops.ResourceApplyKerasMomentum if step else tf.raw_ops.ResourceApplyMomentum
    m, nesterov = optimiser.momentum, optimiser.nesterov
    apply(var=w.handle, accum=slots[0].handle, lr=rate, grad=d, momentum=m, use_nesterov=nesterov)


def adam(optimiser, w, d, slots, rate, beta_1_power, beta_2_power, epsilon):
    m, v = slots
    powers = {"beta1_power": beta_1_power, "beta2_power": beta_2_power}
    numbers = {"lr": rate, "beta1": optimiser.beta_1, "beta2": optimiser.beta_2, "epsilon": epsilon, **powers}
    tf.raw_ops.ResourceApplyAdam(var=w.handle, m=m.handle, v=v.handle, grad=d, **numbers)


def adadelta(optimiser, w, d, slots, rate):
    squares, steps = slots
    numbers = {"lr": rate, "rho": optimiser.rho, "epsilon": optimiser.epsilon}
    tf.raw_ops.ResourceApplyAdadelta(var=w.handle, accum=squares.handle, accum_update=steps.handle, grad=d, **numbers)


def rmsprop(optimiser, w, d, slots, rate):
    last, v = slots
    numbers = {"lr": rate, "epsilon": optimiser.epsilon, "grad": d}
    if optimiser.epsilon_form == "inside":
        still = {"mom": last.handle, "momentum": 0.0}
        tf.raw_ops.ResourceApplyRMSProp(var=w.handle, ms=v.handle, rho=optimiser.rho, **still, **numbers)
    else:  # Adam's kernel has the other form; beta_1 of 0, and powers of 0: its first moment is d, nothing is corrected
        still = {"m": last.handle, "beta1": 0.0, "beta1_power": 0.0, "beta2_power": 0.0}
        tf.raw_ops.ResourceApplyAdam(var=w.handle, v=v.handle, beta2=optimiser.rho, **still, **numbers)


OPTIMISERS: Dict[str, Any] = {"sgd": sgd, "adam": adam, "adadelta": adadelta, "rmsprop": rmsprop}


def make_slots(optimiser, w):
    count = 2 if optimiser.kind != "sgd" else 1 if optimiser.momentum > 0 else 0
    return [tf.Variable(tf.zeros_like(w)) for _ in range(count)]


def step_numbers(optimiser, rates, done):
    """Return (steps, n) float32: what the update of each step takes, in the order of its last arguments.

    rates: (steps,) float64; ``done``: the number of steps before these.
    """
    if optimiser.kind != "adam":
        return tf.cast(rates[:, None], tf.float32)
    t = tf.cast(done + tf.range(1, tf.size(rates) + 1), tf.float64)
    beta_1_power, beta_2_power = optimiser.beta_1**t, optimiser.beta_2**t
    epsilon = tf.fill(tf.shape(rates), tf.constant(optimiser.epsilon, tf.float64))
    if optimiser.epsilon_form == "corrected":
        epsilon *= tf.sqrt(1 - beta_2_power)
    return tf.cast(tf.stack([rates, beta_1_power, beta_2_power, epsilon], axis=1), tf.float32)
