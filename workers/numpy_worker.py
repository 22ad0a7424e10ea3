"""The reference: every layer, loss and optimiser of the spec, forward and backward, in plain NumPy.

Written to be read, not to be fast. In float64 it is what the parity gate holds every framework to; in
float32 it is a framework of its own. A layer is a class with ``forward`` and ``backward``; ``backward``
takes the gradient of the loss by its output, fills ``gradients`` and returns the one by its input.
"""

from typing import Any, Dict

import numpy as np

from .worker import Worker, decayed, layer_weights, same_padding


class Layer:
    def __init__(self, item, parameters, rng):
        self.spec = item.layer
        self.parameters = parameters
        self.gradients = {}
        self.rng = rng


class Dense(Layer):
    def forward(self, x, training):
        self.x = x
        y = x @ self.parameters["kernel"]
        return y + self.parameters["bias"] if self.spec.bias else y

    def backward(self, dy):
        self.gradients["kernel"] = self.x.T @ dy
        if self.spec.bias:
            self.gradients["bias"] = dy.sum(axis=0)
        return dy @ self.parameters["kernel"].T


def sigmoid(x):
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # no overflow for large negative x


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# function -> (value, gradient by the input, given the gradient and the value)
ACTIVATIONS: Dict[str, Any] = {
    "tanh": (np.tanh, lambda dy, y: dy * (1 - y * y)),
    "relu": (lambda x: np.maximum(x, 0), lambda dy, y: dy * (y > 0)),
    "sigmoid": (sigmoid, lambda dy, y: dy * y * (1 - y)),
    "softmax": (softmax, lambda dy, y: y * (dy - (dy * y).sum(axis=-1, keepdims=True))),
    "linear": (lambda x: x, lambda dy, y: dy),
}


class Activation(Layer):
    def forward(self, x, training):
        self.y = ACTIVATIONS[self.spec.function][0](x)
        return self.y

    def backward(self, dy):
        return ACTIVATIONS[self.spec.function][1](dy, self.y)


class Flatten(Layer):
    def forward(self, x, training):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Dropout(Layer):
    def forward(self, x, training):
        self.mask = np.ones_like(x)
        if training and self.spec.rate > 0:
            keep = 1 - self.spec.rate
            self.mask = ((self.rng.uniform(size=x.shape) < keep) / keep).astype(x.dtype)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class Windows(Layer):
    """What convolution and pooling share: the input as (rows, height, width, window positions, channels)."""

    pad_value = 0.0

    def window(self):
        return self.spec.kernel_size

    def unfold(self, x):
        (wh, ww), (sh, sw) = self.window(), self.spec.strides
        self.padding = [(0, 0)] * 4
        if self.spec.padding == "same":
            self.padding[1:3] = [same_padding(x.shape[1], wh, sh), same_padding(x.shape[2], ww, sw)]
        padded = np.pad(x, self.padding, mode="constant", constant_values=self.pad_value)
        self.padded_shape = padded.shape
        self.height = (padded.shape[1] - wh) // sh + 1
        self.width = (padded.shape[2] - ww) // sw + 1
        return np.stack([padded[region] for region in self.regions()], axis=3)

    def regions(self):
        """Yield, for each position inside the window, the slice of the padded input that it sees."""
        (wh, ww), (sh, sw) = self.window(), self.spec.strides
        for i in range(wh):
            for j in range(ww):
                yield (slice(None), slice(i, i + sh * self.height, sh), slice(j, j + sw * self.width, sw))

    def fold(self, windows):
        """The transpose of ``unfold``: add every window position's gradient where it came from."""
        dx = np.zeros(self.padded_shape, windows.dtype)
        for position, region in enumerate(self.regions()):
            dx[region] += windows[:, :, :, position]
        (top, bottom), (left, right) = self.padding[1:3]
        return dx[:, top : dx.shape[1] - bottom, left : dx.shape[2] - right]


class Conv2D(Windows):
    def forward(self, x, training):
        self.windows = self.unfold(x)
        kernel = self.parameters["kernel"]
        self.flat_kernel = kernel.reshape(-1, kernel.shape[-1])
        rows, height, width = self.windows.shape[:3]
        y = self.windows.reshape(rows * height * width, -1) @ self.flat_kernel
        if self.spec.bias:
            y = y + self.parameters["bias"]
        return y.reshape(rows, height, width, -1)

    def backward(self, dy):
        flat = dy.reshape(-1, dy.shape[-1])
        kernel = self.windows.reshape(len(flat), -1).T @ flat
        self.gradients["kernel"] = kernel.reshape(self.parameters["kernel"].shape)
        if self.spec.bias:
            self.gradients["bias"] = flat.sum(axis=0)
        return self.fold((flat @ self.flat_kernel.T).reshape(self.windows.shape))


class MaxPool2D(Windows):
    pad_value = -np.inf

    def window(self):
        return self.spec.pool_size

    def forward(self, x, training):
        windows = self.unfold(x)
        winners = windows.argmax(axis=3)[:, :, :, None]  # of tied maxima, the first
        self.won = np.arange(windows.shape[3])[:, None] == winners
        return windows.max(axis=3)

    def backward(self, dy):
        return self.fold(dy[:, :, :, None] * self.won)


class Embedding(Layer):
    def forward(self, x, training):
        self.tokens = x
        return self.parameters["table"][x]

    def backward(self, dy):
        self.gradients["table"] = np.zeros_like(self.parameters["table"])
        np.add.at(self.gradients["table"], self.tokens, dy)
        return  # tokens have no gradient


class LSTM(Layer):
    def forward(self, x, training):
        units = self.spec.units
        weights = self.parameters
        rows, steps = x.shape[:2]
        h = c = np.zeros((rows, units), x.dtype)
        self.x, self.steps, outputs = x, [], []
        for t in range(steps):
            z = x[:, t] @ weights["kernel"] + h @ weights["recurrent_kernel"]
            if self.spec.bias:
                z = z + weights["bias"]
            gates = dict(zip(self.spec.gate_order, np.split(z, 4, axis=-1)))
            i, f, o = sigmoid(gates["i"]), sigmoid(gates["f"]), sigmoid(gates["o"])
            g = np.tanh(gates["g"])
            previous_h, previous_c = h, c
            c = f * c + i * g
            h = o * np.tanh(c)
            self.steps.append((i, f, g, o, c, previous_c, previous_h))
            outputs.append(h)
        return h if self.spec.output == "last" else np.stack(outputs, axis=1)

    def backward(self, dy):
        weights = self.parameters
        if self.spec.output == "last":
            last, dy = dy, np.zeros((*self.x.shape[:2], self.spec.units), dy.dtype)
            dy[:, -1] = last
        self.gradients = {name: np.zeros_like(value) for name, value in weights.items()}
        dx = np.zeros_like(self.x)
        dh = dc = np.zeros_like(dy[:, 0])
        for t in reversed(range(len(self.steps))):
            i, f, g, o, c, previous_c, previous_h = self.steps[t]
            dh = dh + dy[:, t]
            tanh_c = np.tanh(c)
            dc = dc + dh * o * (1 - tanh_c * tanh_c)
            by_gate = {
                "i": dc * g * i * (1 - i),
                "f": dc * previous_c * f * (1 - f),
                "g": dc * i * (1 - g * g),
                "o": dh * tanh_c * o * (1 - o),
            }
            dz = np.concatenate([by_gate[gate] for gate in self.spec.gate_order], axis=-1)
            self.gradients["kernel"] += self.x[:, t].T @ dz
            self.gradients["recurrent_kernel"] += previous_h.T @ dz
            if self.spec.bias:
                self.gradients["bias"] += dz.sum(axis=0)
            dx[:, t] = dz @ weights["kernel"].T
            dh, dc = dz @ weights["recurrent_kernel"].T, dc * f
        return dx


# Each loss returns (mean over the rows, its gradient by the outputs).


def categorical_cross_entropy(loss, outputs, targets):
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(outputs))
    gradient = np.exp(log_p)
    gradient[rows, targets] -= 1
    return -log_p[rows, targets].mean(), gradient / len(outputs)


def over_outputs(loss, values, gradient):
    """Reduce (rows, outputs) losses: mean or sum over the outputs, then the mean over the rows."""
    count = values.size if loss.over_outputs == "mean" else len(values)
    return values.sum() / count, gradient / count


def binary_cross_entropy(loss, outputs, targets):
    values = np.maximum(outputs, 0) - outputs * targets + np.log1p(np.exp(-np.abs(outputs)))
    return over_outputs(loss, values, sigmoid(outputs) - targets)


def mean_squared_error(loss, outputs, targets):
    return over_outputs(loss, (outputs - targets) ** 2, 2 * (outputs - targets))


LOSSES = {
    "categorical_cross_entropy": categorical_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
}


# Each optimiser is one step of one tensor w, in place; ``state`` is that tensor's own.


def sgd(optimiser, w, d, rate, state):
    m = optimiser.momentum
    v = state.setdefault("v", np.zeros_like(w))
    if optimiser.velocity == "step":
        v[...] = m * v - rate * d
        w += m * v - rate * d if optimiser.nesterov else v
    else:
        v[...] = m * v + d
        w -= rate * (d + m * v if optimiser.nesterov else v)


def adam(optimiser, w, d, rate, state):
    m, v = state.setdefault("m", np.zeros_like(w)), state.setdefault("v", np.zeros_like(w))
    state["t"] = t = state.get("t", 0) + 1
    m += (1 - optimiser.beta_1) * (d - m)
    v += (1 - optimiser.beta_2) * (d * d - v)
    root = (1 - optimiser.beta_2**t) ** 0.5
    if optimiser.epsilon_form == "corrected":
        w -= rate * m / (1 - optimiser.beta_1**t) / (np.sqrt(v) / root + optimiser.epsilon)
    else:
        w -= rate * root / (1 - optimiser.beta_1**t) * m / (np.sqrt(v) + optimiser.epsilon)


OPTIMISERS = {"sgd": sgd, "adam": adam}


class NumpyWorker(Worker):
    layers = {
        "dense": Dense,
        "activation": Activation,
        "flatten": Flatten,
        "dropout": Dropout,
        "conv2d": Conv2D,
        "maxpool2d": MaxPool2D,
        "embedding": Embedding,
        "lstm": LSTM,
    }

    def versions(self):
        return {"numpy": np.__version__}

    def open_device(self, device, threads):
        """Nothing to choose: the CPU is the only device, and the environment pins the BLAS's threads."""

    def build(self, job, weights):
        self.recipe = job.recipe
        self.dtype = np.dtype(job.precision)
        rng = np.random.RandomState(job.seed)
        self.weights = {name: np.array(value, self.dtype) for name, value in weights.items()}
        self.model = [
            (item.name, self.layers[item.layer.kind](item, layer_weights(self.weights, item.name), rng))
            for item in job.model.layers
        ]
        self.state: Dict[str, Dict[str, Any]] = {name: {} for name in self.weights}

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        return [a.astype(self.dtype) if a.dtype.kind == "f" else a for a in (x, targets)]

    def forward(self, x, training):
        for _, layer in self.model:
            x = layer.forward(x, training)
        return x

    def gradients(self, x, targets):
        """Return the loss of a batch and {LAYER/TENSOR: its gradient}."""
        loss, d = LOSSES[self.recipe.loss.kind](self.recipe.loss, self.forward(x, True), targets)
        gradients = {}
        for name, layer in reversed(self.model):
            d = layer.backward(d)
            gradients.update({name + "/" + tensor: value for tensor, value in layer.gradients.items()})
        return loss, gradients

    def disturb(self, gradients):
        """The place where the gate's reference adds noise; no change here."""

    def update(self, gradients, rate):
        optimiser = self.recipe.optimiser
        self.disturb(list(gradients.values()))
        if self.recipe.clip_norm is not None:
            norm = float(sum((d * d).sum() for d in gradients.values())) ** 0.5
            scale = min(1.0, self.recipe.clip_norm / norm) if norm > 0 else 1.0
            gradients = {name: d * scale for name, d in gradients.items()}
        for name, d in gradients.items():
            w = self.weights[name]
            if decayed(optimiser, name):
                d = d + optimiser.weight_decay * w
            OPTIMISERS[optimiser.kind](optimiser, w, d, rate, self.state[name])

    def train_epoch(self, handle, rates):
        x, targets = handle
        size = self.recipe.batch_size
        total = 0.0
        for step, rate in enumerate(rates.tolist()):
            batch = slice(step * size, (step + 1) * size)
            loss, gradients = self.gradients(x[batch], targets[batch])
            self.update(gradients, rate)
            total += float(loss) * len(x[batch])
        return total / len(x)

    def predict(self, handle):
        x, _ = handle
        size = self.recipe.evaluation_batch_size
        return np.concatenate([self.forward(x[i : i + size], False) for i in range(0, len(x), size)])

    def parameters(self):
        return {name: value.copy() for name, value in self.weights.items()}


WORKER = NumpyWorker
