"""The layers and losses for which Keras 2 has something of its own, and small subclasses where Keras' own differs."""

from typing import Any

import numpy as np

from . import keras_layers as layers
from .keras_backend import BACKEND, keras
from .keras_layers import CHANNELS_FIRST, channel_axis, convolution, pooling
from .worker import same_padding

K = keras.backend


def flatten(item):
    """Keras' own, which takes nothing that is flat already."""
    if len(item.input_shape) == 1:
        return keras.layers.Activation("linear", name=item.name)
    return layers.flatten(item)


def conv2d(item):
    return with_padding(PaddedConv2D, keras.layers.Conv2D, convolution, item, item.layer.kernel_size)


def conv1d(item):
    options = {"data_format": "channels_last"}  # steps come first on every backend
    return with_padding(PaddedConv1D, keras.layers.Conv1D, convolution, item, [item.layer.kernel_size], **options)


def maxpool2d(item):
    return with_padding(PaddedMaxPooling2D, keras.layers.MaxPooling2D, pooling, item, item.layer.pool_size)


def averagepool2d(item):
    return with_padding(PaddedAveragePooling2D, keras.layers.AveragePooling2D, pooling, item, item.layer.pool_size)


def with_padding(padded, own, make, item, window, **options):
    """Return Keras' own layer, or, where the backend's ``same`` is another, one that pads by itself."""
    strides = np.atleast_1d(item.layer.strides).tolist()
    around = [same_padding(*numbers) for numbers in zip(item.input_shape, window, strides)]
    if item.layer.padding == "valid" or BACKEND.pads_right(item.layer.kind, window, around):
        return make(own, item, **options)
    layer = make(padded if np.any(around) else own, item, padding="valid", **options)
    layer.around = tuple(around)
    return layer


class Padded:
    """Pads by itself; the layer, whose padding is ``valid``, does the rest."""

    around: Any = ()

    def call(self, inputs):
        pad = K.temporal_padding if len(self.around) == 1 else K.spatial_2d_padding
        padding = self.around[0] if len(self.around) == 1 else self.around
        return super().call(self.marked(pad(inputs, padding), K.int_shape(inputs)))  # type: ignore[misc]

    def marked(self, padded, shape):
        return padded

    def places(self, shape):
        """Return where the axes lie that are padded, in the shape of a batch."""
        first = 2 if CHANNELS_FIRST and len(shape) == 4 else 1
        return range(first, first + len(self.around))

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        for place, (before, after) in zip(self.places(shape), self.around):
            shape[place] += before + after
        return super().compute_output_shape(tuple(shape))  # type: ignore[misc]


class PaddedConv2D(Padded, keras.layers.Conv2D):
    """Keras' own convolution of padded images."""


class PaddedConv1D(Padded, keras.layers.Conv1D):
    """Keras' own convolution of padded sequences."""


class PaddedMaxPooling2D(Padded, keras.layers.MaxPooling2D):
    """Pads with what is never the maximum."""

    def marked(self, padded, shape):
        mask = np.full([1 if size is None else size for size in K.int_shape(padded)], -1e30, np.float32)
        inside = [slice(None)] * 4
        for place, (before, _) in zip(self.places(shape), self.around):
            inside[place] = slice(before, before + shape[place])
        mask[tuple(inside)] = 0
        return padded + BACKEND.constant(mask)


class PaddedAveragePooling2D(Padded, keras.layers.AveragePooling2D):
    """Pads with zeros and does not count them."""

    def call(self, inputs):
        shape, share = K.int_shape(inputs), [np.ones([1] * 4)]
        for place, (before, _), window, stride in zip(self.places(shape), self.around, self.pool_size, self.strides):
            starts = np.arange(self.compute_output_shape(shape)[place]) * stride - before
            counted = np.minimum(starts + window, shape[place]) - np.maximum(starts, 0)
            share.append((window / counted).reshape([-1 if axis == place else 1 for axis in range(4)]))
        return super().call(inputs) * BACKEND.constant(share[0] * share[1] * share[2])


def batchnorm(item):
    options = {"momentum": item.layer.momentum, "epsilon": item.layer.epsilon, "name": item.name}
    return UnbiasedBatchNormalization(axis=channel_axis(item), **options)


class UnbiasedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' own, whose running variance takes in n / (n - 1 - epsilon) times the batch's: here n / (n - 1)."""

    def call(self, inputs, training=None):
        shape = K.int_shape(inputs)
        axes = [axis for axis in range(len(shape)) if axis != self.axis % len(shape)]
        normed, mean, variance = BACKEND.normalised(self, inputs, axes)
        BACKEND.keep_running(self, inputs, mean, variance, axes)
        return K.in_train_phase(normed, lambda: super(UnbiasedBatchNormalization, self).call(inputs, training=False))


def lstm(item):
    own = StatefulLSTM if item.layer.stateful else keras.layers.LSTM
    options = {"use_bias": item.layer.bias, "return_sequences": item.layer.output == "sequence"}
    return BACKEND.lstm(own(item.layer.units, unit_forget_bias=False, name=item.name, **options))


class StatefulLSTM(keras.layers.LSTM):
    """Goes on from batch to batch, of up to ``rows`` rows each; Keras' own, stateful, needs all of one size."""

    rows: int

    def call(self, inputs, mask=None, training=None, initial_state=None):
        def run(states):
            self.return_state = True
            found = super(StatefulLSTM, self).call(inputs, mask, training, states)
            self.return_state = False
            return found

        return BACKEND.run_stateful(self, inputs, run)

    def reset_state(self):
        BACKEND.reset_state(self)


def make_loss(loss, over_steps):
    """Return Keras' own loss, or a function that Keras averages over the rows.

    ``over_steps``: whether the model has an output for each step.
    """
    if loss.kind == "categorical_cross_entropy":
        if not over_steps:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return summed_categorical if loss.over_steps == "sum" else averaged_categorical
    mean = loss.over_outputs == "mean"
    if loss.kind == "binary_cross_entropy":
        return keras.losses.BinaryCrossentropy(from_logits=True) if mean else summed_cross_entropy
    return keras.losses.MeanSquaredError() if mean else summed_squares


def averaged_categorical(targets, outputs):
    return K.mean(BACKEND.each_step(targets, outputs), axis=-1)


def summed_categorical(targets, outputs):
    return K.sum(BACKEND.each_step(targets, outputs), axis=-1)


def summed_cross_entropy(targets, outputs):
    return K.sum(K.binary_crossentropy(targets, outputs, from_logits=True), axis=-1)


def summed_squares(targets, outputs):
    return K.sum(K.square(outputs - targets), axis=-1)
