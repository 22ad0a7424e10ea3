"""Theano: a symbolic graph of the whole training step, compiled by g++; a plain loop calls it for every batch."""

import os
import warnings

import numpy as np

from . import blas

os.environ["THEANO_FLAGS"] = blas.theano_flags()
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Theano does not recognise this flag: blas")  # by the one name or the other
    import theano

import theano.tensor as T
from theano.configdefaults import gcc_version_str
from theano.sandbox import rng_mrg

from . import theano_layers as layers
from .flattening import folded, in_order, in_spec_order
from .theano_training import OPTIMISERS, gradients, mean_loss
from .worker import Unsupported, Worker, layer_weights

RandomStream = getattr(rng_mrg, "MRG_RandomStream", None) or rng_mrg.MRG_RandomStreams  # its name before Theano-PyMC


class TheanoWorker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": layers.flatten,
        "reshape": layers.reshape,
        "dropout": layers.dropout,
        "conv2d": layers.conv2d,
        "conv1d": layers.conv1d,
        "maxpool2d": layers.maxpool2d,
        "averagepool2d": layers.averagepool2d,
        "globalmaxpool1d": layers.globalmaxpool1d,
        "batchnorm": layers.batchnorm,
        "embedding": layers.embedding,
        "lstm": layers.lstm,
    }
    layout = "channels_first"
    composed = {
        "activation": "relu: a product with x > 0; softmax of more than (rows, features): exp and sum",
        "dropout": "a random mask from MRG_RandomStream, and a scale",
        "conv1d": "T.nnet.conv2d over images of height 1",
        "maxpool2d": "same padding: a copy into a frame of minus infinity",
        "averagepool2d": "same padding: sums over a copy in a frame of zeros, divided by what each window sees",
        "globalmaxpool1d": "the argmax and a mask, since T.max gives each of tied maxima the whole gradient",
        "batchnorm": "the moments and the running ones in the compiled graph around nnet.bn.batch_normalization, since "
        "batch_normalization_train refuses an epsilon below 1e-5 and divides by zero for a single number",
        "lstm": "theano.scan over the steps, the input's projection outside of it",
        "clip_norm": "the norm and a scale in the compiled graph",
        "sgd": "the update in the compiled graph; Theano has no optimisers",
        "adam": "the update in the compiled graph; Theano has no optimisers",
        "adadelta": "the update in the compiled graph; Theano has no optimisers",
        "rmsprop": "the update in the compiled graph; Theano has no optimisers",
    }
    declared_differences = {
        "maxpool2d": "where inputs of a window tie for its maximum, each gets the whole gradient, not the first alone; "
        "so on images with a plain background the bias of a convolution below has a gradient up to several times larger"
    }

    def versions(self):
        flags = theano.config.blas__ldflags if hasattr(theano.config, "blas__ldflags") else theano.config.blas.ldflags
        blas = [flag for flag in flags.split() if flag.startswith("-l")]
        found = {"theano": theano.__version__, "numpy": np.__version__, "g++": gcc_version_str}
        return dict(found, blas=" ".join(blas) or "NumPy's, through its C API")

    def open_device(self, device, threads):
        """The environment pins the BLAS's threads; everything else in Theano runs in one."""
        if device == "gpu":
            raise Unsupported("Theano reaches a GPU only through libgpuarray, which no package index carries")
        if not theano.config.cxx:
            raise Unsupported("Theano compiles with g++, and there is none here. Try: apt-get install g++")

    def build(self, job, weights):
        if not layers.PADS_UNEVENLY:
            text = "same padding with more at one side: a copy into a frame of zeros"
            self.composed = dict(TheanoWorker.composed, conv2d=text)
        self.recipe = recipe = job.recipe
        theano.config.floatX = self.dtype = job.precision
        flattens, self.orders = folded(job.model.layers)
        self.weights = {
            name: theano.shared(self.own_layout(in_order(name, value, self.orders))) for name, value in weights.items()
        }
        (source,) = job.inputs
        x = np.zeros([0] * (1 + len(source.shape)), "int32" if source.dtype == "int32" else self.dtype)
        classes = recipe.loss.kind == "categorical_cross_entropy"
        axes = len(job.model.layers[-1].output_shape)  # classes have one fewer; (rows, steps) of them, or (rows,)
        targets = np.zeros([0] * axes, "int32") if classes else np.zeros([0] * (1 + axes), self.dtype)
        self.data, self.current = [theano.shared(x), theano.shared(targets)], None
        rows = max(recipe.batch_size, recipe.evaluation_batch_size)
        self.states = {
            item.name: [theano.shared(np.zeros([rows, item.layer.units], self.dtype)) for _ in "hc"]
            for item in job.model.layers
            if getattr(item.layer, "stateful", False)
        }
        start, stop, rate = T.lscalar(), T.lscalar(), T.dscalar()
        x, targets = [rows[start:stop] for rows in self.data]
        stream = RandomStream(job.seed % 2147462578 + 1)  # seeds: 1 to below 2147462579
        graph = layers.Graph(stream, self.states, flattens)
        loss = mean_loss(recipe.loss, self.forward(job.model, x, graph), targets)
        updates = OPTIMISERS[recipe.optimiser.kind](recipe.optimiser, gradients(recipe, loss, self.weights), rate)
        self.train_batch = theano.function([start, stop, rate], loss, updates=[*updates.items(), *graph.updates])
        graph = layers.Graph(None, self.states, flattens)
        outputs = self.forward(job.model, x, graph)
        self.predict_batch = theano.function([start, stop], outputs, updates=graph.updates)

    def own_layout(self, value):
        """Return a tensor as Theano has it: a convolution's kernel as (filters, in, ...window)."""
        value = np.moveaxis(value, [-1, -2], [0, 1]) if value.ndim > 2 else value
        return np.array(value, self.dtype, order="C")

    def forward(self, model, x, graph):
        for item in model.layers:
            x = self.layers[item.layer.kind](item, layer_weights(self.weights, item.name), x, graph)
        return x

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        return [np.ascontiguousarray(a, self.dtype if a.dtype.kind == "f" else "int32") for a in (x, targets)]

    def batches(self, handle, size):
        """Put the handle's arrays, as they are, where the compiled functions read; return (start, stop) of batches."""
        if handle is not self.current:
            for shared, array in zip(self.data, handle):
                shared.set_value(array, borrow=True)
            self.current = handle
        rows = len(handle[0])
        return [(start, min(start + size, rows)) for start in range(0, rows, size)]

    def train_epoch(self, handle, rates):
        total = 0.0
        for (start, stop), rate in zip(self.batches(handle, self.recipe.batch_size), rates.tolist()):
            total += float(self.train_batch(start, stop, rate)) * (stop - start)
        return total / len(handle[0])

    def predict(self, handle):
        batches = self.batches(handle, self.recipe.evaluation_batch_size)
        self.reset_unless_carried()
        outputs = np.concatenate([self.predict_batch(start, stop) for start, stop in batches])
        self.reset_unless_carried()
        return outputs

    def reset_states(self):
        for states in self.states.values():
            for state in states:
                state.set_value(np.zeros_like(state.get_value(borrow=True)), borrow=True)

    def parameters(self):
        values = {n: in_spec_order(n, shared.get_value(), self.orders) for n, shared in self.weights.items()}
        return {n: np.moveaxis(a, [0, 1], [-1, -2]).copy() if a.ndim > 2 else a for n, a in values.items()}


WORKER = TheanoWorker
