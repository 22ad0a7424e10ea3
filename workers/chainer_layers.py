"""The spec's layers as Chainer's links and functions, and their tensors in Chainer's layouts.

Images are (rows, channels, height, width), steps (rows, steps, features). A builder returns one layer's callables
for chainer.Sequential; the link among them, if there is one, holds the layer's tensors.
"""

from functools import partial

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer.utils.conv import get_conv_outsize

from .worker import reorder_gates, same_padding

GATE_ORDER = "gifo"  # F.lstm's: a, i, f, o, and those of one unit beside each other

FUNCTIONS = {"tanh": F.tanh, "relu": F.relu, "sigmoid": F.sigmoid, "elu": F.elu, "linear": F.identity}


class Linear(L.Linear):
    """L.Linear for (rows, features) and, each step alike, for (rows, steps, features)."""

    def forward(self, x):
        return super().forward(x, n_batch_axes=x.ndim - 1)


class LSTM(L.LSTM):
    """L.LSTM over whole sequences: one product projects the inputs of all steps, then F.lstm goes step by step.

    L.NStepLSTM has a second bias, which would double the bias's rate, and is slower on a CPU.
    """

    def __init__(self, item):
        size, units = item.input_shape[1], item.layer.units
        super().__init__(size, units)
        if not item.layer.bias:
            del self.upward
            self.add_link("upward", L.Linear(size, 4 * units, nobias=True))
        self.stateful, self.last = item.layer.stateful, item.layer.output == "last"

    def forward(self, x):
        rows, outputs = len(x), []
        c, h = self.xp.zeros((rows, self.state_size), x.dtype), None
        if self.c is not None:
            c, h = self.c[:rows], self.h[:rows]
        for z in F.separate(self.upward(x, n_batch_axes=2), axis=1):
            c, h = F.lstm(c, z if h is None else z + self.lateral(h))
            outputs.append(h)
        if self.stateful:  # without their past, so that no gradient reaches the batch before
            self.set_state(*[chainer.Variable(state.array, requires_grad=False) for state in (c, outputs[-1])])
        return outputs[-1] if self.last else F.stack(outputs, axis=1)


def in_training(function):
    """Return the function as it is in training, also in prediction: as in code that leaves ``train`` as it is."""

    def call(x):
        with chainer.using_config("train", True):
            return function(x)

    return call


def is_image(shape):
    return len(shape) == 3


def activation(item):
    if item.layer.function == "softmax":
        axis = 1 if is_image(item.input_shape) else len(item.input_shape)  # the spec's last: channels, features
        return [lambda x: F.softmax(x, axis)]
    return [FUNCTIONS[item.layer.function]]


def reshape(item):
    """Flatten or reshape in the spec's order: an image's channels go last before it, and first again after it."""

    def function(x):
        if is_image(item.input_shape):
            x = F.transpose(x, (0, 2, 3, 1))
        x = F.reshape(x, (len(x), *item.output_shape))
        return F.transpose(x, (0, 3, 1, 2)) if is_image(item.output_shape) else x

    return [function]


def padding(item, window, strides):
    """Return (before, after) for each axis that a window moves along."""
    if item.layer.padding == "valid":
        return [(0, 0)] * len(window)
    return list(map(same_padding, item.input_shape, window, strides))


def pad(pads, value=0.0):
    """Return (functions that pad, the padding left to the layer): the layer's own where both sides get the same."""
    if all(before == after for before, after in pads):
        return [], tuple(before for before, _ in pads)
    return [lambda x: F.pad(x, [(0, 0), (0, 0), *pads], "constant", constant_values=value)], (0,) * len(pads)


def conv2d(item):
    layer = item.layer
    padded, rest = pad(padding(item, layer.kernel_size, layer.strides))
    link = L.Convolution2D(
        item.input_shape[2], layer.filters, tuple(layer.kernel_size), tuple(layer.strides), rest, nobias=not layer.bias
    )
    return [*padded, link]


def conv1d(item):
    layer = item.layer
    padded, rest = pad(padding(item, (layer.kernel_size,), (layer.strides,)))
    link = L.Convolution1D(
        item.input_shape[1], layer.filters, layer.kernel_size, layer.strides, rest, nobias=not layer.bias
    )
    return [channels_second, *padded, link, channels_second]


def channels_second(x):
    """(rows, steps, features) to (rows, features, steps), or back."""
    return F.swapaxes(x, 1, 2)


def maxpool2d(item):
    window, strides = tuple(item.layer.pool_size), tuple(item.layer.strides)
    pads, wanted = padding(item, window, strides), list(item.output_shape[:2])
    before = tuple(top for top, _ in pads)
    pool = partial(F.max_pooling_2d, ksize=window, stride=strides)
    for cover_all in (False, True):  # cover_all pads at the bottom and right where a stride leaves rows over
        sizes = zip(item.input_shape, window, strides, before)
        if [get_conv_outsize(*axis, cover_all=cover_all) for axis in sizes] == wanted:
            return [partial(pool, pad=before, cover_all=cover_all)]
    padded, rest = pad(pads, -np.inf)
    return [*padded, partial(pool, pad=rest, cover_all=False)]


def averagepool2d(item):
    window, strides = tuple(item.layer.pool_size), tuple(item.layer.strides)
    pads = padding(item, window, strides)
    padded, rest = pad(pads)
    pool = [*padded, lambda x: F.average_pooling_2d(x, window, strides, rest)]
    return [*pool, PaddingUncounted(pool, item.input_shape)] if any(map(any, pads)) else pool


class PaddingUncounted(chainer.Link):
    """Makes means that count padding means that do not: times the window's size over what it holds of the image."""

    def __init__(self, pool, shape):
        super().__init__()
        share = chainer.Variable(np.ones((1, 1, *shape[:2]), chainer.get_dtype()))
        for function in pool:
            share = function(share)
        self.factor = 1 / share.array
        self.register_persistent("factor")

    def forward(self, x):
        return x * self.factor


def globalmaxpool1d(item):
    """A pooling over all steps: of tied maxima the first one gets the gradient, where F.max gives it to each."""
    steps, features = item.input_shape
    return [lambda x: F.reshape(F.max_pooling_1d(channels_second(x), steps), (len(x), features))]


def batchnorm(item):
    axes = {1: 0, 2: (0, 1), 3: (0, 2, 3)}[len(item.input_shape)]
    return [L.BatchNormalization(item.input_shape[-1], item.layer.momentum, item.layer.epsilon, axis=axes)]


def embedding(item):
    return [L.EmbedID(item.layer.vocabulary_size, item.layer.units)]


ATTRIBUTES = {
    "kernel": "W",
    "table": "W",
    "bias": "b",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "avg_mean",
    "running_variance": "avg_var",
}
LSTM_ATTRIBUTES = {"kernel": "upward.W", "recurrent_kernel": "lateral.W", "bias": "upward.b"}


def attribute(layer, role):
    """Return where a layer's link keeps a tensor."""
    return (LSTM_ATTRIBUTES if layer.kind == "lstm" else ATTRIBUTES)[role]


def from_spec(layer, array):
    """Return a tensor of the spec in Chainer's layout, which has the outputs first."""
    if layer.kind == "lstm":
        gates = reorder_gates(array, layer.gate_order, GATE_ORDER)
        array = regrouped(gates, 4)
    return array if layer.kind == "embedding" else array.T if array.ndim < 4 else array.transpose(3, 2, 0, 1)


def to_spec(layer, array):
    """The inverse of ``from_spec``."""
    array = array if layer.kind == "embedding" else array.T if array.ndim < 4 else array.transpose(2, 3, 1, 0)
    if layer.kind == "lstm":
        return reorder_gates(regrouped(array, layer.units), GATE_ORDER, layer.gate_order)
    return array


def regrouped(packed, groups):
    """Return (..., groups * size), group after group, as (..., size * groups), the groups' firsts first."""
    split = packed.reshape((*packed.shape[:-1], groups, -1))
    return split.swapaxes(-1, -2).reshape(packed.shape)
