"""Every layer of the spec as PyTorch's modules, and the layouts of their tensors.

Images are (rows, channels, height, width), which PyTorch's layers take. Steps stay (rows, steps, features): so
nn.Linear and nn.LSTM take them as they are, and what wants channels first gets a view, with the features last in
memory, for which PyTorch has kernels. All of it without a copy.
"""

import torch
from torch import nn

from .worker import reorder_gates, same_padding

GATE_ORDER = "ifgo"  # PyTorch's own
FUNCTIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "elu": nn.ELU, "linear": nn.Identity}


class Flatten(nn.Module):
    """To rows of height, width, channel; by index, as a permute's gradient slows the layers before it (15% seen)."""

    def __init__(self, height, width, channels):
        super().__init__()
        order = torch.arange(channels * height * width).reshape(channels, height, width).permute(1, 2, 0)
        self.register_buffer("order", order.flatten())

    def forward(self, x):
        return x.flatten(1).index_select(1, self.order)


class Reshape(nn.Module):
    """In the spec's order: the channels of images, before and after, count as the last axis."""

    def __init__(self, old_shape, shape):
        super().__init__()
        self.of_image, self.shape = len(old_shape) == 3, shape

    def forward(self, x):
        x = (x.permute(0, 2, 3, 1) if self.of_image else x).reshape(len(x), *self.shape)
        return x.permute(0, 3, 1, 2) if len(self.shape) == 3 else x


class Conv1d(nn.Conv1d):
    """nn.Conv1d over (rows, steps, features), by the kernels for images: these are of height 1.

    They work on features that lie last, where nn.Conv1d's own copy to channels first and back (30% slower seen).
    """

    def forward(self, x):
        images, kernel = x.transpose(1, 2).unsqueeze(2), self.weight.unsqueeze(2)
        y = nn.functional.conv2d(images, kernel, self.bias, (1, *self.stride), (0, *self.padding))
        return y.squeeze(2).transpose(1, 2)


class Cut(nn.Module):
    """Images without so many of their first rows and columns."""

    def __init__(self, height, width):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x):
        return x[:, :, self.height :, self.width :]


class GlobalMaxPool1d(nn.AdaptiveMaxPool1d):
    """Over (rows, steps, features)."""

    def __init__(self):
        super().__init__(1)

    def forward(self, x):
        return super().forward(x.transpose(1, 2)).flatten(1)


class BatchNorm(nn.BatchNorm1d):
    """Over (rows, features), or (rows, steps, features), where each step is a row to nn.BatchNorm1d."""

    def forward(self, x):
        flat = x.flatten(0, -2)
        if self.training and len(flat) == 1:  # which PyTorch refuses; of it twice, mean and variance are the same
            return super().forward(flat.repeat(2, 1))[:1].reshape(x.shape)
        return super().forward(flat).reshape(x.shape)


class LSTM(nn.LSTM):
    """nn.LSTM with one bias: the second would double the bias's rate, so it stays at zero, untrained.

    ``state``: of a stateful one, (h, c) after the last batch, each (1, rows, units); None is zero.
    """

    state = None

    def __init__(self, item):
        super().__init__(item.input_shape[1], item.layer.units, bias=item.layer.bias, batch_first=True)
        self.last, self.stateful = item.layer.output == "last", item.layer.stateful
        if item.layer.bias:
            nn.init.zeros_(self.bias_hh_l0).requires_grad_(False)

    def forward(self, x):
        start = None if self.state is None else tuple(kept[:, : len(x)] for kept in self.state)
        outputs, (h, c) = super().forward(x, start)
        if self.stateful:
            self.state = h.detach(), c.detach()
        return h[0] if self.last else outputs


# Each builder returns the modules of one layer; the last of them holds the layer's tensors.


def activation(item):
    if item.layer.function == "softmax":
        return [nn.Softmax(dim=1 if len(item.input_shape) == 3 else -1)]  # the spec's last axis: channels
    return [FUNCTIONS[item.layer.function]()]


def flatten(item):
    image = len(item.input_shape) == 3 and item.input_shape[2] > 1  # one channel is in order as it is
    return [Flatten(*item.input_shape) if image else nn.Flatten()]


def padding(item, window, strides):
    """Return (before, after) for each axis that the window moves along."""
    if item.layer.padding == "valid":
        return [(0, 0) for _ in window]
    return [same_padding(*numbers) for numbers in zip(item.input_shape, window, strides)]


def conv2d(item):
    layer = item.layer
    (top, bottom), (left, right) = padding(item, layer.kernel_size, layer.strides)
    even = (top, left) == (bottom, right)
    pads = [] if even else [nn.ConstantPad2d((left, right, top, bottom), 0.0)]
    sizes = item.input_shape[2], layer.filters, layer.kernel_size, layer.strides
    return [*pads, nn.Conv2d(*sizes, padding=(top, left) if even else 0, bias=layer.bias)]


def conv1d(item):
    layer = item.layer
    ((before, after),) = padding(item, [layer.kernel_size], [layer.strides])
    pads = [] if before == after else [nn.ConstantPad2d((0, 0, before, after), 0.0)]  # of steps, not of features
    sizes = item.input_shape[1], layer.filters, layer.kernel_size, layer.strides
    return [*pads, Conv1d(*sizes, padding=0 if pads else before, bias=layer.bias)]


def maxpool2d(item):
    return pool(item, nn.MaxPool2d)


def averagepool2d(item):
    return pool(item, nn.AvgPool2d, count_include_pad=False)


def pool(item, make, **options):
    """Pad alike on both sides, as PyTorch does. Where the end needs more, ceil_mode lets the last window hang over it;
    by a stride of 1 it does not, so there both sides get more, and the first outputs are cut off."""
    window, strides = item.layer.pool_size, item.layer.strides
    sides = padding(item, window, strides)
    cut = [after - before if stride == 1 else 0 for (before, after), stride in zip(sides, strides)]
    both = tuple(before + more for (before, _), more in zip(sides, cut))
    pooled = make(window, strides, both, ceil_mode=item.layer.padding == "same", **options)
    return [pooled, Cut(*cut)] if any(cut) else [pooled]


def batchnorm(item):
    make = nn.BatchNorm2d if len(item.input_shape) == 3 else BatchNorm
    return [make(item.input_shape[-1], item.layer.epsilon, 1 - item.layer.momentum)]


# ---------------------------------------------------------------------------- layouts of tensors

ATTRIBUTES = {"kernel": "weight", "table": "weight", "bias": "bias"}
ATTRIBUTES_OF = {
    "batchnorm": {"gamma": "weight", "beta": "bias", "running_mean": "running_mean", "running_variance": "running_var"},
    "lstm": {"kernel": "weight_ih_l0", "recurrent_kernel": "weight_hh_l0", "bias": "bias_ih_l0"},
}


def attribute(kind, role):
    """Return the attribute of a layer's module that holds the tensor of a role."""
    return ATTRIBUTES_OF.get(kind, ATTRIBUTES)[role]


def from_spec(layer, array):
    """Return a tensor of the spec in PyTorch's layout, which has the outputs first."""
    if layer.kind == "lstm":
        array = reorder_gates(array, layer.gate_order, GATE_ORDER)
    return array if layer.kind == "embedding" else array.T if array.ndim < 4 else array.transpose(3, 2, 0, 1)


def to_spec(layer, array):
    """The inverse of ``from_spec``."""
    array = array if layer.kind == "embedding" else array.T if array.ndim < 4 else array.transpose(2, 3, 1, 0)
    return reorder_gates(array, GATE_ORDER, layer.gate_order) if layer.kind == "lstm" else array
