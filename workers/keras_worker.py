"""Keras 3: a Sequential of native layers, ``compile`` and one ``fit`` per epoch, on the backend that the mode names."""

from typing import Any

import numpy as np

from .keras_backend import BACKEND, keras  # first: it chooses the backend
from .worker import Unsupported, Worker, decayed, layer_weights, reorder_gates

GATE_ORDER = "ifgo"  # Keras' own
CHANNELS_FIRST = BACKEND.layout == "channels_first"


def in_backends_layout(shape):
    return [shape[2], *shape[:2]] if CHANNELS_FIRST and len(shape) == 3 else shape


# Each builder returns the native layer of one layer of the spec.


def activation(item):
    if item.layer.function == "softmax":  # over the spec's last axis, an image's channels
        return keras.layers.Softmax(axis=1 if CHANNELS_FIRST and len(item.input_shape) == 3 else -1, name=item.name)
    return keras.layers.Activation(item.layer.function, name=item.name)


def flatten(item):
    """Keras' own turns images to height, width, channel; a sequence is no image."""
    return keras.layers.Flatten(None if len(item.input_shape) == 3 else "channels_last", name=item.name)


def conv2d(item):
    options = {"strides": item.layer.strides, "padding": item.layer.padding, "use_bias": item.layer.bias}
    return keras.layers.Conv2D(item.layer.filters, item.layer.kernel_size, name=item.name, **options)


def maxpool2d(item):
    return keras.layers.MaxPooling2D(item.layer.pool_size, item.layer.strides, item.layer.padding, name=item.name)


def lstm(item):
    options = {"use_bias": item.layer.bias, "return_sequences": item.layer.output == "sequence"}
    return keras.layers.LSTM(item.layer.units, unit_forget_bias=False, name=item.name, **options)


def variable_of(layer, role):
    if role == "table":
        return layer.embeddings
    return getattr(layer.cell if isinstance(layer, keras.layers.LSTM) else layer, role)


def make_loss(loss):
    """Return Keras' own loss, or, for the sum over the outputs, a function that it averages over the rows."""
    if loss.kind == "categorical_cross_entropy":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    mean = loss.over_outputs == "mean"
    if loss.kind == "binary_cross_entropy":
        return keras.losses.BinaryCrossentropy(from_logits=True) if mean else summed_cross_entropy
    return keras.losses.MeanSquaredError() if mean else summed_squares


def summed_cross_entropy(targets, outputs):
    return keras.ops.sum(keras.ops.binary_crossentropy(targets, outputs, from_logits=True), axis=-1)


def summed_squares(targets, outputs):
    return keras.ops.sum(keras.ops.square(outputs - targets), axis=-1)


# What Keras' own optimisers lack, each to be put before the class that has the rest.

Part: Any = object


class GradientVelocity(Part):
    """SGD whose velocity holds gradients; Keras' own holds steps."""

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(velocity, velocity * self.momentum + gradient)
        step = gradient + velocity * self.momentum if self.nesterov else velocity
        self.assign_sub(variable, step * learning_rate)


class CorrectedEpsilon(Part):
    """Adam whose epsilon stands beside the corrected second moment: Keras' own with epsilon * sqrt(1 - beta_2^t)."""

    @property
    def epsilon(self):
        step = keras.ops.cast(self.iterations + 1, "float32")
        return self.given_epsilon * keras.ops.sqrt(1 - keras.ops.power(self.beta_2, step))

    @epsilon.setter
    def epsilon(self, value):
        self.given_epsilon = value


class DecayInGradient(Part):
    """Clips the gradients, then adds to each its factor of ``decays`` times the tensor; Keras' own comes later."""

    def apply(self, grads, trainable_variables=None):
        grads = [BACKEND.dense(d) for d in grads]
        if self.clip_norm is not None:
            norm = keras.ops.sqrt(sum(keras.ops.sum(keras.ops.square(d)) for d in grads))
            scale = keras.ops.minimum(self.clip_norm / norm, 1.0)
            grads = [d * scale for d in grads]
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        grads = [d + decay * w if decay else d for d, w, decay in zip(grads, variables, self.decays)]
        super().apply(grads, trainable_variables)


def make_optimiser(recipe, names):
    """Return the optimiser for the tensors ``names``, Keras' own wherever it has the form."""
    o = recipe.optimiser
    own = keras.optimizers.Adam if o.kind == "adam" else keras.optimizers.SGD
    parts: Any = []
    base = type(own())  # for PyTorch it is a subclass, which updates all tensors at once
    if o.kind == "adam":
        options = {"beta_1": o.beta_1, "beta_2": o.beta_2, "epsilon": o.epsilon}
        if o.epsilon_form == "corrected":
            parts.append(CorrectedEpsilon)
    else:
        options = {"momentum": o.momentum, "nesterov": o.nesterov}
        if o.velocity == "gradient" and o.momentum > 0:
            parts.append(GradientVelocity)
            base = own
    decays = [o.weight_decay if decayed(o, name) else 0.0 for name in names]
    sparse = any(name.endswith("/table") for name in names)  # TensorFlow squares such a gradient row by row
    if any(decays) or sparse:
        parts.insert(0, DecayInGradient)
    else:
        options["global_clipnorm"] = recipe.clip_norm
    optimiser = type(own.__name__, (*parts, base), {})(learning_rate=o.learning_rate, **options)
    optimiser.decays, optimiser.clip_norm = decays, recipe.clip_norm
    return optimiser


class Rates(keras.callbacks.Callback):
    """Gives the optimiser each step's rate, where it changes."""

    def __init__(self, rates):
        super().__init__()
        self.rates, self.set = rates, None

    def on_train_batch_begin(self, batch, logs=None):
        if self.rates[batch] != self.set:
            BACKEND.store_state(self.model)
            self.set = self.model.optimizer.learning_rate = self.rates[batch]


class KerasWorker(Worker):
    layers = {
        "dense": lambda item: keras.layers.Dense(item.layer.units, use_bias=item.layer.bias, name=item.name),
        "activation": activation,
        "flatten": flatten,
        "dropout": lambda item: keras.layers.Dropout(item.layer.rate, name=item.name),
        "conv2d": conv2d,
        "maxpool2d": maxpool2d,
        "embedding": lambda item: keras.layers.Embedding(item.layer.vocabulary_size, item.layer.units, name=item.name),
        "lstm": lstm,
    }
    layout = BACKEND.layout
    staging = "resident" if CHANNELS_FIRST else "streamed"
    composed = {
        "sgd": "velocity 'gradient': a subclass of optimizers.SGD; weight decay: added to the gradient before it",
        "adam": "epsilon_form 'corrected': optimizers.Adam, epsilon * sqrt(1 - beta_2^t); weight decay as for sgd",
        "clip_norm": "with weight decay or an embedding: norm and scale from keras.ops, else global_clipnorm",
        "binary_cross_entropy": "over_outputs 'sum': ops.binary_crossentropy, summed",
        "mean_squared_error": "over_outputs 'sum': squares from keras.ops, summed",
    }
    model: Any = None
    variables: Any = ()

    def versions(self):
        found = {"keras": keras.__version__, **BACKEND.versions()}
        return {name: str(version) for name, version in found.items() if version}

    def open_device(self, device, threads):
        BACKEND.open_device(device, threads)
        self.device = device if device == "cpu" else "gpu:0"  # PyTorch would copy every variable to "cpu:0"

    def build(self, job, weights):
        if job.precision != "float32":
            raise Unsupported("the keras worker computes in float32 only")
        self.model, self.tensors, self.variables = None, {}, ()
        keras.utils.clear_session()
        keras.utils.set_random_seed(job.seed)  # dropout layers seed their generators from it
        self.job = job
        with keras.device(self.device):
            (source,) = job.inputs
            dtype = "int32" if source.dtype == "int32" else "float32"
            layers = [self.layers[item.layer.kind](item) for item in job.model.layers]
            self.model = keras.Sequential([keras.Input(in_backends_layout(source.shape), dtype=dtype), *layers])
            for item, layer in zip(job.model.layers, layers):
                for role in layer_weights(weights, item.name):
                    self.tensors[item.name + "/" + role] = (variable_of(layer, role), item.layer)
            names = {variable.path: name for name, (variable, _) in self.tensors.items()}
            trained = self.model.trainable_variables
            optimiser = make_optimiser(job.recipe, [names[variable.path] for variable in trained])
            self.model.compile(optimiser, make_loss(job.recipe.loss))
            optimiser.build(trained)
            self.variables = [*self.model.variables, *optimiser.variables]
            self.compile_shapes()
            for name, (variable, layer) in self.tensors.items():
                lstm = layer.kind == "lstm"
                variable.assign(reorder_gates(weights[name], layer.gate_order, GATE_ORDER) if lstm else weights[name])
        keras.utils.set_random_seed(job.seed)  # and PyTorch draws from a stream of its own

    def compile_shapes(self):
        """Train and predict on zeros in every batch shape of the job, then put all state back as it was."""
        kept = [np.array(keras.ops.convert_to_numpy(variable)) for variable in self.variables]
        recipe, data = self.job.recipe, self.job.dataset
        size, rows = recipe.batch_size, data.train_rows
        last = max(rows - size, 0) % size
        for count in [min(size, rows), size + last] if last else [min(size, rows)]:
            self.train_epoch(self.zeros(count), np.full(-(-count // size), recipe.optimiser.learning_rate))
        size, rows = recipe.evaluation_batch_size, data.test_rows
        for count in (rows if rows <= size else size + (rows % size or size), 1):
            self.predict(self.zeros(count))
        for variable, value in zip(self.variables, kept):
            variable.assign(value)

    def zeros(self, rows):
        (source,) = self.job.inputs
        dtype = np.int32 if source.dtype == "int32" else np.float32
        x = np.zeros([rows, *in_backends_layout(source.shape)], dtype)
        if self.job.recipe.loss.kind == "categorical_cross_entropy":
            return self.stage({source.name: x}, np.zeros(rows, np.int32))
        return self.stage({source.name: x}, np.zeros([rows, *self.job.model.layers[-1].output_shape], np.float32))

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        return BACKEND.stage(x, targets, self.job.recipe)

    def train_epoch(self, handle, rates):
        rates = rates.tolist()
        callbacks = [Rates(rates)] if len(set(rates)) > 1 else []
        with keras.device(self.device):
            if not callbacks:
                self.model.optimizer.learning_rate = rates[0]
            history = self.model.fit(**handle.fit, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)
        return history.history["loss"][0]

    def predict(self, handle):
        with keras.device(self.device):
            if len(handle.x) <= self.job.recipe.evaluation_batch_size:  # Keras' own advice for what fits one batch
                return self.model.predict_on_batch(handle.x)
            return self.model.predict(**handle.predict, verbose=0)

    def parameters(self):
        values = {}
        for name, (variable, layer) in self.tensors.items():
            value = np.array(keras.ops.convert_to_numpy(variable))
            values[name] = reorder_gates(value, GATE_ORDER, layer.gate_order) if layer.kind == "lstm" else value
        return values

    def synchronize(self):
        BACKEND.synchronize(self.variables)


WORKER = KerasWorker
