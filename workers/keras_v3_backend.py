"""Keras 3's backends, for TensorFlow, PyTorch and JAX: devices, threads, staging, versions; and what of its own API is
another in Keras 2 (keras_v2_backend.py)."""

from typing import Dict

import keras
import numpy as np

from .keras_rows import Rows, rows_of
from .worker import Unsupported

PREFETCHED = 2  # batches of a tf.data pipeline


class Keras3:
    """What the worker asks of Keras itself; ``composed``: beyond what the worker says of every backend."""

    staging = "streamed"
    composed: Dict[str, str] = {}
    declared_differences = {
        "globalmaxpool1d": "tied maxima share the gradient; in the reference the first of them has it all",
    }

    def start(self, seed):
        keras.utils.clear_session()
        self.seed(seed, None)

    def seed(self, seed, model):
        """Dropout layers seed their generators from it, PyTorch's operations a stream of their own."""
        keras.utils.set_random_seed(seed)

    def place(self, device):
        return keras.device(device if device == "cpu" else "gpu:0")  # PyTorch would copy every variable to "cpu:0"

    def sequential(self, shape, dtype, layers):
        return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])

    def variables(self, model):
        """Return all that training changes."""
        model.optimizer.build(model.trainable_weights)
        return [*model.variables, *model.optimizer.variables]

    def get(self, variable):
        return np.array(keras.ops.convert_to_numpy(variable))

    def set(self, variable, value):
        variable.assign(value)

    def turned(self, kernel):
        """Return a convolution's kernel as the backend has it, or what it has as the spec's."""
        return kernel

    def set_rate(self, model, rate):
        model.optimizer.learning_rate = rate


class TensorFlow(Keras3):
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
        """Pipelines made beforehand: with arrays, each ``fit`` and ``predict`` traces one (40 ms of CPU time) anew.

        Without tf.data's tuning: on one CPU the end of an epoch waits for its thread, which sleeps for twice as long
        each time, so that epochs take 0.64, 1.28 or 2.56 s, and nothing between.
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            x, targets = tf.constant(x), tf.constant(targets)

        options = tf.data.Options()
        options.autotune.enabled = False

        def pipeline(size, cut):
            return tf.data.Dataset.range(0, len(x), size).map(cut).prefetch(PREFETCHED).with_options(options)

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


class Torch(Keras3):
    """Rows lie on the device; a DataLoader cuts batches from them."""

    layout = "channels_first"  # PyTorch's own; Keras would transpose around every convolution
    repeats_edges = True
    staging = "resident"
    composed = {
        "reshape": "of or to images: Permute before or behind Reshape",
        "averagepool2d": "same padding with more at one side: ops.pad before the pooling, a division behind it",
    }

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


class Jax(Keras3):
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


BACKENDS = {"tensorflow": TensorFlow, "torch": Torch, "jax": Jax}
