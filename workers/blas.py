"""The OpenBLAS that NumPy's wheel has loaded, for frameworks that compile their own calls of it."""

import os
from glob import glob

import numpy as np


def theano_flags():
    """Return THEANO_FLAGS with what the environment's leave open: the last setting of a flag holds.

    Without BLAS flags (their name has a dot before Theano-PyMC) Theano calls BLAS through NumPy's C API (seen: an MLP
    a third slower), so they name that OpenBLAS.
    """
    return ",".join(
        ["floatX=float32"]
        + [
            "{}=-L{} -l{}".format(flag, os.path.dirname(path), os.path.basename(path)[len("lib") : -len(".so")])
            for folder in (".libs", "/.libs")  # beside NumPy; inside it before NumPy 1.18
            for path in glob(np.__path__[0] + folder + "/libopenblas*.so")
            for flag in ("blas__ldflags", "blas.ldflags")
        ]
        + [os.environ.get("THEANO_FLAGS", "")]
    )
