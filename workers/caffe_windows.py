"""The spec's convolutions and poolings as Caffe's, which pads both sides alike and rounds sizes either way."""

import math

import numpy as np
from caffe import layers as L
from caffe import params as P

from .caffe_network import HELD
from .worker import same_padding

LOWEST = -3e38  # for a maximum: minus infinity


def padding(item, window, strides):
    """Return (before, after) for each axis that a window moves along."""
    if item.layer.padding == "valid":
        return [(0, 0)] * len(window)
    return list(map(same_padding, item.input_shape, window, strides))


def append(graph, axis, size, value):
    """Add one more row or column of a value: Caffe itself pads both sides alike."""
    rest, edge = (None, graph.top) if size == 1 else L.Slice(graph.top, axis=axis, slice_point=[size - 1], ntop=2)
    added = L.Power(edge, scale=0.0, shift=value)
    graph.put(L.Concat(*([rest] if rest else []), edge, added, axis=axis))


def uneven(graph, sizes, pads, value):
    """Append where more is padded behind than before, and return the sizes with that."""
    for place, (before, after) in enumerate(pads):
        if after > before:
            append(graph, 2 + place, sizes[place], value)
    return [size + after - before for size, (before, after) in zip(sizes, pads)]


def convolution(graph, item, sizes, window, strides, pads, to_caffe, to_spec):
    layer = item.layer
    uneven(graph, sizes, pads, 0.0)
    roles = ["kernel", "bias"][: 1 + layer.bias]
    graph.put(
        L.Convolution(
            graph.top,
            num_output=layer.filters,
            bias_term=layer.bias,
            param=graph.param(item, *roles),
            **sides("kernel", window),
            **sides("stride", strides),
            **sides("pad", [before for before, _ in pads]),
        ),
        item.name,
    )
    graph.tensor(item, "kernel", 0, to_caffe, to_spec)
    if layer.bias:
        graph.tensor(item, "bias", 1)
    graph.form = "channels"


def sides(name, pair):
    return {name + "_h": pair[0], name + "_w": pair[1]}


def conv2d(graph, item):
    graph.to("channels")
    layer = item.layer
    pads = padding(item, layer.kernel_size, layer.strides)
    layouts = [lambda kernel: kernel.transpose(3, 2, 0, 1), lambda kernel: kernel.transpose(2, 3, 1, 0)]
    convolution(graph, item, item.input_shape[:2], layer.kernel_size, layer.strides, pads, *layouts)


def conv1d(graph, item):
    """Steps in rows are an image of one channel, as wide as the features are many; so nothing is turned over."""
    layer, (steps, features) = item.layer, item.input_shape
    pads = [*padding(item, (layer.kernel_size,), (layer.strides,)), (0, 0)]
    strides = (layer.strides, 1)
    if graph.form == "channels":
        layouts = [
            lambda kernel: kernel.transpose(2, 1, 0)[..., None],
            lambda kernel: kernel[..., 0].transpose(2, 1, 0),
        ]
        convolution(graph, item, (steps, 1), (layer.kernel_size, 1), strides, pads, *layouts)
        return
    graph.to("rows")
    graph.reshape(-1, 1, steps, features)
    layouts = [lambda kernel: kernel.transpose(2, 0, 1)[:, None], lambda kernel: kernel[:, 0].transpose(1, 2, 0)]
    convolution(graph, item, (steps, 1), (layer.kernel_size, features), strides, pads, *layouts)


def maxpool2d(graph, item):
    pool2d(graph, item, P.Pooling.MAX, LOWEST)


def averagepool2d(graph, item):
    pads, sizes = pool2d(graph, item, P.Pooling.AVE, 0.0)
    axes = zip(item.input_shape, sizes, item.output_shape, item.layer.pool_size, item.layer.strides, pads)
    rows, columns = [counted_too_often(*axis) for axis in axes]
    if rows.any() or columns.any():
        name = item.name + "_counted"
        graph.put(L.Scale(graph.top, axis=2, num_axes=2, param=[HELD]), name)
        graph.constants[name, 0] = np.outer(1 + rows, 1 + columns)


def counted_too_often(own, size, outputs, window, stride, pads):
    """Return, for each output, the share of the padding that Caffe counts into a mean over what it holds besides."""
    starts = np.arange(outputs) * stride - pads[0]
    counted = np.minimum(starts + window, size + pads[0]) - starts
    return counted / (np.minimum(starts + window, own) - np.maximum(starts, 0)) - 1


def pool2d(graph, item, method, value):
    """Return the padding and the image's sizes with what was appended to it."""
    graph.to("channels")
    layer, wanted = item.layer, list(item.output_shape[:2])
    pads, sizes = padding(item, layer.pool_size, layer.strides), item.input_shape[:2]
    modes = {"CEIL": math.ceil, "FLOOR": math.floor}
    axes = list(zip(layer.pool_size, layer.strides, pads))

    def fitting():
        padded = any(before for before, _ in pads)
        for mode, rounding in modes.items():
            if [pooled(size, *axis, rounding, padded) for size, axis in zip(sizes, axes)] == wanted:
                return mode
        return None

    if fitting() is None:
        sizes = uneven(graph, sizes, pads, value)
    options = {"pool": method, "round_mode": getattr(P.Pooling, fitting())}
    windows = {**sides("kernel", layer.pool_size), **sides("stride", layer.strides)}
    graph.put(L.Pooling(graph.top, **options, **windows, **sides("pad", [before for before, _ in pads])))
    return pads, sizes


def pooled(size, window, stride, pads, rounding, padded):
    """Return how many outputs Caffe's pooling has along an axis."""
    before = pads[0]
    outputs = int(rounding((size + 2 * before - window) / stride)) + 1
    return outputs - 1 if padded and (outputs - 1) * stride >= size + before else outputs


def globalmaxpool1d(graph, item):
    steps, features = item.input_shape
    if graph.form == "channels":
        graph.put(L.Pooling(graph.top, pool=P.Pooling.MAX, global_pooling=True))
    else:
        graph.to("rows")
        graph.reshape(-1, 1, steps, features)
        graph.put(L.Pooling(graph.top, pool=P.Pooling.MAX, kernel_h=steps, kernel_w=1))
    graph.reshape(-1, features)
    graph.form = "rows"
