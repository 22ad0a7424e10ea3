"""The reference with its near kinks decided the other way: what rounding may turn over in right code.

A kink is where a gradient jumps: a ReLU at zero, the winner of a pooling. Of a million of them a few lie nearer than
float32 can tell, and on which side those fall is luck: a single one moves a kernel's gradient by some 1e-3.
"""

import numpy as np

from .numpy_layers import Activation, GlobalMaxPool1D, MaxPool
from .numpy_windows import MaxPool2D
from .numpy_worker import NumpyWorker

REACH = 5e-6  # of the RMS of what goes in; float32's rounding moves that by about 5e-7


def near(distance, x):
    """Return where an input is within reach of a kink; an exact tie is not: all decide it alike."""
    finite = x[np.isfinite(x)]  # the padding of a pooling is not
    return (distance > 0) & (distance < REACH * (finite * finite).mean() ** 0.5)


class OtherActivation(Activation):
    def forward(self, x, training):
        self.turned = near(np.abs(x), x)
        return super().forward(x, training)

    def backward(self, dy):
        if self.spec.function != "relu":
            return super().backward(dy)
        return dy * ((self.y > 0) ^ self.turned)


class RunnerUp(MaxPool):
    """Of a pooling: the second has the gradient where the first is hardly larger."""

    def winners(self, x, axis):
        first = super().winners(x, axis)
        rest = x.copy()
        np.put_along_axis(rest, np.expand_dims(first, axis), -np.inf, axis)
        return np.where(near(x.max(axis) - rest.max(axis), x), rest.argmax(axis), first)


class OtherMaxPool2D(RunnerUp, MaxPool2D):
    pass


class OtherGlobalMaxPool1D(RunnerUp, GlobalMaxPool1D):
    pass


OTHERS = {"activation": OtherActivation, "maxpool2d": OtherMaxPool2D, "globalmaxpool1d": OtherGlobalMaxPool1D}


class OtherSideWorker(NumpyWorker):
    layers = {**NumpyWorker.layers, **OTHERS}


def has_kinks(job):
    layers = [item.layer for item in job.model.layers]
    return any(layer.kind in OTHERS and getattr(layer, "function", "relu") == "relu" for layer in layers)
