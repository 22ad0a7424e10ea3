"""Theano-PyMC: a symbolic graph of the whole training step, compiled by g++; a plain loop calls it for every batch."""

import os
from glob import glob

import numpy as np

# What the environment's THEANO_FLAGS leave open: the last setting of a flag holds. Without blas__ldflags Theano calls
# BLAS through NumPy's C API (seen: an MLP a third slower), so they name the OpenBLAS that NumPy's wheel has loaded.
os.environ["THEANO_FLAGS"] = ",".join(
    ["floatX=float32"]
    + [
        "blas__ldflags=-L{} -l{}".format(os.path.dirname(path), os.path.basename(path)[len("lib") : -len(".so")])
        for path in glob(os.path.join(os.path.dirname(np.__path__[0]), "numpy.libs", "libopenblas*.so"))
    ]
    + [os.environ.get("THEANO_FLAGS", "")]
)

import theano
import theano.tensor as T
from theano.configdefaults import gcc_version_str
from theano.sandbox.rng_mrg import MRG_RandomStream
from theano.tensor.signal.pool import pool_2d

from .worker import Unsupported, Worker, decayed, layer_weights, same_padding

# Each layer maps a symbolic x, images as (rows, channels, height, width), to y; p: its tensors, shared variables.
# ``random`` draws dropout masks; it is None in prediction.


def add_bias(y, p):
    if "bias" not in p:
        return y
    return y + (p["bias"].dimshuffle("x", 0, "x", "x") if y.ndim == 4 else p["bias"])


def softmax(x):
    if x.ndim == 2:
        return T.nnet.softmax(x)
    axis = 1 if x.ndim == 4 else 2  # the spec's last: channels, or the features of a step
    e = T.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


FUNCTIONS = {
    "tanh": T.tanh,
    "relu": lambda x: x * (x > 0),  # T.nnet.relu has a gradient of one half at 0, a switch takes twice the time
    "sigmoid": T.nnet.sigmoid,
    "softmax": softmax,
    "linear": lambda x: x,
}


def flatten(item, p, x, random):
    return (x.dimshuffle(0, 2, 3, 1) if x.ndim == 4 else x).flatten(2)


def dropout(item, p, x, random):
    if random is None or item.layer.rate == 0:
        return x
    keep = T.constant(1 - item.layer.rate, dtype=x.dtype)
    return x * random.binomial(x.shape, p=keep, dtype=x.dtype) / keep


def padding(item, window):
    """Return ((top, bottom), (left, right))."""
    if item.layer.padding == "valid":
        return (0, 0), (0, 0)
    return tuple(map(same_padding, item.input_shape[:2], window, item.layer.strides))


def conv2d(item, p, x, random):
    height, width, channels = item.input_shape
    window, strides = tuple(item.layer.kernel_size), tuple(item.layer.strides)
    shapes = (None, channels, height, width), (item.layer.filters, channels, *window)
    return add_bias(T.nnet.conv2d(x, p["kernel"], *shapes, padding(item, window), strides, filter_flip=False), p)


def maxpool2d(item, p, x, random):
    window, strides = tuple(item.layer.pool_size), tuple(item.layer.strides)
    (top, bottom), (left, right) = padding(item, window)
    if top or bottom or left or right:  # pool_2d pads both sides alike, and by less than a window
        height, width, _ = item.input_shape
        shape = x.shape[0], x.shape[1], top + height + bottom, left + width + right
        frame = T.alloc(T.constant(-np.inf, dtype=x.dtype), *shape)
        x = T.set_subtensor(frame[:, :, top : top + height, left : left + width], x)
    return pool_2d(x, window, stride=strides, ignore_border=True)


def embedding(item, p, x, random):
    rows = p["table"][x.flatten()]  # by a vector Theano looks up in C, by a matrix in Python
    return rows.reshape([x.shape[0], *item.output_shape])


def lstm(item, p, x, random):
    units = item.layer.units
    projected = add_bias(T.dot(x.dimshuffle(1, 0, 2), p["kernel"]), p)  # all steps at once

    def step(projected_t, h, c, recurrent_kernel):
        z = projected_t + T.dot(h, recurrent_kernel)
        gates = {gate: z[:, k * units : (k + 1) * units] for k, gate in enumerate(item.layer.gate_order)}
        i, f, o = [T.nnet.sigmoid(gates[gate]) for gate in "ifo"]
        c = f * c + i * T.tanh(gates["g"])
        return o * T.tanh(c), c

    zero = T.unbroadcast(T.zeros([x.shape[0], units], x.dtype), 0, 1)  # one unit would have another type than h
    (h, _), _ = theano.scan(step, projected, [zero, zero], [p["recurrent_kernel"]], strict=True)
    return h[-1] if item.layer.output == "last" else h.dimshuffle(1, 0, 2)


def mean_loss(loss, outputs, targets):
    if loss.kind == "categorical_cross_entropy":
        return T.nnet.nnet.crossentropy_softmax_1hot(outputs, targets)[0].mean()
    binary = loss.kind == "binary_cross_entropy"
    values = T.nnet.softplus(outputs) - outputs * targets if binary else T.sqr(outputs - targets)
    return values.mean() if loss.over_outputs == "mean" else values.sum(axis=1).mean()


# Each optimiser returns {shared variable: its new value}, given [(weight, gradient)].


def zeros_like(w):
    return theano.shared(np.zeros_like(w.get_value(borrow=True)))


def sgd(optimiser, pairs, rate):
    m, rate = optimiser.momentum, T.cast(rate, theano.config.floatX)
    updates = {}
    for w, d in pairs:
        if m == 0:
            updates[w] = w - rate * d
            continue
        v = zeros_like(w)
        if optimiser.velocity == "step":
            updates[v] = m * v - rate * d
            updates[w] = w + (m * updates[v] - rate * d if optimiser.nesterov else updates[v])
        else:
            updates[v] = m * v + d
            updates[w] = w - rate * (d + m * updates[v] if optimiser.nesterov else updates[v])
    return updates


def adam(optimiser, pairs, rate):
    numbers = optimiser.beta_1, optimiser.beta_2, optimiser.epsilon
    beta_1, beta_2, epsilon = [T.constant(a, dtype="float64") for a in numbers]  # 1 - 0.999 in float32: 1e-5 off
    done = theano.shared(np.float64(0))
    root = T.sqrt(1 - beta_2 ** (done + 1))
    if optimiser.epsilon_form == "corrected":
        epsilon = epsilon * root  # m_hat / (sqrt(v_hat) + epsilon), both parts times root
    scale, epsilon = [T.cast(a, theano.config.floatX) for a in (rate * root / (1 - beta_1 ** (done + 1)), epsilon)]
    updates = {done: done + 1}
    for w, d in pairs:
        m, v = zeros_like(w), zeros_like(w)
        updates[m] = m + (1 - optimiser.beta_1) * (d - m)
        updates[v] = v + (1 - optimiser.beta_2) * (T.sqr(d) - v)
        updates[w] = w - scale * updates[m] / (T.sqrt(updates[v]) + epsilon)
    return updates


OPTIMISERS = {"sgd": sgd, "adam": adam}


class TheanoWorker(Worker):
    layers = {
        "dense": lambda item, p, x, random: add_bias(T.dot(x, p["kernel"]), p),
        "activation": lambda item, p, x, random: FUNCTIONS[item.layer.function](x),
        "flatten": flatten,
        "dropout": dropout,
        "conv2d": conv2d,
        "maxpool2d": maxpool2d,
        "embedding": embedding,
        "lstm": lstm,
    }
    layout = "channels_first"
    composed = {
        "activation": "relu: a product with x > 0; softmax of more than (rows, features): exp and sum",
        "dropout": "a random mask from MRG_RandomStream, and a scale",
        "maxpool2d": "same padding: a copy into a frame of minus infinity",
        "lstm": "theano.scan over the steps, the input's projection outside of it",
        "clip_norm": "the norm and a scale in the compiled graph",
        "sgd": "the update in the compiled graph; Theano has no optimisers",
        "adam": "the update in the compiled graph; Theano has no optimisers",
    }
    declared_differences = {
        "maxpool2d": "where inputs of a window tie for its maximum, each gets the whole gradient, not the first alone; "
        "so on images with a plain background the bias of a convolution below has a gradient up to several times larger"
    }

    def versions(self):
        blas = [flag for flag in theano.config.blas__ldflags.split() if flag.startswith("-l")]
        found = {"theano": theano.__version__, "numpy": np.__version__, "g++": gcc_version_str}
        return dict(found, blas=" ".join(blas) or "NumPy's, through its C API")

    def open_device(self, device, threads):
        """The environment pins the BLAS's threads; everything else in Theano runs in one."""
        if device == "gpu":
            raise Unsupported("Theano-PyMC reaches a GPU only through libgpuarray, which no package index carries")
        if not theano.config.cxx:
            raise Unsupported("Theano compiles with g++, and there is none here. Try: apt-get install g++")

    def build(self, job, weights):
        self.recipe = recipe = job.recipe
        theano.config.floatX = self.dtype = job.precision
        self.weights = {}
        for name, value in weights.items():
            value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value  # Theano's (filters, in, height, width)
            self.weights[name] = theano.shared(np.array(value, self.dtype, order="C"))
        (source,) = job.inputs
        x = np.zeros([0] * (1 + len(source.shape)), "int32" if source.dtype == "int32" else self.dtype)
        classes = recipe.loss.kind == "categorical_cross_entropy"
        targets = np.zeros(0, "int32") if classes else np.zeros([0, 0], self.dtype)
        self.data, self.current = [theano.shared(x), theano.shared(targets)], None
        start, stop, rate = T.lscalar(), T.lscalar(), T.dscalar()
        x, targets = [rows[start:stop] for rows in self.data]
        random = MRG_RandomStream(job.seed % 2147462578 + 1)  # its seeds: from 1 to below 2147462579
        loss = mean_loss(recipe.loss, self.forward(job.model, x, random), targets)
        updates = OPTIMISERS[recipe.optimiser.kind](recipe.optimiser, self.gradients(loss), rate)
        self.train_batch = theano.function([start, stop, rate], loss, updates=list(updates.items()))
        self.predict_batch = theano.function([start, stop], self.forward(job.model, x, None))

    def forward(self, model, x, random):
        for item in model.layers:
            x = self.layers[item.layer.kind](item, layer_weights(self.weights, item.name), x, random)
        return x

    def gradients(self, loss):
        """Return [(weight, its gradient, clipped and decayed)]."""
        recipe, decay = self.recipe, self.recipe.optimiser.weight_decay
        gradients = T.grad(loss, list(self.weights.values()))
        if recipe.clip_norm is not None:
            norm = T.sqrt(sum(T.sqr(d).sum() for d in gradients))
            gradients = [d * T.switch(norm > recipe.clip_norm, recipe.clip_norm / norm, 1) for d in gradients]
        pairs = zip(self.weights.items(), gradients)
        return [(w, d + decay * w if decay > 0 and decayed(recipe.optimiser, name) else d) for (name, w), d in pairs]

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
        return np.concatenate([self.predict_batch(start, stop) for start, stop in batches])

    def parameters(self):
        values = {name: shared.get_value() for name, shared in self.weights.items()}
        return {n: a.transpose(2, 3, 1, 0).copy() if a.ndim == 4 else a for n, a in values.items()}


WORKER = TheanoWorker
