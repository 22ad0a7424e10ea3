"""The backend of Keras that the mode names: what Keras leaves to it, devices, threads, staging and versions.

Keras chooses its backend once, when it is imported; so this module imports it.
"""

import os
from typing import Any, Dict, NamedTuple

os.environ["KERAS_BACKEND"] = os.environ.get("BENCH_MODE") or "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from .worker import Unsupported

__all__ = ["BACKEND", "keras"]


class Rows(NamedTuple):
    """Staged rows: the inputs, and the arguments with which ``fit`` and ``predict`` read them in batches."""

    x: Any
    fit: Dict[str, Any]
    predict: Dict[str, Any]


def rows_of(x, targets, recipe):
    """Return rows that Keras cuts into batches by itself."""
    fit = {"x": x, "y": targets, "batch_size": recipe.batch_size}
    return Rows(x, fit, {"x": x, "batch_size": recipe.evaluation_batch_size})


class TensorFlow:
    """Batches come out of a tf.data pipeline on the host."""

    layout = "channels_last"
    repeats_edges = False  # where pooling pads one side more than the other

    def versions(self):
        import tensorflow as tf

        built = tf.sysconfig.get_build_info()
        return {
            "tensorflow": tf.__version__,
            "cuda": built.get("cuda_version"),
            "cudnn": built.get("cudnn_version"),
        }

    def open_device(self, device, threads):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.experimental.enable_tensor_float_32_execution(False)  # float32 is float32
        gpus = tf.config.list_physical_devices("GPU")
        if device == "gpu" and not gpus:
            raise Unsupported("tensorflow {} finds no GPU and driver that it can use".format(tf.__version__))
        tf.config.set_visible_devices(gpus[:1] if device == "gpu" else [], "GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        self.gpu = device == "gpu"

    def stage(self, x, targets, recipe):
        """Pipelines made beforehand: with arrays, each ``fit`` and ``predict`` traces one (40 ms of CPU time) anew."""
        import tensorflow as tf

        with tf.device("CPU:0"):
            x, targets = tf.constant(x), tf.constant(targets)

        def pipeline(size, cut):
            return tf.data.Dataset.range(0, len(x), size).map(cut).prefetch(tf.data.AUTOTUNE)

        size, wide = recipe.batch_size, recipe.evaluation_batch_size
        training = pipeline(size, lambda i: (x[i : i + size], targets[i : i + size]))
        return Rows(x, {"x": training}, {"x": pipeline(wide, lambda i: x[i : i + wide])})

    def dense(self, gradient):
        """An embedding's lists a row once per token: its squares would be those of the parts, not of their sum."""
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)

    def store_state(self, model):
        """Nothing: the variables are always up to date."""

    def synchronize(self, variables):
        import tensorflow as tf

        if self.gpu:
            tf.test.experimental.sync_devices()


class Torch:
    """Rows lie on the device; a DataLoader cuts batches from them."""

    layout = "channels_first"  # PyTorch's own; Keras would transpose around every convolution
    repeats_edges = True

    def versions(self):
        import torch

        return {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}

    def open_device(self, device, threads):
        import torch

        torch.set_num_threads(threads)
        if torch.get_num_interop_threads() != 1:  # may be set once per process; a plain loop uses none of them
            torch.set_num_interop_threads(1)
        if device == "gpu" and not torch.cuda.is_available():
            raise Unsupported("torch {} finds no GPU and driver that it can use".format(torch.__version__))
        torch.backends.cudnn.allow_tf32 = False  # float32 is float32
        torch.backends.cuda.matmul.allow_tf32 = False
        self.device = "cuda" if device == "gpu" else "cpu"

    def stage(self, x, targets, recipe):
        import torch

        return rows_of(torch.tensor(x, device=self.device), torch.tensor(targets, device=self.device), recipe)

    def dense(self, gradient):
        return gradient

    def store_state(self, model):
        """Nothing: the variables are always up to date."""

    def synchronize(self, variables):
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()


class Jax:
    """Batches are slices of NumPy arrays: Keras turns JAX arrays back into those, since they are slow to slice."""

    layout = "channels_last"
    repeats_edges = False

    def versions(self):
        import jax
        import jaxlib

        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}

    def open_device(self, device, threads):
        import jax

        jax.config.update("jax_platforms", "cuda" if device == "gpu" else "cpu")
        jax.config.update("jax_default_matmul_precision", "highest")  # float32 is float32
        try:
            jax.devices()
        except RuntimeError as error:
            raise Unsupported("jax {} finds no GPU and driver that it can use".format(jax.__version__)) from error

    def stage(self, x, targets, recipe):
        return rows_of(np.ascontiguousarray(x), np.ascontiguousarray(targets), recipe)

    def dense(self, gradient):
        return gradient

    def store_state(self, model):
        """Write back into the variables what ``fit`` carries from step to step without them."""
        model.jax_state_sync()

    def synchronize(self, variables):
        import jax

        jax.block_until_ready([variable.value for variable in variables])


BACKEND: Any = {"tensorflow": TensorFlow, "torch": Torch, "jax": Jax}[keras.backend.backend()]()
keras.config.set_image_data_format(BACKEND.layout)
