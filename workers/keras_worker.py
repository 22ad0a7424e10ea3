"""Keras: a Sequential of native layers, ``compile`` and one ``fit`` per epoch, on the backend that the mode names.

Keras 3, or, in the modes ``theano``, ``cntk`` and ``tf2.2``, Keras 2.3.1.
"""

from typing import Any

import numpy as np

from . import keras_layers as layers
from .flattening import folded, in_order, in_spec_order
from .keras_backend import BACKEND, keras, of_this_keras
from .keras_layers import GATE_ORDER, in_backends_layout, variable_of
from .worker import Unsupported, Worker, layer_weights, reorder_gates

own, optimisers = of_this_keras("layers"), of_this_keras("optimisers")


class Rates(keras.callbacks.Callback):
    """Gives the optimiser each step's rate, where it changes."""

    def __init__(self, rates):
        super().__init__()
        self.rates, self.set = rates, None

    def on_train_batch_begin(self, batch, logs=None):
        if self.rates[batch] != self.set:
            BACKEND.store_state(self.model)
            self.set = self.rates[batch]
            BACKEND.set_rate(self.model, self.set)


class KerasWorker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": own.flatten,
        "reshape": layers.reshape,
        "dropout": layers.dropout,
        "conv2d": own.conv2d,
        "conv1d": own.conv1d,
        "maxpool2d": own.maxpool2d,
        "averagepool2d": own.averagepool2d,
        "globalmaxpool1d": layers.globalmaxpool1d,
        "batchnorm": own.batchnorm,
        "embedding": layers.embedding,
        "lstm": own.lstm,
    }
    layout = BACKEND.layout
    staging = BACKEND.staging
    composed = {
        "batchnorm": "a subclass of BatchNormalization, whose running variance is the unbiased one",
        "lstm": "stateful: a subclass of LSTM that keeps its state, since stateful=True needs batches of one size",
        "sgd": "velocity 'gradient': a subclass of optimizers.SGD; weight decay: added to the gradient before it",
        "adam": "epsilon_form 'corrected': optimizers.Adam, epsilon * sqrt(1 - beta_2^t); weight decay as for sgd",
        "adadelta": "weight decay as for sgd",
        "rmsprop": "epsilon_form 'outside': a subclass of optimizers.RMSprop; weight decay as for sgd",
        "clip_norm": "with weight decay or an embedding: norm and scale from keras.ops, else global_clipnorm",
        "categorical_cross_entropy": "over_steps 'sum': ops.sparse_categorical_crossentropy, summed",
        "binary_cross_entropy": "over_outputs 'sum': ops.binary_crossentropy, summed",
        "mean_squared_error": "over_outputs 'sum': squares from keras.ops, summed",
    }
    declared_differences = BACKEND.declared_differences
    model: Any = None
    variables: Any = ()
    stateful: Any = ()

    def versions(self):
        found = {"keras": keras.__version__, **BACKEND.versions()}
        return {name: str(version) for name, version in found.items() if version}

    def open_device(self, device, threads):
        BACKEND.open_device(device, threads)
        self.device = device

    def build(self, job, weights):
        if job.precision != "float32":
            raise Unsupported("the keras worker computes in float32 only")
        self.composed = dict(KerasWorker.composed, **BACKEND.composed)
        self.model, self.tensors, self.variables = None, {}, ()
        BACKEND.start(job.seed)
        self.job = job
        with BACKEND.place(self.device):
            (source,) = job.inputs
            dtype = "int32" if source.dtype == "int32" else "float32"
            flattens, self.orders = folded(job.model.layers) if self.layout == "channels_first" else ((), {})
            made = [
                layers.flatten_as_it_is(item) if item.name in flattens else self.layers[item.layer.kind](item)
                for item in job.model.layers
            ]
            self.stateful = [layer for layer in made if isinstance(layer, own.StatefulLSTM)]
            for layer in self.stateful:
                layer.rows = max(job.recipe.batch_size, job.recipe.evaluation_batch_size)
            self.model = BACKEND.sequential(in_backends_layout(source.shape), dtype, made)
            for item, layer in zip(job.model.layers, made):
                for role in layer_weights(weights, item.name):
                    self.tensors[item.name + "/" + role] = (variable_of(layer, role), item.layer)
            names = {id(variable): name for name, (variable, _) in self.tensors.items()}
            trained = [names[id(variable)] for variable in self.model.trainable_weights]
            optimiser = optimisers.make_optimiser(job.recipe, trained)
            over_steps = len(job.model.layers[-1].output_shape) == 2
            self.model.compile(optimiser, own.make_loss(job.recipe.loss, over_steps))
            self.variables = BACKEND.variables(self.model)
            self.compile_shapes()
            for name, (variable, layer) in self.tensors.items():
                value = in_order(name, weights[name], self.orders)
                value = reorder_gates(value, layer.gate_order, GATE_ORDER) if layer.kind == "lstm" else value
                BACKEND.set(variable, BACKEND.turned(value) if value.ndim > 2 else value)
        BACKEND.seed(job.seed, self.model)

    def compile_shapes(self):
        """Train and predict on zeros in every batch shape of the job, then put all state back as it was."""
        kept = [BACKEND.get(variable) for variable in self.variables]
        recipe, data = self.job.recipe, self.job.dataset
        size, rows = recipe.batch_size, data.train_rows
        last = max(rows - size, 0) % size
        for count in [min(size, rows), size + last] if last else [min(size, rows)]:
            self.train_epoch(self.zeros(count), np.full(-(-count // size), recipe.optimiser.learning_rate))
        size, rows = recipe.evaluation_batch_size, data.test_rows
        for count in (rows if rows <= size else size + (rows % size or size), 1):
            self.predict(self.zeros(count))
        for variable, value in zip(self.variables, kept):
            BACKEND.set(variable, value)

    def zeros(self, rows):
        (source,) = self.job.inputs
        dtype = np.int32 if source.dtype == "int32" else np.float32
        x = np.zeros([rows, *in_backends_layout(source.shape)], dtype)
        outputs = np.zeros([rows, *self.job.model.layers[-1].output_shape], np.float32)
        classes = self.job.recipe.loss.kind == "categorical_cross_entropy"
        return self.stage({source.name: x}, outputs[..., 0].astype(np.int32) if classes else outputs)

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        return BACKEND.stage(x, targets, self.job.recipe)

    def train_epoch(self, handle, rates):
        rates = rates.tolist()
        callbacks = [Rates(rates)] if len(set(rates)) > 1 else []
        with BACKEND.place(self.device):
            if not callbacks:
                BACKEND.set_rate(self.model, rates[0])
            history = self.model.fit(**handle.fit, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)
        return history.history["loss"][0]

    def predict(self, handle):
        self.reset_unless_carried()
        with BACKEND.place(self.device):
            if len(handle.x) <= self.job.recipe.evaluation_batch_size:  # Keras' own advice for what fits one batch
                outputs = self.model.predict_on_batch(handle.x)
            else:
                outputs = self.model.predict(**handle.predict, verbose=0)
        self.reset_unless_carried()
        return outputs

    def reset_states(self):
        with BACKEND.place(self.device):
            for layer in self.stateful:
                layer.reset_state()

    def parameters(self):
        values = {}
        for name, (variable, layer) in self.tensors.items():
            value = BACKEND.get(variable)
            value = BACKEND.turned(value) if value.ndim > 2 else value
            value = reorder_gates(value, GATE_ORDER, layer.gate_order) if layer.kind == "lstm" else value
            values[name] = in_spec_order(name, value, self.orders)
        return values

    def synchronize(self):
        BACKEND.synchronize(self.variables)


WORKER = KerasWorker
