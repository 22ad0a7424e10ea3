"""Every layer of the spec as Keras' own, and the losses; where Keras' own differs, a small subclass of it."""

import math

from .keras_backend import BACKEND, keras  # first: it chooses the backend
from .worker import same_padding

GATE_ORDER = "ifgo"  # Keras' own
CHANNELS_FIRST = BACKEND.layout == "channels_first"


def in_backends_layout(shape):
    return [shape[2], *shape[:2]] if CHANNELS_FIRST and len(shape) == 3 else shape


def channel_axis(item):
    """Return the axis, of a batch, that is the spec's last one."""
    return 1 if CHANNELS_FIRST and len(item.input_shape) == 3 else -1


# Each builder returns the native layer of one layer of the spec.


def dense(item):
    return keras.layers.Dense(item.layer.units, use_bias=item.layer.bias, name=item.name)


def activation(item):
    if item.layer.function == "softmax":
        return keras.layers.Softmax(axis=channel_axis(item), name=item.name)
    return keras.layers.Activation(item.layer.function, name=item.name)


def flatten(item):
    """Keras' own turns images to height, width, channel; a sequence is no image."""
    return keras.layers.Flatten(None if len(item.input_shape) == 3 else "channels_last", name=item.name)


def reshape(item):
    """Keras' own, between images whose channels are last."""
    layers = [keras.layers.Reshape(item.layer.shape, name=item.name)]
    if CHANNELS_FIRST and len(item.input_shape) == 3:
        layers.insert(0, keras.layers.Permute((2, 3, 1)))
    if CHANNELS_FIRST and len(item.output_shape) == 3:
        layers.append(keras.layers.Permute((3, 1, 2)))
    return layers[0] if len(layers) == 1 else keras.Sequential(layers)


def dropout(item):
    return keras.layers.Dropout(item.layer.rate, name=item.name)


def convolution(own, item, **options):
    layer = item.layer
    options.update(strides=layer.strides, padding=layer.padding, use_bias=layer.bias, name=item.name)
    return own(layer.filters, layer.kernel_size, **options)


def conv2d(item):
    return convolution(keras.layers.Conv2D, item)


def conv1d(item):
    return convolution(keras.layers.Conv1D, item, data_format="channels_last")  # steps come first on every backend


def maxpool2d(item):
    return keras.layers.MaxPooling2D(item.layer.pool_size, item.layer.strides, item.layer.padding, name=item.name)


def averagepool2d(item):
    options = {"pool_size": item.layer.pool_size, "strides": item.layer.strides, "name": item.name}
    sizes = zip(item.input_shape, item.layer.pool_size, item.layer.strides)
    padding = [same_padding(*numbers) for numbers in sizes]
    if BACKEND.repeats_edges and item.layer.padding == "same" and any(before != after for before, after in padding):
        return UnevenAveragePooling2D(padding, **options)
    return keras.layers.AveragePooling2D(padding=item.layer.padding, **options)


class UnevenAveragePooling2D(keras.layers.AveragePooling2D):
    """Pads with zeros and does not count them; Keras' own would repeat the edge and count that. Channels come first."""

    def __init__(self, padding, **options):
        super().__init__(**options)
        self.around = [(0, 0), (0, 0), *padding]

    def build(self, input_shape):
        ones = keras.ops.ones([1, 1, *input_shape[2:]])
        self.counted = super().call(keras.ops.pad(ones, self.around))

    def call(self, inputs):
        return super().call(keras.ops.pad(inputs, self.around)) / self.counted

    def compute_output_shape(self, input_shape):
        padded = [size + sum(around) for size, around in zip(input_shape[2:], self.around[2:])]
        return super().compute_output_shape((*input_shape[:2], *padded))


def globalmaxpool1d(item):
    return keras.layers.GlobalMaxPooling1D(data_format="channels_last", name=item.name)


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


def embedding(item):
    return keras.layers.Embedding(item.layer.vocabulary_size, item.layer.units, name=item.name)


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


ATTRIBUTES = {"table": "embeddings", "running_mean": "moving_mean", "running_variance": "moving_variance"}


def variable_of(layer, role):
    owner = layer.cell if isinstance(layer, keras.layers.LSTM) else layer
    return getattr(owner, ATTRIBUTES.get(role, role))


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
