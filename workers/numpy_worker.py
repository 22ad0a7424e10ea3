"""The reference: losses, optimisers and the training loop of the spec in plain NumPy; its layers are numpy_layers
and numpy_windows.

Written to be read, not to be fast. In float64 it is what the parity gate holds every framework to; in
float32 it is a framework of its own.
"""

from typing import Any, Dict

import numpy as np

from . import numpy_layers as layers
from . import numpy_windows as windows
from .numpy_layers import sigmoid
from .worker import Worker, decayed, layer_weights

# Each loss returns (mean over the rows, its gradient by the outputs).


def categorical_cross_entropy(loss, outputs, targets):
    flat, classes = outputs.reshape(-1, outputs.shape[-1]), targets.ravel()
    shifted = flat - flat.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(flat))
    gradient = np.exp(log_p)
    gradient[rows, classes] -= 1
    count = len(flat) if loss.over_steps == "mean" else len(outputs)
    return -log_p[rows, classes].sum() / count, gradient.reshape(outputs.shape) / count


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


def adadelta(optimiser, w, d, rate, state):
    squares, steps = state.setdefault("squares", np.zeros_like(w)), state.setdefault("steps", np.zeros_like(w))
    rho, epsilon = optimiser.rho, optimiser.epsilon
    squares += (1 - rho) * (d * d - squares)
    step = d * np.sqrt(steps + epsilon) / np.sqrt(squares + epsilon)
    steps += (1 - rho) * (step * step - steps)
    w -= rate * step


def rmsprop(optimiser, w, d, rate, state):
    v = state.setdefault("v", np.zeros_like(w))
    v += (1 - optimiser.rho) * (d * d - v)
    if optimiser.epsilon_form == "outside":
        w -= rate * d / (np.sqrt(v) + optimiser.epsilon)
    else:
        w -= rate * d / np.sqrt(v + optimiser.epsilon)


OPTIMISERS = {"sgd": sgd, "adam": adam, "adadelta": adadelta, "rmsprop": rmsprop}


class NumpyWorker(Worker):
    layers = {
        "dense": layers.Dense,
        "activation": layers.Activation,
        "flatten": layers.Flatten,
        "reshape": layers.Reshape,
        "dropout": layers.Dropout,
        "conv2d": windows.Conv2D,
        "conv1d": windows.Conv1D,
        "maxpool2d": windows.MaxPool2D,
        "averagepool2d": windows.AveragePool2D,
        "globalmaxpool1d": layers.GlobalMaxPool1D,
        "batchnorm": layers.BatchNorm,
        "embedding": layers.Embedding,
        "lstm": layers.LSTM,
    }
    can_drop_in_prediction = True

    def versions(self):
        return {"numpy": np.__version__}

    def open_device(self, device, threads):
        """Nothing to choose: the CPU is the only device, and the environment pins the BLAS's threads."""

    def build(self, job, weights):
        self.recipe, self.drops_in_prediction = job.recipe, job.dropout_in_prediction
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
        drops = training or self.drops_in_prediction
        for _, layer in self.model:
            x = layer.forward(x, drops if isinstance(layer, layers.Dropout) else training)
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
        self.reset_unless_carried()
        outputs = np.concatenate([self.forward(x[i : i + size], False) for i in range(0, len(x), size)])
        self.reset_unless_carried()
        return outputs

    def reset_states(self):
        for _, layer in self.model:
            layer.state = None

    def parameters(self):
        return {name: value.copy() for name, value in self.weights.items()}


WORKER = NumpyWorker
