"""MXNet: hybridised Gluon blocks and a Trainer, in Gluon's own loop over rows that lie on the device.

Mode ``imperative``: the same blocks, not hybridised; every operation goes to MXNet's engine by itself.
"""

import math
from contextlib import contextmanager

import numpy as np

from . import mxnet_layers as layers
from .flattening import folded, in_order, in_spec_order
from .mxnet_library import autograd, gluon, mx, nd, nn
from .mxnet_network import Network, TrainingLoss, is_stateful, make_loss
from .mxnet_optimisers import clip, make_optimiser
from .worker import Unsupported, Worker, batch_sizes, checked_mode, decayed, layer_weights, trainable

MODES = (None, "imperative")
STATIC = {"static_alloc": True, "static_shape": True}  # as the documentation of hybridize advises


class MxnetWorker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": layers.reshape,
        "reshape": layers.reshape,
        "dropout": lambda item: [nn.Dropout(item.layer.rate)],
        "conv2d": layers.conv2d,
        "conv1d": lambda item: [layers.Conv1D(item)],
        "maxpool2d": lambda item: [layers.Pool2D(item, "max")],
        "averagepool2d": lambda item: [layers.Pool2D(item, "avg")],
        "globalmaxpool1d": layers.globalmaxpool1d,
        "batchnorm": layers.batchnorm,
        "embedding": lambda item: [nn.Embedding(item.layer.vocabulary_size, item.layer.units)],
        "lstm": lambda item: [layers.LSTM(item)],
    }
    layout = "channels_first"
    composed = {
        "reshape": "of several channels: a transpose before, or after it",
        "flatten": "of several channels: the next dense layer's kernel in that order, or a transpose before it",
        "conv2d": "same padding with more at one side: F.pad before the convolution",
        "conv1d": "channels before steps by two transposes; same padding with more at one side: F.pad",
        "maxpool2d": "same padding with more at one side: the convention 'full', or an output that is cut off",
        "averagepool2d": "same padding as for maxpool2d",
        "globalmaxpool1d": "channels before steps by a transpose",
        "batchnorm": "running variance: MXNet's is of biased variances; scaled before and after an epoch's batches",
        "lstm": "one bias: rnn.LSTM's second bias is zero and frozen; stateful: its states are inputs and outputs",
        "clip_norm": "sums of squares and a scale: clip_global_norm's dot product strays over millions of numbers",
        "sgd": "velocity 'gradient': MXNet's, its momentum rescaled when the rate changes; nesterov with weight decay: "
        "the native update of a copy, since in place it decays the velocity by the weight after the step",
        "adam": "epsilon_form 'corrected': mx.optimizer.Adam, its epsilon set anew in each step",
        "adadelta": "the update from operations: MXNet's has no rate, and its weight decay is not in the gradient",
        "rmsprop": "epsilon_form 'outside': Adam's native update, its first moment being the gradient",
    }

    def versions(self):
        features = mx.runtime.Features()
        built = [name for name in ("MKLDNN", "BLAS_OPEN", "BLAS_MKL", "CUDA", "CUDNN") if features.is_enabled(name)]
        return {"mxnet": mx.__version__, "numpy": np.__version__, "built with": ", ".join(built)}

    def open_device(self, device, threads):
        """MXNet reads MXNET_OMP_MAX_THREADS, which the environment pins, and has no call for its workers' threads."""
        if device == "gpu" and mx.context.num_gpus() == 0:
            raise Unsupported("mxnet {} finds no GPU and driver that it can use".format(mx.__version__))
        self.context = mx.gpu(0) if device == "gpu" else mx.cpu()

    def build(self, job, weights):
        if job.precision != "float32":
            raise Unsupported("the mxnet worker computes in float32 only")
        self.mode, self.recipe = checked_mode(job, MODES), job.recipe
        self.network, self.tensors = Network(), {}
        self.normalised = []  # (a running variance, numbers per feature and row)
        flattens, self.orders = folded(job.model.layers)
        for item in job.model.layers:  # nn.Dense flattens by itself, without the copy that F.reshape makes
            blocks = [] if item.name in flattens else self.layers[item.layer.kind](item)
            self.network.add(*blocks)
            for role in layer_weights(weights, item.name):
                self.tensors[item.name + "/" + role] = layers.parameter_of(blocks[-1], role), item.layer
            if item.layer.kind == "batchnorm":
                self.normalised.append((blocks[-1].running_var, math.prod(item.input_shape[:-1])))
        self.remembering = [block for block in self.network if is_stateful(block)]
        self.classes = self.recipe.loss.kind == "categorical_cross_entropy"
        self.loss = make_loss(self.recipe.loss, job.model.layers[-1].output_shape)
        self.network.initialize(mx.init.Zero(), self.context)
        self.training = {}
        if self.mode is None:
            self.network.hybridize(**STATIC)
            self.compile(job)
        self.trained = []
        for name, (parameter, layer) in self.tensors.items():
            parameter.set_data(nd.array(layers.from_spec(layer, in_order(name, weights[name], self.orders))))
            if trainable(name):
                parameter.wd_mult = 1.0 if decayed(self.recipe.optimiser, name) else 0.0
                self.trained.append(parameter)
        self.trainer = gluon.Trainer(self.trained, make_optimiser(self.recipe.optimiser))
        self.reset_states()
        mx.random.seed(job.seed)

    def training_loss(self, rows):
        """Return the block for batches of so many rows: a static graph is planned anew when their number changes."""
        if rows not in self.training:
            self.training[rows] = TrainingLoss(self.network, self.loss)
            if self.mode is None:
                self.training[rows].hybridize(**STATIC)
        return self.training[rows]

    def compile(self, job):
        """Run each size of batch once on zeros, before the weights come: MXNet plans a graph when it first runs."""
        (source,), train, predict = job.inputs, *batch_sizes(job)
        outputs = job.model.layers[-1].output_shape
        x_type = "int32" if source.dtype == "int32" else "float32"
        shape = [source.shape[2], *source.shape[:2]] if len(source.shape) == 3 else source.shape
        wanted, y_type = (outputs[:-1], "int32") if self.classes else (outputs, "float32")
        for rows in train:
            x, targets = [nd.zeros([rows, *a], self.context, t) for a, t in ((shape, x_type), (wanted, y_type))]
            with autograd.record():
                loss = self.training_loss(rows)(x, targets, *self.begin_states(rows))
            (loss[0] if self.remembering else loss).backward()
        for rows in predict:
            self.network(nd.zeros([rows, *shape], self.context, x_type), *self.begin_states(rows))
        nd.waitall()

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        return [nd.array(a, self.context, a.dtype) for a in (x, targets)]

    def begin_states(self, rows):
        """Return the states of the stateful layers at zero, two for each."""
        return [state for block in self.remembering for state in block.lstm.begin_state(rows, ctx=self.context)]

    def reset_states(self):
        self.states = None

    def first_rows(self, states, rows):
        """Return the states that a batch of so many rows starts with."""
        if states is None:
            return self.begin_states(rows)
        return [s if s.shape[1] == rows else s.slice_axis(axis=1, begin=0, end=rows) for s in states]

    @contextmanager
    def biased_variances(self, rows):
        """Inside, running variances are averages of biased ones, as MXNet's own, of batches of so many rows."""
        counts = [(variance.data(), rows * each) for variance, each in self.normalised]
        factors = [(variance, max(count - 1, 1) / count) for variance, count in counts]
        for variance, factor in factors:
            variance *= factor
        yield
        for variance, factor in factors:
            variance /= factor

    def train_epoch(self, handle, rates):
        rows, size = len(handle[0]), self.recipe.batch_size
        whole = rows // size * size
        rates, losses = rates.tolist(), []
        with self.biased_variances(size):
            for start, rate in zip(range(0, whole, size), rates):
                x, targets = [a[start : start + size] for a in handle]
                losses.append(self.train_batch(x, targets, rate))
        if whole < rows:
            with self.biased_variances(rows - whole):
                x, targets = [a[whole:] for a in handle]
                losses.append(self.train_batch(x, targets, rates[-1]))
        return float(nd.concat(*losses, dim=0).mean().asscalar())

    def train_batch(self, x, targets, rate):
        """Train on one batch and return its rows' losses."""
        trainer, limit, rows = self.trainer, self.recipe.clip_norm, len(x)
        states, compute_loss = self.first_rows(self.states, rows), self.training_loss(rows)
        with autograd.record():
            loss = compute_loss(x, targets, *states)
        if states:
            loss, *states = loss
            self.states = [state.detach() for state in states]
        loss.backward()
        if limit is not None:
            clip([w.grad() for w in self.trained], limit * rows)
        if rate != trainer.learning_rate:
            trainer.set_learning_rate(rate)
        trainer.step(rows)  # of the rows' losses, the mean
        return loss

    def predict(self, handle):
        rows, size = handle[0], self.recipe.evaluation_batch_size
        self.reset_unless_carried()
        outputs, states = [], self.states
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            states = self.first_rows(states, len(batch))
            found = self.network(batch, *states)
            if states:
                found, *states = found
            outputs.append(found)
        self.states = states
        self.reset_unless_carried()
        return nd.concat(*outputs, dim=0).asnumpy()

    def parameters(self):
        values = {}
        for name, (parameter, layer) in self.tensors.items():
            value = layers.to_spec(layer, parameter.data().asnumpy())
            values[name] = np.array(in_spec_order(name, value, self.orders), order="C")
        return values

    def synchronize(self):
        nd.waitall()


WORKER = MxnetWorker
