"""Every layer of the spec as a pure function of JAX, of jax.numpy, jax.nn and jax.lax alone.

``layer(item, p, s, x, key)`` returns (y, s). p: the layer's trainable tensors; s: what it keeps from batch to batch
(running statistics, an LSTM's h and c), None for most; x: rows first, channels last; key: of its random numbers, None
in prediction.
"""

import jax
import jax.numpy as jnp
from jax import lax

FUNCTIONS = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "softmax": jax.nn.softmax,
    "linear": lambda x: x,
}


def add_bias(y, p):
    return y + p["bias"] if "bias" in p else y


def dense(item, p, s, x, key):
    return add_bias(x @ p["kernel"], p), s


def activation(item, p, s, x, key):
    return FUNCTIONS[item.layer.function](x), s


def reshape(item, p, s, x, key):
    return x.reshape(len(x), *item.output_shape), s


def dropout(item, p, s, x, key):
    keep = 1 - item.layer.rate
    if key is None or keep == 1:
        return x, s
    return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0), s


def convolution(item, p, s, x, key):
    image = x.ndim == 4
    strides = item.layer.strides if image else [item.layer.strides]
    order = ("NHWC", "HWIO", "NHWC") if image else ("NWC", "WIO", "NWC")
    y = lax.conv_general_dilated(x, p["kernel"], strides, item.layer.padding.upper(), dimension_numbers=order)
    return add_bias(y, p), s


def windows(item):
    """Return a pooling's window, strides and padding as reduce_window takes them."""
    return (1, *item.layer.pool_size, 1), (1, *item.layer.strides, 1), item.layer.padding.upper()


def maxpool2d(item, p, s, x, key):
    return lax.reduce_window(x, -jnp.inf, lax.max, *windows(item)), s


def averagepool2d(item, p, s, x, key):
    counts = lax.reduce_window(jnp.ones((1, *x.shape[1:3], 1), x.dtype), 0.0, lax.add, *windows(item))
    return lax.reduce_window(x, 0.0, lax.add, *windows(item)) / counts, s


def globalmaxpool1d(item, p, s, x, key):
    """One window over all steps: its gradient goes to the first of tied maxima, that of jnp.max to each in part."""
    window = (1, x.shape[1], 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, (1, 1, 1), "VALID")[:, 0], s


def batchnorm(item, p, s, x, key):
    axes, momentum = tuple(range(x.ndim - 1)), item.layer.momentum
    mean, variance = s["running_mean"], s["running_variance"]
    if key is not None:
        mean, variance = x.mean(axes), x.var(axes)
        count = x.size // x.shape[-1]
        batch = {"running_mean": mean, "running_variance": variance * (count / max(count - 1, 1))}
        s = {role: momentum * s[role] + (1 - momentum) * value for role, value in batch.items()}
    return p["gamma"] * (x - mean) * lax.rsqrt(variance + item.layer.epsilon) + p["beta"], s


def embedding(item, p, s, x, key):
    return p["table"][x], s


def lstm(item, p, s, x, key):
    """A scan over the steps, time first; the input's projection is outside of it, all steps at once."""
    layer, rows = item.layer, len(x)
    projected = add_bias(x.swapaxes(0, 1) @ p["kernel"], p)

    def step(carry, z):
        h, c = carry
        z = z + h @ p["recurrent_kernel"]
        gates = dict(zip(layer.gate_order, jnp.split(z, 4, axis=-1)))
        c = jax.nn.sigmoid(gates["f"]) * c + jax.nn.sigmoid(gates["i"]) * jnp.tanh(gates["g"])
        h = jax.nn.sigmoid(gates["o"]) * jnp.tanh(c)
        return (h, c), h if layer.output == "sequence" else None

    zero = jnp.zeros((rows, layer.units), x.dtype)
    start = (s["h"][:rows], s["c"][:rows]) if layer.stateful else (zero, zero)
    (h, c), outputs = lax.scan(step, start, projected)
    y = h if layer.output == "last" else outputs.swapaxes(0, 1)
    return y, {"h": h, "c": c} if layer.stateful else None
