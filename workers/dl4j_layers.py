"""Builds a model from DL4J's own layers: each builder adds its layer to a Stack."""

import numpy as np

from .dl4j_forms import FORMS, Stack
from .dl4j_jvm import org
from .flattening import channels_first
from .worker import reorder_gates

GATE_ORDER = "gfoi"  # DL4J's own


def conf_layers():
    return org.deeplearning4j.nn.conf.layers


def steps_format():
    return org.deeplearning4j.nn.conf.RNNFormat.NCW


def function(name):
    known = org.nd4j.linalg.activations.Activation
    return known.IDENTITY if name == "linear" else getattr(known, name.upper())


def dense(stack, item, activation, last):
    """A dense layer; the model's last one is DL4J's output layer, which holds the loss."""
    known, steps = conf_layers(), len(item.input_shape) == 2
    is_output = last and (item.layer.bias or not steps)  # RnnOutputLayer always has a bias
    order = None
    if is_output and steps:
        stack.move("steps", item.input_shape)
    elif steps:
        stack.move("step_rows", item.input_shape)
    elif stack.form == "image":  # DL4J flattens channels first, so the kernel's rows are put in that order, once
        order, shape = channels_first(*stack.shape), stack.shape
        to_flat = org.deeplearning4j.nn.conf.preprocessor.CnnToFeedForwardPreProcessor(*shape)
        stack.preprocess(to_flat, "flat", item.input_shape)
    else:
        stack.move("flat", item.input_shape)
    if not is_output:
        builder = known.DenseLayer.Builder().activation(function(activation))
    else:
        builder = (known.RnnOutputLayer if steps else known.OutputLayer).Builder(stack.output.loss)
        builder.activation(stack.output.activation)
        if steps:
            builder.dataFormat(steps_format())  # where none is set, its gradient takes the other one
    builder.nIn(item.input_shape[-1]).nOut(item.layer.units).hasBias(item.layer.bias)
    kernel = ("W",) if order is None else ("W", lambda w: w[order], lambda w: w[np.argsort(order)])
    stack.add(stack.decay(builder).build(), item, {"kernel": kernel, "bias": ("b",)})
    stack.shape = tuple(item.output_shape)
    return is_output


def activation(stack, item, *_):
    name = item.layer.function
    if name == "linear":
        return
    if name == "softmax":  # over the features: as columns
        forms = {"flat": "flat", "steps": "step_rows", "image": "pixels"}
        stack.move(forms[FORMS[len(item.input_shape)]], item.input_shape)
    stack.add(conf_layers().ActivationLayer.Builder().activation(function(name)).build())


def dropout(stack, item, *_):
    if item.layer.rate > 0:
        stack.add(conf_layers().DropoutLayer.Builder(1 - item.layer.rate).build())  # DL4J states what is kept


def mode(item):
    known = org.deeplearning4j.nn.conf.ConvolutionMode
    return known.Same if item.layer.padding == "same" else known.Truncate


def conv2d(stack, item, activation, last):
    stack.move("image", item.input_shape)
    builder = conf_layers().ConvolutionLayer.Builder(*item.layer.kernel_size)
    builder.nIn(item.input_shape[2]).nOut(item.layer.filters).stride(*item.layer.strides).convolutionMode(mode(item))
    builder.hasBias(item.layer.bias).activation(function(activation))
    kernel = ("W", lambda w: w.transpose(3, 2, 0, 1), lambda w: w.transpose(2, 3, 1, 0))
    stack.add(stack.decay(builder).build(), item, {"kernel": kernel, "bias": ("b",)})
    stack.shape = tuple(item.output_shape)


def conv1d(stack, item, activation, last):
    stack.move("steps", item.input_shape)
    builder = conf_layers().Convolution1DLayer.Builder().nIn(item.input_shape[1]).nOut(item.layer.filters)
    builder.kernelSize(item.layer.kernel_size).stride(item.layer.strides).convolutionMode(mode(item))
    builder.hasBias(item.layer.bias).activation(function(activation))
    # DL4J shapes the kernel (filters, in, size, 1), but reads its numbers as (size, in, filters), the spec's order.
    stack.add(stack.decay(builder).build(), item, {"kernel": ("W",), "bias": ("b",)})
    stack.shape = tuple(item.output_shape)


def pool2d(stack, item, *_):
    stack.move("image", item.input_shape)
    kind = conf_layers().PoolingType
    builder = conf_layers().SubsamplingLayer.Builder(kind.MAX if item.layer.kind == "maxpool2d" else kind.AVG)
    builder.kernelSize(*item.layer.pool_size).stride(*item.layer.strides).convolutionMode(mode(item))
    stack.add(builder.build())
    stack.shape = tuple(item.output_shape)


def globalmaxpool1d(stack, item, *_):
    stack.move("steps", item.input_shape)
    stack.add(conf_layers().GlobalPoolingLayer.Builder(conf_layers().PoolingType.MAX).build())
    stack.form, stack.shape = "flat", tuple(item.output_shape)


def batchnorm(stack, item, *_):
    shape = item.input_shape
    if len(shape) == 2:  # DL4J normalises no steps: an image of width one
        stack.move("image", [shape[0], 1, shape[1]])
    else:
        stack.move(FORMS[len(shape)], shape)
    builder = conf_layers().BatchNormalization.Builder().decay(item.layer.momentum).eps(item.layer.epsilon)
    builder.nIn(shape[-1]).nOut(shape[-1]).useLogStd(False)
    positions = int(np.prod(shape[:-1]))
    stack.normalised.append(("{}_".format(len(stack.layers)), positions, item.layer.momentum))
    tensors = {"gamma": ("gamma",), "beta": ("beta",), "running_mean": ("mean",), "running_variance": ("var",)}
    stack.add(builder.build(), item, tensors)


def embedding(stack, item, *_):
    builder = conf_layers().EmbeddingSequenceLayer.Builder().nIn(item.layer.vocabulary_size).nOut(item.layer.units)
    builder.hasBias(False).inferInputLength(True).activation(function("linear"))
    stack.add(stack.decay(builder, kernels=False).build(), item, {"table": ("W",)})
    stack.form, stack.shape = "steps", tuple(item.output_shape)


def lstm(stack, item, *_):
    stack.move("steps", item.input_shape)
    builder = conf_layers().LSTM.Builder().nIn(item.input_shape[1]).nOut(item.layer.units)
    layer = stack.decay(builder.activation(function("tanh")).gateActivationFunction(function("sigmoid"))).build()
    if item.layer.output == "last":
        layer = conf_layers().recurrent.LastTimeStep(layer)
    place, order = len(stack.layers), item.layer.gate_order
    if item.layer.stateful:
        stack.stateful.append(place)
    if not item.layer.bias:
        stack.frozen.append("{}_b".format(place))
    gates = (lambda w: reorder_gates(w, order, GATE_ORDER), lambda w: reorder_gates(w, GATE_ORDER, order))
    keys = {"kernel": "W", "recurrent_kernel": "RW", "bias": "b"}
    stack.add(layer, item, {role: (key, *gates) for role, key in keys.items()})
    stack.form, stack.shape = FORMS[len(item.output_shape)], tuple(item.output_shape)


def nothing(stack, item, *_):
    """Flatten and reshape: see Stack."""


FUSED = {"dense", "conv2d", "conv1d"}  # their DL4J layers take the activation that follows


def build_stack(job, output, builders):
    """Return the job's model as a Stack that ends in an output layer.

    output: its loss and activation. builders: layer kind -> the function that adds it.
    """
    stack, items, place, done = Stack(job, output), job.model.layers, 0, False
    while place < len(items):
        item, following = items[place], items[place + 1 : place + 2]
        place += 1
        fused = "linear"
        if item.layer.kind in FUSED and following and following[0].layer.kind == "activation":
            name = following[0].layer.function
            if name != "softmax" or item.layer.kind == "dense":
                fused, place = name, place + 1
        done = builders[item.layer.kind](stack, item, fused, place == len(items) and not following)
    if not done:
        shape = items[-1].output_shape
        stack.move(FORMS[len(shape)], shape)
        known = conf_layers().RnnLossLayer if len(shape) == 2 else conf_layers().LossLayer
        builder = known.Builder().lossFunction(output.loss).activation(output.activation)
        if len(shape) == 2:
            builder.dataFormat(steps_format())
        stack.add(builder.build())
    return stack
