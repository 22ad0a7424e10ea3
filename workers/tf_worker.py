"""TensorFlow: plain TensorFlow operations, one compiled tf.function that loops over an epoch's batches by itself.

Mode ``eager``: the same step, run operation by operation in a Python loop. Mode ``xla``: the same loop in TensorFlow's
graph calls a step, and a forward pass, that XLA compiled for each size of batch.
"""

import gc
import os
from typing import Any, Dict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from .worker import Unsupported, Worker, batch_sizes, checked_mode, decayed, layer_weights, reorder_gates

MODES = (None, "eager", "xla")
GATE_ORDER = "igfo"  # BlockLSTM's own
FUNCTIONS = {
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
    "sigmoid": tf.sigmoid,
    "softmax": tf.nn.softmax,
    "linear": tf.identity,
}

# Each layer maps x to y with its own variables. ``random`` draws dropout masks; it is None in prediction.


def add_bias(y, variables):
    return y + variables["bias"] if "bias" in variables else y  # bias_add: a CNN's step 6% slower


def dropout(item, variables, x, random):
    if random is None or item.layer.rate == 0:
        return x
    return tf.nn.experimental.general_dropout(x, item.layer.rate, uniform_sampler=random.uniform)


def conv2d(item, variables, x, random):
    return add_bias(tf.nn.conv2d(x, variables["kernel"], item.layer.strides, item.layer.padding.upper()), variables)


def maxpool2d(item, variables, x, random):
    return tf.nn.max_pool2d(x, item.layer.pool_size, item.layer.strides, item.layer.padding.upper())


def lstm(item, variables, x, random):
    """TensorFlow's fused kernel, time first. Not BlockLSTMV2: its registered gradient is V1's, for other gates."""
    steps, units = item.input_shape[0], item.layer.units
    start = dict.fromkeys(("cs_prev", "h_prev"), tf.zeros([tf.shape(x)[0], units]))
    peepholes = dict.fromkeys(("wci", "wcf", "wco"), tf.zeros([units]))
    w = tf.concat([variables["kernel"], variables["recurrent_kernel"]], axis=0)
    b = variables.get("bias", tf.zeros([4 * units]))
    options = {"seq_len_max": tf.constant(steps, tf.int64), "forget_bias": 0.0, "cell_clip": -1.0}  # no clipping
    h = tf.raw_ops.BlockLSTM(x=tf.transpose(x, [1, 0, 2]), w=w, b=b, **start, **peepholes, **options).h
    return h[-1] if item.layer.output == "last" else tf.transpose(h, [1, 0, 2])


def composed_lstm(item, variables, x, random):
    """The same for XLA, which has no kernel for BlockLSTM; the input's projection is outside of the loop."""
    steps, units = item.input_shape[0], item.layer.units
    projected = add_bias(tf.matmul(tf.transpose(x, [1, 0, 2]), variables["kernel"]), variables)
    recurrent = tf.convert_to_tensor(variables["recurrent_kernel"])

    def step(t, h, c, outputs):
        i, g, f, o = tf.split(projected[t] + tf.matmul(h, recurrent), 4, axis=1)  # GATE_ORDER
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return t + 1, h, c, outputs.write(t, h)

    zero = tf.zeros_like(projected[0, :, :units])
    start = 0, zero, zero, tf.TensorArray(tf.float32, steps, element_shape=[None, units])
    _, h, _, outputs = tf.while_loop(lambda t, *_: t < steps, step, start, maximum_iterations=steps)
    return h if item.layer.output == "last" else tf.transpose(outputs.stack(), [1, 0, 2])


def mean_loss(loss, outputs, targets):
    if loss.kind == "categorical_cross_entropy":
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=outputs))
    if loss.kind == "binary_cross_entropy":
        values = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=outputs)
    else:
        values = tf.math.squared_difference(outputs, targets)
    return tf.reduce_mean(values if loss.over_outputs == "mean" else tf.reduce_sum(values, axis=1))


# Each optimiser is one step of one variable w, in place; ``slots`` are that variable's own.


def sgd(optimiser, w, d, slots, rate):
    if not slots:
        tf.raw_ops.ResourceApplyGradientDescent(var=w.handle, alpha=rate, delta=d)
        return
    step = optimiser.velocity == "step"
    apply = tf.raw_ops.ResourceApplyKerasMomentum if step else tf.raw_ops.ResourceApplyMomentum
    m, nesterov = optimiser.momentum, optimiser.nesterov
    apply(var=w.handle, accum=slots[0].handle, lr=rate, grad=d, momentum=m, use_nesterov=nesterov)


def adam(optimiser, w, d, slots, rate, beta_1_power, beta_2_power, epsilon):
    m, v = slots
    powers = {"beta1_power": beta_1_power, "beta2_power": beta_2_power}
    numbers = {"lr": rate, "beta1": optimiser.beta_1, "beta2": optimiser.beta_2, "epsilon": epsilon, **powers}
    tf.raw_ops.ResourceApplyAdam(var=w.handle, m=m.handle, v=v.handle, grad=d, **numbers)


OPTIMISERS: Dict[str, Any] = {"sgd": sgd, "adam": adam}


def make_slots(optimiser, w):
    count = 2 if optimiser.kind == "adam" else 1 if optimiser.momentum > 0 else 0
    return [tf.Variable(tf.zeros_like(w)) for _ in range(count)]


def step_numbers(optimiser, rates, done):
    """Return (steps, n) float32: what the update of each step takes, in the order of its last arguments."""
    if optimiser.kind == "sgd":
        return tf.cast(rates[:, None], tf.float32)
    t = tf.cast(done + tf.range(1, tf.size(rates) + 1), tf.float64)
    beta_1_power, beta_2_power = optimiser.beta_1**t, optimiser.beta_2**t
    epsilon = tf.fill(tf.shape(rates), tf.constant(optimiser.epsilon, tf.float64))
    if optimiser.epsilon_form == "corrected":
        epsilon *= tf.sqrt(1 - beta_2_power)
    return tf.cast(tf.stack([rates, beta_1_power, beta_2_power, epsilon], axis=1), tf.float32)


class TfWorker(Worker):
    layers = {
        "dense": lambda item, variables, x, random: add_bias(tf.matmul(x, variables["kernel"]), variables),
        "activation": lambda item, variables, x, random: FUNCTIONS[item.layer.function](x),
        "flatten": lambda item, variables, x, random: tf.reshape(x, [-1, *item.output_shape]),
        "dropout": dropout,
        "conv2d": conv2d,
        "maxpool2d": maxpool2d,
        "embedding": lambda item, variables, x, random: tf.gather(variables["table"], x),
        "lstm": lstm,
    }
    composed = {
        "lstm": "without bias: BlockLSTM with a constant bias of zero",
        "sgd": "weight decay: added to the gradient before the native update",
        "adam": "weight decay as for sgd; epsilon_form 'corrected': ResourceApplyAdam, epsilon * sqrt(1 - beta_2^t)",
    }
    composed_in_mode = {"xla": {"lstm": "tf.while_loop over the steps, the input's projection outside of it"}}
    train: Any = None  # what the last build compiled
    score: Any = None
    run_step: Any = None
    run_forward: Any = None

    def versions(self):
        built = tf.sysconfig.get_build_info()
        found = {"tensorflow": tf.__version__, "cuda": built.get("cuda_version"), "cudnn": built.get("cudnn_version")}
        return {name: str(version) for name, version in found.items() if version}

    def open_device(self, device, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
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
        self.builders = dict(self.layers, lstm=composed_lstm if self.mode == "xla" else lstm)
        self.variables: Dict[str, Any] = {}
        self.slots: Dict[str, Any] = {}
        self.train = self.score = self.run_step = self.run_forward = None
        gc.collect()  # an earlier build's graphs refer to themselves, and so keep its variables
        self.recipe = job.recipe
        self.model = job.model.layers
        self.orders = {i.name: i.layer.gate_order for i in self.model if i.layer.kind == "lstm"}
        for name, value in weights.items():
            order = self.orders.get(name.split("/")[0])
            self.variables[name] = tf.Variable(reorder_gates(value, order, GATE_ORDER) if order else value)
        self.slots = {name: make_slots(self.recipe.optimiser, w) for name, w in self.variables.items()}
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
        targets = tf.TensorSpec([None], tf.int64) if classes else tf.TensorSpec([None, None])
        rates = tf.TensorSpec([None], tf.float64)
        self.train = tf.function(self.epoch).get_concrete_function(x, targets, rates)
        self.score = tf.function(self.outputs).get_concrete_function(x)
        # TensorFlow compiles what it traced at its first run, which no rows are enough for; XLA each size of batch.
        sizes = batch_sizes(job) if self.mode == "xla" else ([], [])
        state = [
            *self.variables.values(),
            *(slot for slots in self.slots.values() for slot in slots),
            self.done,
            self.random.state,
        ]
        kept = [tf.identity(variable) for variable in state]
        with tf.device(self.device):
            for size in [0, *sizes[0]]:
                shape = [size] if classes else [size, *self.model[-1].output_shape]
                rows = tf.zeros([size, *source.shape], x.dtype)
                self.train(rows, tf.zeros(shape, targets.dtype), tf.zeros([min(size, 1)], tf.float64))
            for size in [0, *sizes[1]]:
                self.score(tf.zeros([size, *source.shape], x.dtype))
        for variable, value in zip(state, kept):
            variable.assign(value)

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        with tf.device(self.device):  # int64, since TensorFlow keeps int32 in the host's memory
            return [tf.constant(a, tf.float32 if a.dtype.kind == "f" else tf.int64) for a in (x, targets)]

    @tf.autograph.experimental.do_not_convert  # the layers hold no loops or conditions of the graph
    def forward(self, x, random):
        for item in self.model:
            x = self.builders[item.layer.kind](item, layer_weights(self.variables, item.name), x, random)
        return x

    def predict_batch(self, x):
        return self.forward(x, None)

    def step(self, x, targets, numbers):
        """Train on one batch and return its loss."""
        recipe, optimiser, variables = self.recipe, self.recipe.optimiser, list(self.variables.values())
        with tf.GradientTape() as tape:
            loss = mean_loss(recipe.loss, self.forward(x, self.random), targets)
        gradients = [tf.convert_to_tensor(d) for d in tape.gradient(loss, variables)]  # an embedding's is sparse
        if recipe.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm)
        for (name, w), d in zip(self.variables.items(), gradients):
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
        shape = [None, *self.model[-1].output_shape]
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
        if self.mode == "eager":
            size = self.recipe.evaluation_batch_size
            batches = [handle[0][start : start + size] for start in range(0, len(handle[0]), size)]
            return tf.concat([self.predict_batch(batch) for batch in batches], axis=0).numpy()
        return self.score(handle[0]).numpy()

    def parameters(self):
        values = {}
        for name, w in self.variables.items():
            order = self.orders.get(name.split("/")[0])
            values[name] = reorder_gates(w.numpy(), GATE_ORDER, order) if order else w.numpy()
        return values

    def synchronize(self):
        if self.device == "GPU:0":
            tf.test.experimental.sync_devices()


WORKER = TfWorker
