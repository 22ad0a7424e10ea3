"""The spec's layers as Caffe's, one function a kind: each adds to a Graph and says where the net keeps its tensors."""

import numpy as np
from caffe import layers as L

from .caffe_network import HELD
from .worker import reorder_gates

GATE_ORDER = "ifog"  # Caffe's LSTMUnit

FUNCTIONS = {"tanh": L.TanH, "relu": L.ReLU, "sigmoid": L.Sigmoid, "elu": L.ELU}


def dense(graph, item):
    """A kernel behind flattened channels has its rows in Caffe's order, so that nothing need be turned over."""
    layer, source = item.layer, graph.flattened
    if graph.form == "channels":
        graph.to("rows")
    roles = ["kernel", "bias"][: 1 + layer.bias]
    options = {"num_output": layer.units, "bias_term": layer.bias, "axis": len(item.input_shape)}
    graph.put(L.InnerProduct(graph.top, param=graph.param(item, *roles), **options), item.name)
    if layer.bias:
        graph.tensor(item, "bias", 1)
    if source is None:
        graph.tensor(item, "kernel", 0, np.transpose, np.transpose)
        return
    *outer, channels = source
    places = int(np.prod(outer))

    def to_caffe(kernel):
        return kernel.reshape(places, channels, -1).transpose(2, 1, 0).reshape(layer.units, -1)

    def to_spec(kernel):
        return kernel.reshape(-1, channels, places).transpose(2, 1, 0).reshape(-1, layer.units)

    graph.tensor(item, "kernel", 0, to_caffe, to_spec)
    graph.form, graph.flattened = "rows", None


def activation(graph, item):
    function = item.layer.function
    if function == "softmax":
        axis = 1 if graph.form in ("channels", "flat") else len(item.input_shape)
        graph.put(L.Softmax(graph.top, axis=axis))
    elif function != "linear":
        overwrites = graph.top.fn.type_name in ("InnerProduct", "Convolution")  # whose gradient needs no outputs
        graph.put(FUNCTIONS[function](graph.top, in_place=overwrites))


def flatten(graph, item):
    if len(item.input_shape) == 1:
        return
    if graph.form == "time":
        graph.to("rows")
    if graph.form == "channels":
        graph.form, graph.flattened = "flat", item.input_shape
    graph.reshape(-1, *item.output_shape)


def reshape(graph, item):
    graph.to("rows")
    graph.reshape(-1, *item.output_shape)
    graph.shape = item.output_shape
    if len(graph.shape) == 3:
        graph.to("channels")


def dropout(graph, item):
    if item.layer.rate > 0:
        graph.put(L.Dropout(graph.top, dropout_ratio=item.layer.rate))


class Running:
    """Caffe keeps a sum and the sum of its weights. With the weights' sum at its limit, 1 / (1 - momentum), the mean
    moves as the spec's does. What did not move is what was given, to the last bit."""

    def __init__(self, momentum):
        self.weights = 1 / (1 - momentum)

    def to_caffe(self, value):
        self.given, self.start = value, (value * self.weights).astype(np.float32)
        return self.start

    def to_spec(self, array):
        return np.where(array == self.start, self.given, (array / self.weights).astype(np.float32))


def batchnorm(graph, item):
    if graph.form == "flat":
        graph.to("rows")
    layer, steps = item.layer, len(item.input_shape) == 2 and graph.form != "channels"
    if steps:
        graph.reshape(-1, item.input_shape[-1])
    own = item.name + "_statistics"
    graph.put(L.BatchNorm(graph.top, moving_average_fraction=layer.momentum, eps=layer.epsilon), own)
    graph.put(L.Scale(graph.top, bias_term=True, param=graph.param(item, "gamma", "beta")), item.name)
    if steps:
        count, features = item.input_shape
        graph.reshape(*([count, -1] if graph.form == "time" else [-1, count]), features)
    graph.tensor(item, "gamma", 0)
    graph.tensor(item, "beta", 1)
    for blob, role in enumerate(("running_mean", "running_variance")):
        running = Running(layer.momentum)
        graph.tensor(item, role, blob, running.to_caffe, running.to_spec, layer=own)
    graph.constants[own, 2] = 1 / (1 - layer.momentum)


def embedding(graph, item):
    layer = item.layer
    options = {"input_dim": layer.vocabulary_size, "num_output": layer.units, "bias_term": False}
    graph.put(L.Embed(graph.top, param=graph.param(item, "table"), **options), item.name)
    graph.tensor(item, "table", 0)


def lstm(graph, item):
    layer, steps = item.layer, item.input_shape[0]
    graph.to("time")

    def goes_on(rows):
        """Caffe's marks of where a sequence goes on; a stateful layer's state comes from outside."""
        marks = np.ones((steps, rows))
        marks[0] = layer.stateful
        return marks

    bottoms = [graph.top, graph.input(item.name + "_goes_on", None, fill=goes_on)]
    states = [item.name + part for part in ("_h", "_c")] if layer.stateful else []
    bottoms += [graph.input(name, [1, graph.rows, layer.units], axis=1) for name in states]
    params = graph.param(item, "kernel", "bias", "recurrent_kernel")
    if not layer.bias:
        params[1] = HELD
        graph.held.append((item.name, 1))
    recurrent = {"num_output": layer.units, "expose_hidden": layer.stateful}
    tops = L.LSTM(*bottoms, recurrent_param=recurrent, param=params, ntop=1 + len(states))
    top, *ends = tops if states else [tops]
    graph.put(top, item.name)
    for name, end in zip(states, ends):
        graph.spec[name + "_end"] = end
        graph.states[name] = name + "_end"
    tensors(graph, item)
    if layer.output == "last":
        if steps > 1:
            rest, last = L.Slice(graph.top, axis=0, slice_point=[steps - 1], ntop=2)
            graph.spec[item.name + "_rest"] = L.Silence(rest, ntop=0)
            graph.put(last)
        graph.reshape(-1, layer.units)
        graph.form = "rows"


def tensors(graph, item):
    def to_caffe(array):
        return reorder_gates(array, item.layer.gate_order, GATE_ORDER).T

    def to_spec(array):
        return reorder_gates(array.T, GATE_ORDER, item.layer.gate_order)

    for blob, role in enumerate(("kernel", "bias", "recurrent_kernel")):
        if role != "bias" or item.layer.bias:
            graph.tensor(item, role, blob, to_caffe, to_spec)
