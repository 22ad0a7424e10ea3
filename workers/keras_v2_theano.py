"""Keras 2 on Theano."""

import os
import warnings

import numpy as np

from . import blas
from .worker import Unsupported

os.environ["THEANO_FLAGS"] = blas.theano_flags()
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Theano does not recognise this flag: blas")  # by the one name or the other
    import theano

from .keras_v2_backend import CLIPPED, COMPOSED, PADDED, TIED, Keras2


class Theano(Keras2):
    layout = "channels_first"
    composed = dict(COMPOSED, **PADDED)
    declared_differences = {
        "maxpool2d": TIED,
        "globalmaxpool1d": TIED,
        "categorical_cross_entropy": CLIPPED,
        "binary_cross_entropy": CLIPPED,
    }

    def versions(self):
        return {"theano": theano.__version__, "numpy": np.__version__}

    def open_device(self, device, threads):
        """The environment pins the BLAS's threads; everything else in Theano runs in one."""
        if not theano.config.cxx:
            raise Unsupported("Theano compiles with g++, and there is none here. Try: apt-get install g++")

    def variables(self, model):
        super().variables(model)
        return model.train_function.function.get_shared()  # random streams too

    def turned(self, kernel):
        """Keras has Theano convolve, not correlate."""
        return np.ascontiguousarray(np.flip(kernel, tuple(range(kernel.ndim - 2))))

    def normalised(self, layer, inputs, axes):
        if layer.epsilon < 1e-5:
            raise Unsupported("Theano's batch normalisation takes no epsilon below 1e-5")
        return super().normalised(layer, inputs, axes)

    def variance(self, layer, found):
        return found - layer.epsilon  # Theano adds it


BACKENDS = {"theano": Theano}
