"""CNTK 2.7: graphs of its operations and a Trainer that gets minibatches sliced from rows that lie on the device."""

import ctypes
import os
from typing import Any, List, Optional

import numpy as np

from .worker import Unsupported, Worker, batch_sizes, layer_weights, trainable

try:
    import cntk as C
    from cntk.internal import map_if_possible
except ImportError as error:
    raise Unsupported("CNTK cannot be loaded ({}); its image and README.md have what it needs".format(error)) from error

from . import cntk_layers as layers
from .cntk_layers import Graph
from .cntk_learners import Native, Universal, has_own_learner


def from_spec(layer, role, value):
    """Return a tensor in CNTK's layout: kernels of convolutions (filters, in, ...), their biases (filters, 1, ...)."""
    if layer.kind not in ("conv1d", "conv2d"):
        return value
    if role == "bias":
        return value.reshape([-1, 1] if layer.kind == "conv1d" else [-1, 1, 1])
    return np.moveaxis(value, [-1, -2], [0, 1])


def to_spec(layer, role, value):
    """The inverse of ``from_spec``."""
    if layer.kind not in ("conv1d", "conv2d"):
        return value
    return value.ravel() if role == "bias" else np.moveaxis(value, [0, 1], [-1, -2])


def as_sequences(model):
    """Return whether the first layer that has to choose between steps on a dynamic and on a static axis is an LSTM."""
    kinds = [item.layer.kind for item in model.layers]
    return next((kind for kind in kinds if kind not in layers.EITHER), None) == "lstm"


def rows_of(view, start, count):
    """Return rows of an NDArrayView as a minibatch; nothing is copied."""
    return C.Value(view.slice_view([start] + [0] * (len(view.shape) - 1), [count, *view.shape[1:]]))


class CntkWorker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": layers.reshape,
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
        "conv2d": "same padding with more at one side, or of less than the kernel: C.pad before the convolution",
        "conv1d": "same padding with more at one side: C.pad before the convolution",
        "maxpool2d": "same padding with more at one side: C.pad with minus infinity before the pooling",
        "averagepool2d": "same padding with more at one side: C.pad before the pooling, and a scale",
        "globalmaxpool1d": "C.pooling over all steps, whose gradient goes to one of tied maxima",
        "batchnorm": "C.batch_normalization, the running statistics blended by assignments after each batch",
        "lstm": "the cell in operations, in C.layers.RecurrenceFrom: C.layers.LSTM always has a bias",
        "binary_cross_entropy": "softplus(logits) - logits * targets: C.binary_cross_entropy takes probabilities",
        "clip_norm": "the norm and a scale in C.learners.universal: CNTK clips each tensor by its own norm",
        "sgd": "velocity 'gradient', or clipped: C.learners.universal",
        "adam": "epsilon_form 'corrected', or clipped: C.learners.universal",
        "adadelta": "clipped: C.learners.universal",
        "rmsprop": "C.learners.universal: CNTK's own RMSprop adapts its rates by the gradient's signs",
    }

    def versions(self):
        mkl = ctypes.CDLL(os.path.join(os.path.dirname(C.__file__), "libs", "libmklml_intel.so"))
        text = ctypes.create_string_buffer(200)
        mkl.MKL_Get_Version_String(text, 200)
        return {"cntk": C.__version__, "numpy": np.__version__, "mkl": text.value.decode().strip()}

    def open_device(self, device, threads):
        C.cntk_py.set_max_num_cputhreads(threads)
        C.cntk_py.force_deterministic_algorithms()
        C.logging.set_trace_level(C.logging.TraceLevel.Error)
        if device == "gpu" and not any(found.type() == C.device.DeviceKind.GPU for found in C.device.all_devices()):
            raise Unsupported("CNTK {} finds no GPU and driver that it can use".format(C.__version__))
        C.device.try_set_default_device(C.device.gpu(0) if device == "gpu" else C.device.cpu())
        self.device = C.device.use_default_device()

    def build(self, job, weights):
        self.recipe, self.dtype = job.recipe, np.dtype(job.precision).type
        self.tensors, self.parts = {}, {}
        for item in job.model.layers:
            for role, value in layer_weights(weights, item.name).items():
                make = C.parameter if trainable(role) else C.constant
                value = np.ascontiguousarray(from_spec(item.layer, role, value), self.dtype)
                self.tensors[item.name + "/" + role] = make(init=value) if trainable(role) else make(value)
                self.parts[item.name + "/" + role] = item.layer, role
        (source,) = job.inputs
        shape = (source.shape[2], *source.shape[:2]) if len(source.shape) == 3 else tuple(source.shape)
        if as_sequences(job.model):
            self.x = C.sequence.input_variable(shape[1:], self.dtype)
        else:
            self.x = C.input_variable(shape, self.dtype)
        *steps, outputs = job.model.layers[-1].output_shape
        classes = self.recipe.loss.kind == "categorical_cross_entropy"
        self.y = C.input_variable(tuple(steps) if classes else (outputs,), self.dtype)
        self.training, z = self.graph(job, True)
        loss = layers.LOSSES[self.recipe.loss.kind](self.recipe.loss, z, self.y)
        moved = {name: tensor for name, tensor in self.tensors.items() if trainable(name)}
        self.learner = (Native if has_own_learner(self.recipe) else Universal)(self.recipe, moved)
        kept = C.combine([z, *[after for _, after in self.training.states]])
        self.trainer = C.Trainer(kept, (loss, None), self.learner.learners)
        self.blend = C.combine(self.training.running) if self.training.running else None
        self.prediction, z = self.graph(job, False)
        self.outputs = layers.as_static(z, *steps[:1]) if steps else z
        self.predictor = C.combine([self.outputs, *[after for _, after in self.prediction.states]])
        self.reset_states()
        self.compile(job, weights, shape)

    def graph(self, job, training):
        """Return one of the job's two graphs and its output."""
        graph, x = Graph(training, job.seed, self.dtype), self.x
        for item in job.model.layers:
            x = self.layers[item.layer.kind](item, layer_weights(self.tensors, item.name), x, graph)
        return graph, x

    def compile(self, job, weights, shape):
        """CNTK makes its network and its memory with the first minibatch of each size: run them at rate 0, and undo."""
        train, predict = batch_sizes(job)

        def zeros(size):
            y = np.zeros((size, *self.y.shape), self.dtype)
            return self.stage({"x": np.zeros((size, *shape), self.dtype)}, y)

        for size in train:
            self.train_epoch(zeros(size), np.zeros(1))
        for size in predict:
            self.predict(zeros(size))
        self.reset_states()
        self.learner.forget()
        for operation, seed in self.training.dropouts:
            operation.set_attribute("rngSeed", seed)
        for name, (layer, role) in self.parts.items():
            self.tensors[name].value = np.ascontiguousarray(from_spec(layer, role, weights[name]), self.dtype)

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        return [C.NDArrayView.from_dense(np.ascontiguousarray(a, self.dtype), self.device) for a in (x, targets)]

    def train_epoch(self, handle, rates):
        x, y = handle
        rows, size, total = x.shape[0], self.recipe.batch_size, 0.0
        for start, rate in zip(range(0, rows, size), rates.tolist()):
            count = min(size, rows - start)
            self.learner.before_step(rate, count)
            self.train_batch({self.x: rows_of(x, start, count), self.y: rows_of(y, start, count)}, count)
            total += self.trainer.previous_minibatch_loss_average * count
        return total / rows

    def train_batch(self, batch, count):
        states = self.training.states
        if not states:
            self.trainer.train_minibatch(batch)
        else:
            after = dict.fromkeys(after for _, after in states)
            batch.update(self.states_before(self.training, count))
            # The Trainer's own method turns what it returns into NumPy arrays; this one leaves it on the device.
            super(C.Trainer, self.trainer).train_minibatch(batch, False, after, self.device)  # type: ignore[misc]
            self.keep(self.training, after)
        if self.blend:
            self.blend.eval({self.training.one: self.dtype(1)})

    def states_before(self, graph, count):
        """Return {input: value} for a batch of ``count`` rows: of the states that are kept, those of the first rows."""
        kept = self.states
        if kept is None:
            kept = [C.NDArrayView((count, *before.shape), self.dtype, self.device) for before, _ in graph.states]
        return {before: rows_of(view, 0, count) for (before, _), view in zip(graph.states, kept)}

    def keep(self, graph, values):
        """Copy the states of a batch, whose memory the next batch reuses."""
        copies = [values[after].deep_clone(True) for _, after in graph.states]
        for copy in copies:
            map_if_possible(copy)  # to a C.Value, as CNTK's own methods do with what they return
        self.states: Optional[List[Any]] = [copy.data for copy in copies]

    def predict(self, handle):
        x, _ = handle
        rows, size, outputs = x.shape[0], self.recipe.evaluation_batch_size, []
        self.reset_unless_carried()
        for start in range(0, rows, size):
            count = min(size, rows - start)
            batch = {self.x: rows_of(x, start, count), **self.states_before(self.prediction, count)}
            values = self.predictor.forward(batch, self.predictor.outputs, as_numpy=False)[1]
            outputs.append(values[self.outputs.output].asarray())
            self.keep(self.prediction, values)
        self.reset_unless_carried()
        return np.concatenate(outputs)

    def reset_states(self):
        self.states = None

    def parameters(self):
        return {n: np.array(to_spec(*self.parts[n], tensor.value), order="C") for n, tensor in self.tensors.items()}


WORKER = CntkWorker
