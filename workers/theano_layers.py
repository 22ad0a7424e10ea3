"""Every layer of the spec as a piece of Theano's symbolic graph.

Each maps a symbolic x to y; images are (rows, channels, height, width) in between, all else as in the spec. ``p``:
the layer's tensors, shared variables. ``graph``: what the layers of one graph share (``Graph``).
"""

import numpy as np
import theano
import theano.tensor as T
from theano.tensor.nnet.bn import batch_normalization
from theano.tensor.signal.pool import pool_2d

from .worker import same_padding

PADS_UNEVENLY = not theano.__version__.startswith("0.")  # T.nnet.conv2d takes (top, bottom), (left, right) from 1.0


class Graph:
    """``random`` draws dropout masks, None in prediction; ``states``: {layer: its shared (h, c), if it keeps them};
    ``flattens``: the layers that flatten as Theano does; ``updates``: [(shared variable, its value after a batch)],
    filled by the layers."""

    def __init__(self, random, states, flattens):
        self.random = random
        self.states = states
        self.flattens = flattens
        self.updates = []


def add_bias(y, p):
    if "bias" not in p:
        return y
    return y + (along_channels(p["bias"]) if y.ndim == 4 else p["bias"])


def along_channels(vector):
    return vector.dimshuffle("x", 0, "x", "x")


def dense(item, p, x, graph):
    return add_bias(T.dot(x, p["kernel"]), p)


def softmax(x):
    if x.ndim == 2:
        return T.nnet.softmax(x)
    axis = 1 if x.ndim == 4 else 2  # the spec's last: channels, or the features of a step
    e = T.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


FUNCTIONS = {
    "tanh": T.tanh,
    "relu": lambda x: x * (x > 0),  # T.nnet.relu has a gradient of one half at 0, a switch takes twice the time
    "sigmoid": T.nnet.sigmoid,
    "elu": T.nnet.elu,
    "softmax": softmax,
    "linear": lambda x: x,
}


def activation(item, p, x, graph):
    return FUNCTIONS[item.layer.function](x)


def flatten(item, p, x, graph):
    return x.flatten(2) if item.name in graph.flattens else reshape(item, p, x, graph)


def reshape(item, p, x, graph):
    x = x.dimshuffle(0, 2, 3, 1) if x.ndim == 4 else x
    x = x.reshape([x.shape[0], *item.output_shape])
    return x.dimshuffle(0, 3, 1, 2) if x.ndim == 4 else x


def dropout(item, p, x, graph):
    if graph.random is None or item.layer.rate == 0:
        return x
    keep = T.constant(1 - item.layer.rate, dtype=x.dtype)
    return x * graph.random.binomial(x.shape, p=keep, dtype=x.dtype) / keep


def padding(layer, sizes, window, strides):
    """Return ((top, bottom), (left, right)) for images of ``sizes`` (height, width)."""
    if layer.padding == "valid":
        return (0, 0), (0, 0)
    return tuple(map(same_padding, sizes, window, strides))


def framed(x, sizes, pads, value):
    """Return x, images of ``sizes``, in a frame of ``value`` as wide as ``pads``."""
    (top, bottom), (left, right) = pads
    if not (top or bottom or left or right):
        return x
    height, width = sizes
    shape = x.shape[0], x.shape[1], top + height + bottom, left + width + right
    frame = T.alloc(T.constant(value, dtype=x.dtype), *shape)
    return T.set_subtensor(frame[:, :, top : top + height, left : left + width], x)


def convolve(item, x, kernel, sizes, window, strides):
    """Convolve images of ``sizes`` by ``kernel`` (filters, in, *window)."""
    channels = item.input_shape[-1]
    pads = (top, bottom), (left, right) = padding(item.layer, sizes, window, strides)
    if top == bottom and left == right:
        pads = top, left
    elif not PADS_UNEVENLY:
        x = framed(x, sizes, pads, 0)
        sizes, pads = (top + sizes[0] + bottom, left + sizes[1] + right), (0, 0)
    shapes = (None, channels, *sizes), (item.layer.filters, channels, *window)
    return T.nnet.conv2d(x, kernel, *shapes, border_mode=pads, subsample=strides, filter_flip=False)


def conv2d(item, p, x, graph):
    window, strides = tuple(item.layer.kernel_size), tuple(item.layer.strides)
    return add_bias(convolve(item, x, p["kernel"], item.input_shape[:2], window, strides), p)


def conv1d(item, p, x, graph):
    """A convolution over images of height 1; Theano has none over steps."""
    x, kernel = x.dimshuffle(0, 2, "x", 1), p["kernel"].dimshuffle(0, 1, "x", 2)
    sizes, window = (1, item.input_shape[0]), (1, item.layer.kernel_size)
    y = convolve(item, x, kernel, sizes, window, (1, item.layer.strides))
    return add_bias(y[:, :, 0].dimshuffle(0, 2, 1), p)


def maxpool2d(item, p, x, graph):
    sizes, window, strides = item.input_shape[:2], tuple(item.layer.pool_size), tuple(item.layer.strides)
    # pool_2d pads both sides alike, and by less than a window
    x = framed(x, sizes, padding(item.layer, sizes, window, strides), -np.inf)
    return pool_2d(x, window, ignore_border=True, stride=strides)


def averagepool2d(item, p, x, graph):
    sizes, window, strides = item.input_shape[:2], tuple(item.layer.pool_size), tuple(item.layer.strides)
    if item.layer.padding == "valid":
        return pool_2d(x, window, ignore_border=True, stride=strides, mode="average_exc_pad")
    pads = padding(item.layer, sizes, window, strides)
    sums = pool_2d(framed(x, sizes, pads, 0), window, ignore_border=True, stride=strides, mode="sum")
    height, width = [
        seen(size, before, length, stride, count)
        for size, (before, _), length, stride, count in zip(sizes, pads, window, strides, item.output_shape)
    ]
    return sums / T.constant(np.outer(height, width)[None, None], dtype=x.dtype)


def seen(size, before, length, stride, count):
    """Return how many of ``size`` numbers each of ``count`` windows along one axis sees, without what is padded."""
    first = np.arange(count) * stride - before
    return np.minimum(first + length, size) - np.maximum(first, 0)


def globalmaxpool1d(item, p, x, graph):
    first = x.argmax(axis=1).dimshuffle(0, "x", 1)  # T.max gives each of tied maxima the whole gradient
    return (x * T.eq(T.arange(item.input_shape[0]).dimshuffle("x", 0, "x"), first)).sum(axis=1)


def batchnorm(item, p, x, graph):
    axes = (0, 2, 3) if x.ndim == 4 else tuple(range(x.ndim - 1))
    mean, variance = p["running_mean"], p["running_variance"]
    if graph.random is not None:
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
        n = T.cast(x.size // item.input_shape[-1], x.dtype)
        for kept, value in ((p["running_mean"], mean), (p["running_variance"], variance * n / T.maximum(n - 1, 1))):
            graph.updates.append((kept, kept + (1 - item.layer.momentum) * (value - kept)))
    vectors = [p["gamma"], p["beta"], mean, T.sqrt(variance + item.layer.epsilon)]
    if x.ndim == 4:
        vectors = [along_channels(vector) for vector in vectors]
    return batch_normalization(x, *vectors, mode="high_mem")


def embedding(item, p, x, graph):
    rows = p["table"][x.flatten()]  # by a vector Theano looks up in C, by a matrix in Python
    return rows.reshape([x.shape[0], *item.output_shape])


def lstm(item, p, x, graph):
    units, kept = item.layer.units, graph.states.get(item.name)
    projected = add_bias(T.dot(x.dimshuffle(1, 0, 2), p["kernel"]), p)  # all steps at once

    def step(projected_t, h, c, recurrent_kernel):
        z = projected_t + T.dot(h, recurrent_kernel)
        gates = {gate: z[:, k * units : (k + 1) * units] for k, gate in enumerate(item.layer.gate_order)}
        i, f, o = [T.nnet.sigmoid(gates[gate]) for gate in "ifo"]
        c = f * c + i * T.tanh(gates["g"])
        return o * T.tanh(c), c

    if kept is None:
        start = [T.unbroadcast(T.zeros([x.shape[0], units], x.dtype), 0, 1)] * 2  # of one unit: another type than h
    else:
        start = [state[: x.shape[0]] for state in kept]
    (h, c), _ = theano.scan(step, projected, start, [p["recurrent_kernel"]], strict=True)
    if kept is not None:
        # A shorter batch leaves the states of the rows that it lacks.
        graph.updates += [(k, T.set_subtensor(k[: x.shape[0]], last)) for k, last in zip(kept, (h[-1], c[-1]))]
    return h[-1] if item.layer.output == "last" else h.dimshuffle(1, 0, 2)
