"""TensorFlow: plain TensorFlow operations, one compiled tf.function that loops over an epoch's batches by itself.

Mode ``eager``: the same step, run operation by operation in a Python loop. Mode ``xla``: the same loop in TensorFlow's
graph calls a step, and a forward pass, that XLA compiled for each size of batch.
"""

import gc
import os
from typing import Any, Dict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from . import tf_layers as layers
from .tf_layers import Model, mean_loss
from .tf_optimisers import OPTIMISERS, make_slots, step_numbers
from .worker import Unsupported, Worker, batch_sizes, checked_mode, decayed

MODES = (None, "eager", "xla")


class TfWorker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": layers.reshape,
        "reshape": layers.reshape,
        "dropout": layers.dropout,
        "conv2d": layers.conv2d,
        "conv1d": layers.conv1d,
        "maxpool2d": layers.maxpool2d,
        "averagepool2d": layers.averagepool2d,
        "globalmaxpool1d": layers.globalmaxpool1d,
        "batchnorm": layers.batchnorm,
        "embedding": layers.embedding,
        "lstm": layers.lstm,
    }
    composed = {
        "lstm": "without bias: BlockLSTM with a constant bias of zero; stateful: its last state kept in variables",
        "sgd": "weight decay: added to the gradient before the native update",
        "adam": "weight decay as for sgd; epsilon_form 'corrected': ResourceApplyAdam, epsilon * sqrt(1 - beta_2^t)",
        "adadelta": "weight decay as for sgd",
        "rmsprop": "weight decay as for sgd; epsilon_form 'outside': ResourceApplyAdam with beta_1 = 0, uncorrected",
    }
    declared_differences = {
        "globalmaxpool1d": "tied maxima share the gradient; in the reference the first of them has it all",
    }
    composed_in_mode = {"xla": {"lstm": "tf.while_loop over the steps, the input's projection outside of it"}}
    train: Any = None  # what the last build compiled
    score: Any = None
    run_step: Any = None
    run_forward: Any = None

    def versions(self):
        built: Dict[str, Any] = getattr(tf.sysconfig, "get_build_info", dict)()  # from 2.3
        found = {"tensorflow": tf.__version__, "cuda": built.get("cuda_version"), "cudnn": built.get("cudnn_version")}
        return {name: str(version) for name, version in found.items() if version}

    def open_device(self, device, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        if hasattr(
            tf.config.experimental, "enable_tensor_float_32_execution"
        ):  # from 2.4; before it, nothing used TF32
            tf.config.experimental.enable_tensor_float_32_execution(False)  # float32 is float32
        gpus = tf.config.list_physical_devices("GPU")
        if device == "gpu" and not gpus:
            raise Unsupported("tensorflow {} finds no GPU and driver that it can use".format(tf.__version__))
        tf.config.set_visible_devices(gpus[:1] if device == "gpu" else [], "GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        self.device = "GPU:0" if device == "gpu" else "CPU:0"

    def build(self, job, weights):
        if job.precision != "float32":
            raise Unsupported("the tf worker computes in float32 only")
        self.mode = checked_mode(job, MODES)
        self.composed = dict(TfWorker.composed, **self.composed_in_mode.get(self.mode or "", {}))
        if not hasattr(tf.nn, "experimental"):
            self.composed["dropout"] = "TensorFlow 2.2: tf.where on numbers of a tf.random.Generator"
        self.model: Any = None
        self.slots: Dict[str, Any] = {}
        self.train = self.score = self.run_step = self.run_forward = None
        gc.collect()  # an earlier build's graphs refer to themselves, and so keep its variables
        self.recipe = job.recipe
        self.output_shape = job.model.layers[-1].output_shape
        functions = dict(self.layers, lstm=layers.composed_lstm if self.mode == "xla" else layers.lstm)
        rows = max(job.recipe.batch_size, job.recipe.evaluation_batch_size)
        self.model = Model(functions, job.model.layers, weights, rows)
        self.slots = {name: make_slots(job.recipe.optimiser, w) for name, w in self.model.trained.items()}
        self.done = tf.Variable(0)
        self.random = tf.random.Generator.from_seed(job.seed)

        self.run_step, self.run_forward = self.step, self.predict_batch
        if self.mode != "eager":
            self.compile(job)

    def compile(self, job):
        if self.mode == "xla":
            self.run_step, self.run_forward = (tf.function(f, jit_compile=True) for f in (self.step, self.run_forward))
        (source,) = job.inputs
        classes = self.recipe.loss.kind == "categorical_cross_entropy"
        x = tf.TensorSpec([None, *source.shape], tf.int64 if source.dtype == "int32" else tf.float32)
        shape = self.output_shape[:-1] if classes else self.output_shape
        targets = tf.TensorSpec([None, *shape], tf.int64 if classes else tf.float32)
        rates = tf.TensorSpec([None], tf.float64)
        self.train = tf.function(self.epoch).get_concrete_function(x, targets, rates)
        self.score = tf.function(self.outputs).get_concrete_function(x)
        # TensorFlow compiles what it traced at its first run, which no rows are enough for; XLA each size of batch.
        sizes = batch_sizes(job) if self.mode == "xla" else ([], [])
        slots = [slot for slots in self.slots.values() for slot in slots]
        state = [*self.model.variables.values(), *self.model.states.values(), *slots, self.done, self.random.state]
        kept = [tf.identity(variable) for variable in state]
        with tf.device(self.device):
            for size in [0, *sizes[0]]:
                rows = tf.zeros([size, *source.shape], x.dtype)
                self.train(rows, tf.zeros([size, *shape], targets.dtype), tf.zeros([min(size, 1)], tf.float64))
            for size in [0, *sizes[1]]:
                self.score(tf.zeros([size, *source.shape], x.dtype))
        for variable, value in zip(state, kept):
            variable.assign(value)

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        with tf.device(self.device):  # int64, since TensorFlow keeps int32 in the host's memory
            return [tf.constant(a, tf.float32 if a.dtype.kind == "f" else tf.int64) for a in (x, targets)]

    def predict_batch(self, x):
        return self.model.forward(x, None)

    def step(self, x, targets, numbers):
        """Train on one batch and return its loss."""
        recipe, optimiser, trained = self.recipe, self.recipe.optimiser, self.model.trained
        with tf.GradientTape() as tape:
            loss = mean_loss(recipe.loss, self.model.forward(x, self.random), targets)
        gradients = tape.gradient(loss, list(trained.values()))
        gradients = [tf.convert_to_tensor(d) for d in gradients]  # an embedding's is sparse
        if recipe.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm)
        for (name, w), d in zip(trained.items(), gradients):
            if optimiser.weight_decay > 0 and decayed(optimiser, name):
                d = d + optimiser.weight_decay * w
            OPTIMISERS[optimiser.kind](optimiser, w, d, self.slots[name], *numbers)
        return loss

    def epoch(self, x, targets, rates):
        numbers = step_numbers(self.recipe.optimiser, rates, self.done)
        self.done.assign_add(tf.size(rates))
        size, steps, count = self.recipe.batch_size, tf.size(rates), numbers.shape[1]
        total, loss = tf.constant(0.0, tf.float64), tf.constant(0.0)
        for step in tf.range(steps):  # every operation counts: a step of a small model takes half a millisecond
            start = step * size
            end = start + size
            own = [numbers[step, 0]] if count == 1 else tf.unstack(numbers[step])
            loss = self.run_step(x[start:end], targets[start:end], own)
            total += tf.cast(loss, tf.float64)
        rows, whole, last = (tf.cast(a, tf.float64) for a in (tf.shape(x)[0], (steps - 1) * size, loss))
        return ((total - last) * size + last * (rows - whole)) / rows

    def outputs(self, x):
        size = self.recipe.evaluation_batch_size
        count = -(-tf.shape(x)[0] // size)
        shape = [None, *self.output_shape]
        parts = tf.TensorArray(tf.float32, count, element_shape=shape, infer_shape=False)
        for i in tf.range(count):
            parts = parts.write(i, self.run_forward(x[i * size : (i + 1) * size]))
        return parts.concat()

    def train_epoch(self, handle, rates):
        if self.mode == "eager":
            return self.train_eagerly(handle, rates)
        return float(self.train(*handle, tf.constant(rates)))

    def train_eagerly(self, handle, rates):
        x, targets = handle
        numbers = step_numbers(self.recipe.optimiser, tf.constant(rates), self.done).numpy().tolist()
        self.done.assign_add(len(rates))
        size, losses = self.recipe.batch_size, []  # summed after the loop, in which every operation takes Python's time
        for start, own in zip(range(0, len(x), size), numbers):
            end = start + size
            losses.append(self.step(x[start:end], targets[start:end], own))
        *whole, last = tf.cast(tf.stack(losses), tf.float64).numpy().tolist()
        return (sum(whole) * size + last * (len(x) - len(whole) * size)) / len(x)

    def predict(self, handle):
        self.reset_unless_carried()
        if self.mode == "eager":
            size = self.recipe.evaluation_batch_size
            batches = [handle[0][start : start + size] for start in range(0, len(handle[0]), size)]
            outputs = tf.concat([self.predict_batch(batch) for batch in batches], axis=0).numpy()
        else:
            outputs = self.score(handle[0]).numpy()
        self.reset_unless_carried()
        return outputs

    def reset_states(self):
        self.model.reset_states()

    def parameters(self):
        return self.model.parameters()

    def synchronize(self):
        if self.device == "GPU:0":
            tf.test.experimental.sync_devices()


WORKER = TfWorker
