"""Keras 2 on TensorFlow 2.2."""

import tensorflow as tf

from .keras_v2_backend import Keras2, keras

K = keras.backend


class TensorFlow(Keras2):
    layout = "channels_last"
    declared_differences = {
        "globalmaxpool1d": "tied maxima share the gradient; in the reference the first of them has it all",
    }

    def versions(self):
        return {"tensorflow": tf.__version__}

    def open_device(self, device, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.set_visible_devices([], "GPU")

    def pads_right(self, kind, window, around):
        return True

    def dense(self, gradient):
        """An embedding's lists a row once per token: its squares would be those of the parts, not of their sum."""
        return tf.convert_to_tensor(gradient)

    def counted_last(self, updates, iterations):
        """Adam reads the count, and nothing else would keep TensorFlow from raising it before that."""
        with tf.control_dependencies(updates[1:]):
            return [*updates[1:], K.update_add(iterations, 1)]


BACKENDS = {"tensorflow": TensorFlow}
