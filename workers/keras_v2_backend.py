"""What every backend of Keras 2 shares: staging, the updates that layers make, and what of Keras' own API is another in
Keras 3 (keras_v3_backend.py)."""

import contextlib
from typing import Dict

import keras
import numpy as np

from .keras_rows import rows_of

__all__ = ["keras"]

K = keras.backend

COMPOSED = {  # what the worker says of Keras 3 and is another in Keras 2
    "rmsprop": "epsilon_form 'inside': a subclass of optimizers.RMSprop; weight decay as for sgd",
    "clip_norm": "norm and scale from keras.backend",
    "categorical_cross_entropy": "of steps: keras.backend.sparse_categorical_crossentropy, averaged or summed",
    "binary_cross_entropy": "over_outputs 'sum': keras.backend.binary_crossentropy, summed",
    "mean_squared_error": "over_outputs 'sum': squares from keras.backend, summed",
}
PADDED = {  # where the backend's ``same`` is another
    "reshape": "of or to images: Permute before or behind Reshape",
    "conv2d": "same padding other than by half of an odd kernel: a subclass of Conv2D that pads before",
    "conv1d": "same padding other than by half of an odd kernel: a subclass of Conv1D that pads before",
    "maxpool2d": "same padding: a subclass of MaxPooling2D that pads, with a large negative number, before",
    "averagepool2d": "same padding: a subclass of AveragePooling2D that pads before, and a scale behind it",
}
TIED = "each of tied maxima has the whole gradient; in the reference the first of them has it all"
CLIPPED = "Keras keeps probabilities within 1e-7 of 0 and 1; beyond that its loss has no gradient"


class Sequential(keras.Sequential):
    """Keras' own, whose predictions change the states that its layers keep."""

    @property
    def state_updates(self):
        return [update for layer in self.layers for update in getattr(layer, "after", [])]


class Keras2:
    """What the worker asks of Keras itself."""

    staging = "streamed"
    composed = COMPOSED
    declared_differences: Dict[str, str] = {}

    def start(self, seed):
        K.reset_uids()
        if hasattr(K, "clear_session"):  # Theano has no session
            K.clear_session()
        np.random.seed(seed)

    def seed(self, seed, model):
        """Nothing more: dropout layers have drawn their seeds from NumPy's stream when they were made."""

    def place(self, device):
        return contextlib.ExitStack()

    def sequential(self, shape, dtype, layers):
        return Sequential([keras.layers.InputLayer(tuple(shape), dtype=dtype), *layers])

    def variables(self, model):
        """Return all that training changes."""
        model._make_train_function()
        model._make_predict_function()
        kept = [kept for layer in model.layers for kept in getattr(layer, "kept", ())]
        return [*model.weights, *model.optimizer.weights, *kept]

    def get(self, variable):
        return np.array(K.get_value(variable))

    def set(self, variable, value):
        K.set_value(variable, value)

    def turned(self, kernel):
        """Return a convolution's kernel as the backend has it, or what it has as the spec's."""
        return kernel

    def set_rate(self, model, rate):
        K.set_value(model.optimizer.learning_rate, rate)

    def stage(self, x, targets, recipe):
        x, targets = np.ascontiguousarray(x), np.ascontiguousarray(targets)
        return rows_of(x, targets[..., None] if targets.dtype.kind == "i" else targets, recipe)

    def dense(self, gradient):
        return gradient

    def pads_right(self, kind, window, around):
        """Both sides get alike, half of a window, and for pooling even more."""
        return "pool" not in kind and all(
            before == after == width // 2 and width % 2 for width, (before, after) in zip(window, around)
        )

    def constant(self, value):
        """Return what is the same for each row of a batch."""
        return K.constant(value)

    def counted_last(self, updates, iterations):
        """Return the updates of an optimiser, of which the first counts the steps."""
        return updates

    def normalised(self, layer, inputs, axes):
        return K.normalize_batch_in_training(inputs, layer.gamma, layer.beta, axes, epsilon=layer.epsilon)

    def variance(self, layer, found):
        """Return the variance in what ``normalize_batch_in_training`` found."""
        return found

    def keep_running(self, layer, inputs, mean, variance, axes):
        """Have each training step update batch normalisation's running statistics."""
        shape, m = K.int_shape(inputs), layer.momentum
        n = int(np.prod([shape[axis] for axis in axes[1:]])) * K.cast(K.shape(inputs)[0], "float32")
        variance = self.variance(layer, variance) * n / K.maximum(n - 1.0, 1.0)
        pairs = [(layer.moving_mean, mean), (layer.moving_variance, variance)]
        layer.add_update([K.update(kept, kept * m + new * (1.0 - m)) for kept, new in pairs], inputs)

    def lstm(self, layer):
        return layer

    def run_stateful(self, layer, inputs, run):
        """Run an LSTM from the states that it keeps, and have each step update them."""
        rows = K.shape(inputs)[0]
        layer.kept = [K.zeros((layer.rows, layer.units)) for _ in "hc"]
        output, *states = run([kept[:rows] for kept in layer.kept])
        layer.after = [
            K.update(kept, K.concatenate([state, kept[rows:]], axis=0)) for kept, state in zip(layer.kept, states)
        ]
        layer.add_update(layer.after, inputs)
        return output

    def reset_state(self, layer):
        for kept in layer.kept:
            K.set_value(kept, np.zeros(K.int_shape(kept), np.float32))

    def each_step(self, targets, outputs):
        """Return the cross-entropy of each step."""
        _, steps, classes = K.int_shape(outputs)  # steps are rows: Theano's softmax takes no more axes
        rows = K.reshape(targets, (-1, 1)), K.reshape(outputs, (-1, classes))
        return K.reshape(K.sparse_categorical_crossentropy(*rows, from_logits=True), (-1, steps))

    def store_state(self, model):
        """Nothing: the variables are always up to date."""

    def synchronize(self, variables):
        """Nothing: each step returns its loss as a number."""
