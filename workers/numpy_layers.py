"""The layers of the spec in plain NumPy, forward and backward; those of windows are numpy_windows.

A layer is a class with ``forward`` and ``backward``; ``backward`` takes the gradient of the loss by its output,
fills ``gradients`` and returns the one by its input. Arrays are channels-last, rows first.
"""

from typing import Any, Dict

import numpy as np


class Layer:
    state: Any = None  # of a stateful LSTM, (h, c) after the last batch

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
        flat = dy.reshape(-1, dy.shape[-1])
        self.gradients["kernel"] = self.x.reshape(len(flat), -1).T @ flat
        if self.spec.bias:
            self.gradients["bias"] = flat.sum(axis=0)
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
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda dy, y: dy * np.where(y > 0, 1, y + 1)),
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


class Reshape(Flatten):
    def forward(self, x, training):
        return super().forward(x, training).reshape([len(x), *self.spec.shape])


class Dropout(Layer):
    def forward(self, x, training):
        self.mask = np.ones_like(x)
        if training and self.spec.rate > 0:
            keep = 1 - self.spec.rate
            self.mask = ((self.rng.uniform(size=x.shape) < keep) / keep).astype(x.dtype)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class MaxPool(Layer):
    def winners(self, x, axis):
        return x.argmax(axis)  # of tied maxima, the first


class GlobalMaxPool1D(MaxPool):
    def forward(self, x, training):
        self.won = np.arange(x.shape[1])[:, None] == self.winners(x, 1)[:, None]
        return x.max(axis=1)

    def backward(self, dy):
        return dy[:, None] * self.won


class BatchNorm(Layer):
    def forward(self, x, training):
        p, axes = self.parameters, tuple(range(x.ndim - 1))
        mean, variance = p["running_mean"], p["running_variance"]
        if training:
            mean, variance = x.mean(axis=axes), x.var(axis=axes)
            count = x.size // x.shape[-1]
            unbiased = variance * count / max(count - 1, 1)
            for role, value in (("running_mean", mean), ("running_variance", unbiased)):
                p[role] += (1 - self.spec.momentum) * (value - p[role])
        self.scale = 1 / np.sqrt(variance + self.spec.epsilon)
        self.normal = (x - mean) * self.scale
        return p["gamma"] * self.normal + p["beta"]

    def backward(self, dy):
        axes = tuple(range(dy.ndim - 1))
        self.gradients = {"gamma": (dy * self.normal).sum(axis=axes), "beta": dy.sum(axis=axes)}
        d = dy * self.parameters["gamma"]
        return self.scale * (d - d.mean(axis=axes) - self.normal * (d * self.normal).mean(axis=axes))


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
        if self.state is not None:
            h, c = [kept[:rows] for kept in self.state]
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
        if self.spec.stateful:
            self.state = h, c
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
