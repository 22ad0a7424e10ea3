"""MXNet: the spec's layers as Gluon blocks, and the spec's tensors in their layouts. Images are channels-first."""

import numpy as np

from .mxnet_library import HybridBlock, nn, rnn
from .worker import reorder_gates, same_padding

GATE_ORDER = "ifgo"  # Gluon's own
CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
STEPS_SWAPPED = (0, 2, 1)  # of steps and channels; F.swapaxes takes four times as long

# Each builder returns the blocks of one layer; the last of them holds the layer's tensors.


def dense(item):
    layer = item.layer
    flat = len(item.input_shape) == 1
    return [nn.Dense(layer.units, use_bias=layer.bias, flatten=flat, in_units=item.input_shape[-1])]


def activation(item):
    function = item.layer.function
    if function == "softmax":
        axis = 1 if len(item.input_shape) == 3 else -1  # the spec's last axis: of an image, the channels
        return [nn.HybridLambda(lambda F, x: F.softmax(x, axis=axis))]
    if function == "linear":
        return []
    return [nn.ELU(1.0) if function == "elu" else nn.Activation(function)]


def reshape(item):
    """Through the spec's order; of one channel both orders are the same."""
    before, after = item.input_shape, item.output_shape
    blocks = []
    if len(before) == 3 and before[2] > 1:
        blocks.append(nn.HybridLambda(lambda F, x: F.transpose(x, CHANNELS_LAST)))
    if len(after) == 3 and after[2] == 1:
        after = [1, *after[:2]]
    blocks.append(nn.HybridLambda(lambda F, x: F.reshape(x, (-1, *after))))
    if len(after) == 3 and after is item.output_shape:
        blocks.append(nn.HybridLambda(lambda F, x: F.transpose(x, CHANNELS_FIRST)))
    return blocks


def pad(sizes, window, strides, padding):
    """Return (padding before, padding after), each with a number for every axis."""
    if padding == "valid":
        return (0,) * len(sizes), (0,) * len(sizes)
    return tuple(zip(*map(same_padding, sizes, window, strides)))


def conv2d(item):
    layer = item.layer
    before, after = pad(item.input_shape[:2], layer.kernel_size, layer.strides, layer.padding)
    blocks = []
    if before != after:
        width = (0, 0, 0, 0, before[0], after[0], before[1], after[1])
        blocks.append(nn.HybridLambda(lambda F, x: F.pad(x, mode="constant", pad_width=width)))
        before = (0, 0)
    options = {"use_bias": layer.bias, "in_channels": item.input_shape[2]}
    return [*blocks, nn.Conv2D(layer.filters, tuple(layer.kernel_size), tuple(layer.strides), before, **options)]


class Conv1D(nn.Conv1D):
    """nn.Conv1D, whose channels are first, over (rows, steps, channels)."""

    def __init__(self, item):
        layer = item.layer
        (self.before,), (self.after,) = pad(item.input_shape[:1], [layer.kernel_size], [layer.strides], layer.padding)
        even = self.before if self.before == self.after else 0
        options = {"use_bias": layer.bias, "in_channels": item.input_shape[1]}
        super().__init__(layer.filters, layer.kernel_size, layer.strides, even, **options)

    def hybrid_forward(self, F, x, weight, bias=None):
        x = F.transpose(x, STEPS_SWAPPED)
        if self.before != self.after:  # F.pad takes images only
            width = (0, 0, 0, 0, 0, 0, self.before, self.after)
            x = F.pad(x.expand_dims(2), mode="constant", pad_width=width).squeeze(axis=2)
        return F.transpose(super().hybrid_forward(F, x, weight, bias), STEPS_SWAPPED)


class Pool2D(HybridBlock):
    """Maximum, or mean of what is not padded, with the padding inside of MXNet's pooling.

    That pads both sides alike, and with the convention ``full`` what the last window lacks at the end too. Where
    the windows move by one it lacks nothing: they start a place earlier, and that first output is cut off.
    """

    def __init__(self, item, kind):
        super().__init__()
        layer, sizes = item.layer, item.input_shape[:2]
        before, after = pad(sizes, layer.pool_size, layer.strides, layer.padding)
        self.cut = [int(a > b and stride == 1) for b, a, stride in zip(before, after, layer.strides)]
        self.options = {
            "pool_type": kind,
            "kernel": tuple(layer.pool_size),
            "stride": tuple(layer.strides),
            "pad": tuple(b + cut for b, cut in zip(before, self.cut)),
            "pooling_convention": "full" if layer.padding == "same" else "valid",
            "count_include_pad": False,
        }
        outputs = item.output_shape[:2]
        used = [(n - 1) * stride + window for n, stride, window in zip(outputs, layer.strides, layer.pool_size)]
        self.used = [n if layer.padding == "same" and n < size else size for n, size in zip(used, sizes)]
        self.sizes = list(sizes)

    def hybrid_forward(self, F, x):
        if self.used != self.sizes:  # ``full`` would put a window behind them
            x = F.slice(x, (None, None, 0, 0), (None, None, *self.used))
        y = F.Pooling(x, **self.options)
        return F.slice(y, (None, None, *self.cut), (None, None, None, None)) if any(self.cut) else y


def globalmaxpool1d(item):
    """By the pooling: F.max gives the gradient to every one of tied maxima."""
    return [nn.HybridLambda(lambda F, x: F.transpose(x, STEPS_SWAPPED)), nn.GlobalMaxPool1D(), nn.Flatten()]


def batchnorm(item):
    axis = 2 if len(item.input_shape) == 2 else 1
    layer, features = item.layer, item.input_shape[-1]
    return [nn.BatchNorm(axis, layer.momentum, layer.epsilon, in_channels=features)]


class LSTM(HybridBlock):
    """rnn.LSTM with one bias: the second would double the bias's rate, so it stays at zero, untrained.

    ``stateful``: takes and returns its states, [h, c] of (1, rows, units), behind the data.
    """

    def __init__(self, item):
        super().__init__()
        self.layer = item.layer
        self.lstm = rnn.LSTM(item.layer.units, layout="NTC", input_size=item.input_shape[1])
        self.frozen = [self.lstm.l0_h2h_bias] if item.layer.bias else [self.lstm.l0_i2h_bias, self.lstm.l0_h2h_bias]
        for parameter in self.frozen:
            parameter.grad_req = "null"

    def hybrid_forward(self, F, x, *states):
        y = self.lstm(x, list(states) or None)
        if states:
            y, states = y
        if self.layer.output == "last":
            y = F.slice_axis(y, axis=1, begin=-1, end=None).squeeze(axis=1)  # hybridised, F.SequenceLast crashes
        return [y, *states] if states else y


LAYOUTS = {"dense": (1, 0), "conv2d": (3, 2, 0, 1), "conv1d": (2, 1, 0), "lstm": (1, 0)}
ATTRIBUTES = {"kernel": "weight", "table": "weight", "running_variance": "running_var"}
LSTM_ATTRIBUTES = {"kernel": "l0_i2h_weight", "recurrent_kernel": "l0_h2h_weight", "bias": "l0_i2h_bias"}


def parameter_of(block, role):
    """Return the Gluon parameter that holds a tensor."""
    if isinstance(block, LSTM):
        return getattr(block.lstm, LSTM_ATTRIBUTES[role])
    return getattr(block, ATTRIBUTES.get(role, role))


def from_spec(layer, array):
    """Return a tensor of the spec in Gluon's layout, which has the outputs first."""
    if layer.kind == "lstm":
        array = reorder_gates(array, layer.gate_order, GATE_ORDER)
    axes = LAYOUTS.get(layer.kind)
    return array.transpose(axes) if axes and array.ndim > 1 else array


def to_spec(layer, array):
    """The inverse of ``from_spec``."""
    axes = LAYOUTS.get(layer.kind)
    array = array.transpose(np.argsort(axes)) if axes and array.ndim > 1 else array
    return reorder_gates(array, GATE_ORDER, layer.gate_order) if layer.kind == "lstm" else array
