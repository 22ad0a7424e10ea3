"""Every layer of the spec as Torch7's modules, and the layouts of their tensors.

Images are (rows, channels, height, width), steps (rows, steps, features), as nn takes them. Only nn.SeqLSTM has the
steps first. Each builder returns the modules of one layer; the first of them with a weight holds the layer's tensors.
"""

from .torch7_lua import call, load, lua, nn
from .worker import reorder_gates, same_padding

GATE_ORDER = "ifog"  # that of nn.SeqLSTM
FUNCTIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "elu": nn.ELU, "softmax": nn.SoftMax}
modules = load("torch7_modules.lua")


def view(*sizes):
    return nn.View(-1, *sizes)


def channels_last(shape):
    """Return the modules that put the channels of images of this (spec's) shape last; of one they are there."""
    return [nn.Transpose(pair(2, 3), pair(3, 4))] if len(shape) == 3 and shape[2] > 1 else []


def channels_first(shape):
    if len(shape) == 3 and shape[2] > 1:
        return [view(*shape), nn.Transpose(pair(3, 4), pair(2, 3))]
    return [view(shape[2], *shape[:2]) if len(shape) == 3 else view(*shape)]


def pair(one, other):
    return lua.table_from([one, other])


def each_step(item, module):
    """Return a module of rows as one of the steps of rows."""
    if len(item.input_shape) == 1:
        return [module]
    return [view(item.input_shape[1]), module, view(*item.output_shape)]


def dense(item):
    return each_step(item, nn.Linear(item.input_shape[-1], item.layer.units, item.layer.bias))


def activation(item):
    name = item.layer.function
    if name == "linear":
        return []
    module = FUNCTIONS[name]()
    return each_step(item, module) if name == "softmax" and len(item.input_shape) == 2 else [module]


def flatten(item):
    return [*channels_last(item.input_shape), view(*item.output_shape)]


def reshape(item):
    return [*channels_last(item.input_shape), *channels_first(item.output_shape)]


def dropout(item):
    return [nn.Dropout(item.layer.rate)]


def padding(item, window, strides):
    """Return (before, after) for each axis that the window moves along."""
    if item.layer.padding == "valid":
        return [(0, 0) for _ in window]
    return [same_padding(*numbers) for numbers in zip(item.input_shape, window, strides)]


def conv2d(item):
    layer, (height, width) = item.layer, item.layer.kernel_size
    (top, bottom), (left, right) = padding(item, layer.kernel_size, layer.strides)
    even = (top, left) == (bottom, right)
    pads = [] if even else [nn.SpatialZeroPadding(left, right, top, bottom)]
    sides = (left, top) if even else (0, 0)
    strides = reversed(layer.strides)  # width, then height
    module = nn.SpatialConvolution(item.input_shape[2], layer.filters, width, height, *strides, *sides)
    return [*pads, module if layer.bias else call(module, "noBias")]


def conv1d(item):
    layer = item.layer
    ((before, after),) = padding(item, [layer.kernel_size], [layer.strides])
    pads = [nn.SpatialZeroPadding(0, 0, before, after)] if before or after else []
    module = nn.TemporalConvolution(item.input_shape[1], layer.filters, layer.kernel_size, layer.strides)
    return [*pads, module if layer.bias else modules.without_bias(module)]


def maxpool2d(item):
    return pool(item, nn.SpatialMaxPooling)


def averagepool2d(item):
    return pool(item, lambda *sizes: call(nn.SpatialAveragePooling(*sizes), "setCountExcludePad"))


def pool(item, make):
    """Pad alike on both sides, as nn does. Where the end needs more, ceil() lets the last window hang over it; by a
    stride of 1 it does not, so there both sides get more, and the first outputs are cut off."""
    window, strides = item.layer.pool_size, item.layer.strides
    sides = padding(item, window, strides)
    cut = [after - before if stride == 1 else 0 for (before, after), stride in zip(sides, strides)]
    both = [before + more for (before, _), more in zip(sides, cut)]
    pooled = make(*reversed(window), *reversed(strides), *reversed(both))
    if item.layer.padding == "same":
        call(pooled, "ceil")
    return [pooled, nn.SpatialZeroPadding(-cut[1], 0, -cut[0], 0)] if any(cut) else [pooled]


def globalmaxpool1d(item):
    return [nn.Max(2)]


def batchnorm(item):
    make = nn.SpatialBatchNormalization if len(item.input_shape) == 3 else nn.BatchNormalization
    module = make(item.input_shape[-1], item.layer.epsilon, 1 - item.layer.momentum)
    return each_step(item, modules.of_one_row(module)) if len(item.input_shape) == 2 else [modules.of_one_row(module)]


def embedding(item):
    return [nn.LookupTable(item.layer.vocabulary_size, item.layer.units)]


def lstm(item):
    module = nn.SeqLSTM(item.input_shape[1], item.layer.units)
    if not item.layer.bias:
        module = modules.without_bias(module)
    if item.layer.stateful:
        module = modules.stateful(module)
    output = nn.Select(1, -1) if item.layer.output == "last" else nn.Transpose(pair(1, 2))
    return [nn.Transpose(pair(1, 2)), module, output]


# ---------------------------------------------------------------------------- layouts of tensors

ATTRIBUTES = {
    "kernel": ("weight", "gradWeight"),
    "table": ("weight", "gradWeight"),
    "gamma": ("weight", "gradWeight"),
    "bias": ("bias", "gradBias"),
    "beta": ("bias", "gradBias"),
    "running_mean": ("running_mean", None),
    "running_variance": ("running_var", None),
}


def tensors(item, holder):
    """Return {role: (tensor, its gradient or None)} of a layer, views of what its module holds."""
    if item.layer.kind != "lstm":
        names = {role: ATTRIBUTES[role] for role in item.parameters}
        return {role: (holder[own], grad and holder[grad]) for role, (own, grad) in names.items()}
    features, units = item.input_shape[1], item.layer.units
    rows = {"kernel": (1, features), "recurrent_kernel": (features + 1, units)}
    found = {
        role: tuple(call(holder[name], "narrow", 1, *place) for name in ATTRIBUTES["kernel"])
        for role, place in rows.items()
    }
    return dict(found, bias=(holder.bias, holder.gradBias)) if item.layer.bias else found


def from_spec(layer, array):
    """Return a tensor of the spec in Torch7's layout, which has the outputs first."""
    if layer.kind == "lstm":
        return reorder_gates(array, layer.gate_order, GATE_ORDER)
    if layer.kind == "conv1d" and array.ndim == 3:
        return array.reshape(-1, array.shape[2]).T
    if layer.kind == "dense":
        return array.T
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def to_spec(layer, array, shape):
    """The inverse of ``from_spec``; ``shape``: that of the spec's tensor."""
    if layer.kind == "lstm":
        return reorder_gates(array, GATE_ORDER, layer.gate_order)
    if layer.kind == "conv1d" and len(shape) == 3:
        return array.T.reshape(shape)
    if layer.kind == "dense":
        return array.T
    return array.transpose(2, 3, 1, 0) if len(shape) == 4 else array
