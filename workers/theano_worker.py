"""Theano-PyMC: a symbolic graph of the whole training step, compiled by g++ into one function that a loop calls."""

import glob
import os

import numpy as np

from .worker import Unsupported, Worker, decayed, layer_weights, same_padding


def default_flags():
    """Return the flags for what the environment's THEANO_FLAGS leave open.

    Without blas__ldflags Theano calls BLAS through NumPy's C API, which is slower (MLP 784-100-10: by 40%), so
    they name the OpenBLAS in NumPy's wheel. It is in the process already, so that it needs no search path.
    """
    flags = "floatX=float32"
    for path in glob.glob(os.path.join(os.path.dirname(np.__file__), os.pardir, "numpy.libs", "libopenblas*.so")):
        folder, name = os.path.split(os.path.abspath(path))
        flags += ",blas__ldflags=-L{} -l{}".format(folder, name[len("lib") : -len(".so")])
    return flags


# Of two settings of a flag the last one holds.
os.environ["THEANO_FLAGS"] = ",".join(filter(None, [default_flags(), os.environ.get("THEANO_FLAGS")]))

import theano
import theano.tensor as T
from theano.configdefaults import gcc_version_str
from theano.sandbox.rng_mrg import MRG_RandomStream
from theano.tensor.signal.pool import pool_2d

# A layer is a function of its resolved layer, its parameters (shared variables), its symbolic input and a
# random stream, which is None in prediction. Images are (rows, channels, height, width) here.


def dense(item, p, x, rng):
    y = T.dot(x, p["kernel"])
    return y + p["bias"] if item.layer.bias else y


def softmax(x):
    if x.ndim == 2:
        return T.nnet.softmax(x)
    axis = 1 if x.ndim == 4 else -1  # the channels
    e = T.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


ACTIVATIONS = {
    "tanh": T.tanh,
    "relu": lambda x: T.switch(x > 0, x, 0),  # the gradient at 0 is 0; that of T.nnet.relu is one half
    "sigmoid": T.nnet.sigmoid,
    "softmax": softmax,
    "linear": lambda x: x,
}


def activation(item, p, x, rng):
    return ACTIVATIONS[item.layer.function](x)


def flatten(item, p, x, rng):
    return (x.dimshuffle(0, 2, 3, 1) if x.ndim == 4 else x).flatten(2)


def dropout(item, p, x, rng):
    keep = 1 - item.layer.rate
    if rng is None or keep == 1:
        return x
    return x * rng.binomial(x.shape, p=keep, dtype=x.dtype) / T.constant(keep, dtype=x.dtype)


def padding(item, window):
    """Return ((top, bottom), (left, right))."""
    if item.layer.padding == "valid":
        return (0, 0), (0, 0)
    return tuple(same_padding(*sizes) for sizes in zip(item.input_shape, window, item.layer.strides))


def conv2d(item, p, x, rng):
    height, width, channels = item.input_shape
    y = T.nnet.conv2d(
        x,
        p["kernel"],
        input_shape=(None, channels, height, width),
        filter_shape=(item.layer.filters, channels) + tuple(item.layer.kernel_size),
        border_mode=padding(item, item.layer.kernel_size),
        subsample=tuple(item.layer.strides),
        filter_flip=False,
    )
    return y + p["bias"].dimshuffle("x", 0, "x", "x") if item.layer.bias else y


def maxpool2d(item, p, x, rng):
    (top, bottom), (left, right) = padding(item, item.layer.pool_size)
    if top or bottom or left or right:  # pool_2d itself pads only alike on both sides
        height, width, _ = item.input_shape
        shape = (x.shape[0], x.shape[1], top + height + bottom, left + width + right)
        frame = T.alloc(T.constant(-np.inf, dtype=x.dtype), *shape)
        x = T.set_subtensor(frame[:, :, top : top + height, left : left + width], x)
    return pool_2d(x, tuple(item.layer.pool_size), ignore_border=True, stride=tuple(item.layer.strides))


def embedding(item, p, x, rng):
    rows = p["table"][x.flatten()]  # indexed by a vector, which Theano does in C; by a matrix, in Python
    return rows.reshape((x.shape[0],) + tuple(item.output_shape), ndim=3)


def lstm(item, p, x, rng):
    units, order = item.layer.units, item.layer.gate_order
    projected = T.dot(x.dimshuffle(1, 0, 2), p["kernel"])  # all steps at once, outside the loop
    if item.layer.bias:
        projected = projected + p["bias"]

    def step(projected_t, h, c, recurrent_kernel):
        z = projected_t + T.dot(h, recurrent_kernel)
        gates = {gate: z[:, k * units : (k + 1) * units] for k, gate in enumerate(order)}
        i, f, o = [T.nnet.sigmoid(gates[gate]) for gate in "ifo"]
        c = f * c + i * T.tanh(gates["g"])
        return o * T.tanh(c), c

    zero = T.unbroadcast(T.zeros((x.shape[0], units), dtype=x.dtype), 0, 1)
    (h, _), _ = theano.scan(
        step, projected, outputs_info=[zero, zero], non_sequences=[p["recurrent_kernel"]], strict=True
    )
    return h[-1] if item.layer.output == "last" else h.dimshuffle(1, 0, 2)


# Losses of (rows, outputs), as one number per row.


def categorical_cross_entropy(loss, outputs, targets):
    return T.nnet.nnet.crossentropy_softmax_1hot(outputs, targets)[0]


def over_outputs(loss, values):
    return values.mean(axis=1) if loss.over_outputs == "mean" else values.sum(axis=1)


def binary_cross_entropy(loss, outputs, targets):
    return over_outputs(loss, T.nnet.softplus(outputs) - outputs * targets)


def mean_squared_error(loss, outputs, targets):
    return over_outputs(loss, T.sqr(outputs - targets))


LOSSES = {
    "categorical_cross_entropy": categorical_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
}


# An optimiser takes pairs of a weight and its gradient and returns Theano's updates, [(shared, new value)].


def zeros_like(w):
    return theano.shared(np.zeros_like(w.get_value(borrow=True)))


def sgd(optimiser, pairs, rate):
    m, nesterov = optimiser.momentum, optimiser.nesterov
    rate = T.cast(rate, theano.config.floatX)
    updates = []
    for w, d in pairs:
        if m == 0:
            updates += [(w, w - rate * d)]
            continue
        v = zeros_like(w)
        if optimiser.velocity == "step":
            new_v = m * v - rate * d
            updates += [(v, new_v), (w, w + (m * new_v - rate * d if nesterov else new_v))]
        else:
            new_v = m * v + d
            updates += [(v, new_v), (w, w - rate * (d + m * new_v if nesterov else new_v))]
    return updates


def adam(optimiser, pairs, rate):
    beta_1, beta_2 = [T.constant(beta, dtype="float64") for beta in (optimiser.beta_1, optimiser.beta_2)]
    steps = theano.shared(np.float64(0))
    t = steps + 1
    root = T.sqrt(1 - beta_2**t)
    step = T.cast(rate * root / (1 - beta_1**t), theano.config.floatX)
    epsilon = T.constant(optimiser.epsilon, dtype="float64")
    if optimiser.epsilon_form == "corrected":
        epsilon = epsilon * root  # m_hat / (sqrt(v_hat) + epsilon), its fraction multiplied by root
    epsilon = T.cast(epsilon, theano.config.floatX)
    updates = [(steps, t)]
    for w, d in pairs:
        m, v = zeros_like(w), zeros_like(w)
        new_m = m + (1 - optimiser.beta_1) * (d - m)
        new_v = v + (1 - optimiser.beta_2) * (T.sqr(d) - v)
        updates += [(m, new_m), (v, new_v), (w, w - step * new_m / (T.sqrt(new_v) + epsilon))]
    return updates


OPTIMISERS = {"sgd": sgd, "adam": adam}


def to_theano(tensor):
    """Return a tensor of the spec as Theano keeps it: (filters, in, height, width) for a convolution's kernel."""
    return tensor.transpose(3, 2, 0, 1) if tensor.ndim == 4 else tensor


def from_theano(tensor):
    return tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor


class TheanoWorker(Worker):
    layers = {
        "dense": dense,
        "activation": activation,
        "flatten": flatten,
        "dropout": dropout,
        "conv2d": conv2d,
        "maxpool2d": maxpool2d,
        "embedding": embedding,
        "lstm": lstm,
    }
    layout = "channels_first"
    composed = {
        "flatten": "of several channels: dimshuffle to height, width, channel, then flatten",
        "activation": "softmax of anything but (rows, features): exp and sum",
        "maxpool2d": "same padding: a copy into a frame of minus infinity",
        "lstm": "theano.scan over the steps, the input's projection outside of it",
        "clip_norm": "the norm and a scale in the compiled graph",
        "sgd": "Theano has no optimisers: the update in the compiled graph",
        "adam": "Theano has no optimisers: the update in the compiled graph",
    }
    declared_differences = {
        "maxpool2d": "where several inputs of a window are its maximum, each gets the whole gradient, not only the first"
    }

    def versions(self):
        blas = [flag for flag in theano.config.blas__ldflags.split() if flag.startswith("-l")]
        return {
            "theano": theano.__version__,
            "numpy": np.__version__,
            "blas": " ".join(blas) or "NumPy's, through its C API",
            "g++": gcc_version_str,
        }

    def open_device(self, device, threads):
        """The environment pins the BLAS's threads; all else in Theano is single-threaded."""
        if device == "gpu":
            raise Unsupported("Theano-PyMC 1.1.2 trains on a GPU only through pygpu, which no package registry has.")
        if not theano.config.cxx:
            raise Unsupported("Theano compiles its graphs with g++, and there is none. Try: apt-get install g++")

    def build(self, job, weights):
        self.recipe = recipe = job.recipe
        theano.config.floatX = self.dtype = job.precision
        self.weights = {
            name: theano.shared(np.array(to_theano(value), self.dtype, order="C")) for name, value in weights.items()
        }
        shape = job.inputs[0].shape
        classes = recipe.loss.kind == "categorical_cross_entropy"
        self.x = theano.shared(
            np.zeros([0] * (len(shape) + 1), "int32" if job.inputs[0].dtype == "int32" else self.dtype)
        )
        self.targets = theano.shared(np.zeros(0, "int32") if classes else np.zeros((0, 0), self.dtype))
        self.staged = None
        rng = MRG_RandomStream(job.seed % (2**31 - 2**15) + 1)  # takes 1 to just below 2^31

        start, stop, rate = T.lscalar("start"), T.lscalar("stop"), T.dscalar("rate")
        outputs = self.forward(job.model, self.x[start:stop], rng)
        loss = LOSSES[recipe.loss.kind](recipe.loss, outputs, self.targets[start:stop]).mean()
        names = list(self.weights)
        gradients = T.grad(loss, [self.weights[name] for name in names])
        if recipe.clip_norm is not None:
            norm = T.sqrt(sum(T.sqr(d).sum() for d in gradients))
            scale = T.switch(norm > recipe.clip_norm, recipe.clip_norm / norm, 1)
            gradients = [d * scale for d in gradients]
        pairs = []
        for name, d in zip(names, gradients):
            w = self.weights[name]
            if recipe.optimiser.weight_decay > 0 and decayed(recipe.optimiser, name):
                d = d + recipe.optimiser.weight_decay * w
            pairs.append((w, d))
        updates = OPTIMISERS[recipe.optimiser.kind](recipe.optimiser, pairs, rate)
        self.train_step = theano.function([start, stop, rate], loss, updates=updates)
        self.predict_batch = theano.function([start, stop], self.forward(job.model, self.x[start:stop], None))

    def forward(self, model, x, rng):
        for item in model.layers:
            x = self.layers[item.layer.kind](item, layer_weights(self.weights, item.name), x, rng)
        return x

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        return [np.ascontiguousarray(a, self.dtype if a.dtype.kind == "f" else "int32") for a in (x, targets)]

    def bind(self, handle):
        """Point the compiled functions' shared variables at the handle's arrays, without a copy."""
        if self.staged is not handle:
            self.staged = handle
            self.x.set_value(handle[0], borrow=True)
            self.targets.set_value(handle[1], borrow=True)
        return len(handle[0])

    def train_epoch(self, handle, rates):
        rows = self.bind(handle)
        size = self.recipe.batch_size
        total = 0.0
        for step, rate in enumerate(rates.tolist()):
            start, stop = step * size, min((step + 1) * size, rows)
            total += float(self.train_step(start, stop, rate)) * (stop - start)
        return total / rows

    def predict(self, handle):
        rows = self.bind(handle)
        size = self.recipe.evaluation_batch_size
        return np.concatenate([self.predict_batch(i, min(i + size, rows)) for i in range(0, rows, size)])

    def parameters(self):
        return {name: np.array(from_theano(w.get_value(borrow=True)), order="C") for name, w in self.weights.items()}


WORKER = TheanoWorker
