"""MXNet, and before it what its CUDA build links: the libraries of NVIDIA's packages, where no loader looks."""

import ctypes
import importlib.util
import os
from glob import glob

from .worker import Unsupported

os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # float32 is float32


def load(path):
    """Load a library for those that come after it; return whether all that it needs itself was there."""
    try:
        ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def load_cuda():
    """Load NVIDIA's packages, if there are any: again and again, since they need one another."""
    found = importlib.util.find_spec("nvidia")
    folders = (found.submodule_search_locations or []) if found else []
    waiting = [path for folder in folders for path in sorted(glob(os.path.join(folder, "*", "lib", "lib*.so.*")))]
    while waiting:
        left = [path for path in waiting if not load(path)]
        if len(left) == len(waiting):
            return
        waiting = left


load_cuda()
try:
    import mxnet as mx
    from mxnet import autograd, gluon, nd
    from mxnet.gluon import HybridBlock, nn, rnn
except OSError as error:
    raise Unsupported("MXNet's library cannot be loaded here: {}".format(error)) from None

__all__ = ["HybridBlock", "autograd", "gluon", "mx", "nd", "nn", "rnn"]
