"""The layers and losses for which Keras 3 has something of its own, and small subclasses where Keras' own differs."""

import math
from typing import Any

from . import keras_layers as layers
from .keras_backend import BACKEND, keras
from .keras_layers import channel_axis, convolution, pooling
from .worker import same_padding

flatten = layers.flatten


def conv2d(item):
    return convolution(keras.layers.Conv2D, item)


def conv1d(item):
    return convolution(keras.layers.Conv1D, item, data_format="channels_last")  # steps come first on every backend


def maxpool2d(item):
    return pooling(keras.layers.MaxPooling2D, item)


def averagepool2d(item):
    sizes = zip(item.input_shape, item.layer.pool_size, item.layer.strides)
    padding = [same_padding(*numbers) for numbers in sizes]
    if BACKEND.repeats_edges and item.layer.padding == "same" and any(before != after for before, after in padding):
        layer = pooling(UnevenAveragePooling2D, item, padding="valid")
        layer.around = [(0, 0), (0, 0), *padding]
        return layer
    return pooling(keras.layers.AveragePooling2D, item)


class UnevenAveragePooling2D(keras.layers.AveragePooling2D):
    """Pads with zeros and does not count them; Keras' own would repeat the edge and count that. Channels come first."""

    around: Any

    def build(self, input_shape):
        ones = keras.ops.ones([1, 1, *input_shape[2:]])
        self.counted = super().call(keras.ops.pad(ones, self.around))

    def call(self, inputs):
        return super().call(keras.ops.pad(inputs, self.around)) / self.counted

    def compute_output_shape(self, input_shape):
        padded = [size + sum(around) for size, around in zip(input_shape[2:], self.around[2:])]
        return super().compute_output_shape((*input_shape[:2], *padded))


def batchnorm(item):
    options = {"momentum": item.layer.momentum, "epsilon": item.layer.epsilon, "name": item.name}
    return UnbiasedBatchNormalization(axis=channel_axis(item), **options)


class UnbiasedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' own, whose running variance takes in the batch's biased one: here n / (n - 1) times that."""

    def call(self, inputs, training=None, mask=None):
        ops = keras.ops
        before = ops.multiply(self.moving_variance, self.momentum)
        outputs = super().call(inputs, training=training, mask=mask)
        if training:
            added = ops.subtract(self.moving_variance, before)
            per_row = math.prod(inputs.shape[1:]) // inputs.shape[self.axis]
            n = ops.cast(ops.shape(inputs)[0], "float32") * per_row
            self.moving_variance.assign(before + added * n / ops.maximum(n - 1, 1))
        return outputs


def lstm(item):
    own = StatefulLSTM if item.layer.stateful else keras.layers.LSTM
    options = {"use_bias": item.layer.bias, "return_sequences": item.layer.output == "sequence"}
    return own(item.layer.units, unit_forget_bias=False, name=item.name, **options)


class StatefulLSTM(keras.layers.LSTM):
    """Goes on from batch to batch, of up to ``rows`` rows each; Keras' own, stateful, needs all of one size."""

    rows: int

    def build(self, sequences_shape, initial_state_shape=None):
        super().build(sequences_shape)
        options = {"shape": (self.rows, self.units), "initializer": "zeros", "trainable": False}
        self.kept = [self.add_weight(name=name, **options) for name in ("h", "c")]

    def get_initial_state(self, batch_size):
        return [keras.ops.copy(kept[:batch_size]) for kept in self.kept]  # PyTorch's would change below the gradient

    def inner_loop(self, sequences, initial_state, mask, training=False):
        last, outputs, states = super().inner_loop(sequences, initial_state, mask, training=training)
        rows = keras.ops.shape(sequences)[0]
        for kept, state in zip(self.kept, states):
            kept.assign(keras.ops.concatenate([state, kept[rows:]]))
        return last, outputs, states

    def reset_state(self):
        for kept in self.kept:
            kept.assign(keras.ops.zeros_like(kept.value))


def make_loss(loss, over_steps):
    """Return Keras' own loss, or, for sums over a row's outputs or steps, a function that it averages over the rows.

    ``over_steps``: whether the model has an output for each step.
    """
    if loss.kind == "categorical_cross_entropy":
        if over_steps and loss.over_steps == "sum":
            return summed_categorical
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    mean = loss.over_outputs == "mean"
    if loss.kind == "binary_cross_entropy":
        return keras.losses.BinaryCrossentropy(from_logits=True) if mean else summed_cross_entropy
    return keras.losses.MeanSquaredError() if mean else summed_squares


def summed_categorical(targets, outputs):
    return keras.ops.sum(keras.ops.sparse_categorical_crossentropy(targets, outputs, from_logits=True), axis=-1)


def summed_cross_entropy(targets, outputs):
    return keras.ops.sum(keras.ops.binary_crossentropy(targets, outputs, from_logits=True), axis=-1)


def summed_squares(targets, outputs):
    return keras.ops.sum(keras.ops.square(outputs - targets), axis=-1)
