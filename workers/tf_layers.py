"""Every layer of the spec in TensorFlow's operations, a model of them, and the losses.

Each layer maps x (rows, ...), channels-last, to y with its own ``variables``, {role: variable}: its parameters and,
of a stateful LSTM, ``h`` and ``c``. ``random`` draws dropout masks; it is None in prediction.
"""

import tensorflow as tf

from .worker import layer_weights, reorder_gates, trainable

GATE_ORDER = "igfo"  # BlockLSTM's own
FUNCTIONS = {
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
    "sigmoid": tf.sigmoid,
    "elu": tf.nn.elu,
    "softmax": tf.nn.softmax,
    "linear": tf.identity,
}
BATCHNORM = "gamma", "beta", "running_mean", "running_variance"


def add_bias(y, variables):
    return y + variables["bias"] if "bias" in variables else y  # bias_add: a CNN's step 6% slower


def dense(item, variables, x, random):
    kernel = variables["kernel"]
    if len(item.input_shape) == 1:
        return add_bias(tf.matmul(x, kernel), variables)
    flat = tf.reshape(x, [-1, item.input_shape[-1]])  # one product of matrices, where tf.matmul would make one a row
    return tf.reshape(add_bias(tf.matmul(flat, kernel), variables), [-1, *item.output_shape])


def activation(item, variables, x, random):
    return FUNCTIONS[item.layer.function](x)


def reshape(item, variables, x, random):
    return tf.reshape(x, [-1, *item.output_shape])


def dropout(item, variables, x, random):
    rate = item.layer.rate
    if random is None or rate == 0:
        return x
    if hasattr(tf.nn, "experimental"):
        return tf.nn.experimental.general_dropout(x, rate, uniform_sampler=random.uniform)
    return tf.where(random.uniform(tf.shape(x)) >= rate, x / (1 - rate), 0.0)  # TensorFlow 2.2: the same by hand


def conv2d(item, variables, x, random):
    return add_bias(tf.nn.conv2d(x, variables["kernel"], item.layer.strides, item.layer.padding.upper()), variables)


def conv1d(item, variables, x, random):
    return add_bias(tf.nn.conv1d(x, variables["kernel"], item.layer.strides, item.layer.padding.upper()), variables)


def maxpool2d(item, variables, x, random):
    return tf.nn.max_pool2d(x, item.layer.pool_size, item.layer.strides, item.layer.padding.upper())


def averagepool2d(item, variables, x, random):
    return tf.nn.avg_pool2d(x, item.layer.pool_size, item.layer.strides, item.layer.padding.upper())


def globalmaxpool1d(item, variables, x, random):
    return tf.reduce_max(x, axis=1)


def batchnorm(item, variables, x, random):
    """TensorFlow's fused kernel, whose running variance is the unbiased one, on images: of one pixel, if need be."""
    images = x if len(item.input_shape) == 3 else tf.reshape(x, [-1, 1, 1, item.input_shape[-1]])
    training = random is not None
    options = {"epsilon": item.layer.epsilon, "exponential_avg_factor": 1 - item.layer.momentum}
    scale, offset, mean, variance = (tf.convert_to_tensor(variables[role]) for role in BATCHNORM)
    numbers = {"scale": scale, "offset": offset, "mean": mean, "variance": variance}
    y = tf.raw_ops.FusedBatchNormV3(x=images, is_training=training, **numbers, **options)
    if training:
        variables["running_mean"].assign(y.batch_mean)
        variables["running_variance"].assign(y.batch_variance)
    return tf.reshape(y.y, [-1, *item.output_shape])


def embedding(item, variables, x, random):
    return tf.gather(variables["table"], x)


def lstm(item, variables, x, random):
    """TensorFlow's fused kernel, time first. Not BlockLSTMV2: its registered gradient is V1's, for other gates."""
    steps, units = item.input_shape[0], item.layer.units
    h, c = start_of(item, variables, x)
    peepholes = dict.fromkeys(("wci", "wcf", "wco"), tf.zeros([units]))
    w = tf.concat([variables["kernel"], variables["recurrent_kernel"]], axis=0)
    b = variables.get("bias", tf.zeros([4 * units]))
    options = {"seq_len_max": tf.constant(steps, tf.int64), "forget_bias": 0.0, "cell_clip": -1.0}  # no clipping
    y = tf.raw_ops.BlockLSTM(x=tf.transpose(x, [1, 0, 2]), cs_prev=c, h_prev=h, w=w, b=b, **peepholes, **options)
    keep(variables, y.h[-1], y.cs[-1])
    return y.h[-1] if item.layer.output == "last" else tf.transpose(y.h, [1, 0, 2])


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

    outputs = tf.TensorArray(tf.float32, steps, element_shape=[None, units])
    start = 0, *start_of(item, variables, x), outputs
    _, h, c, outputs = tf.while_loop(lambda t, *_: t < steps, step, start, maximum_iterations=steps)
    keep(variables, h, c)
    return h if item.layer.output == "last" else tf.transpose(outputs.stack(), [1, 0, 2])


def start_of(item, variables, x):
    """Return (h, c), each (rows, units), with which the rows of a batch start."""
    rows = tf.shape(x)[0]
    if not item.layer.stateful:
        return [tf.zeros([rows, item.layer.units])] * 2
    return [variables[role][:rows] for role in ("h", "c")]


def keep(variables, *states):
    """Keep (h, c) of a stateful LSTM for the next batch; one of fewer rows leaves the others' as they are."""
    for role, state in zip(("h", "c"), states):
        if role in variables:
            variables[role][: tf.shape(state)[0]].assign(state)


class Model:
    """Layers, one after another, and their variables.

    ``layers``: kind -> function. ``variables``: {LAYER/TENSOR: variable}; ``trained``: those that gradients reach;
    ``states``: those of stateful LSTMs, for batches of at most ``rows`` rows.
    """

    def __init__(self, layers, items, weights, rows):
        self.variables, self.states = {}, {}
        self.orders = {item.name: item.layer.gate_order for item in items if item.layer.kind == "lstm"}
        for name, value in weights.items():
            order = self.orders.get(name.split("/")[0])
            value = reorder_gates(value, order, GATE_ORDER) if order else value
            self.variables[name] = tf.Variable(value, trainable=trainable(name))
        self.trained = {name: w for name, w in self.variables.items() if trainable(name)}
        for item in items:
            if getattr(item.layer, "stateful", False):
                for role in ("h", "c"):
                    start = tf.zeros([rows, item.layer.units])
                    self.states[item.name + "/" + role] = tf.Variable(start, trainable=False)
        own = dict(self.variables, **self.states)
        self.layers = [(layers[item.layer.kind], item, layer_weights(own, item.name)) for item in items]

    @tf.autograph.experimental.do_not_convert  # the layers hold no loops or conditions of the graph
    def forward(self, x, random):
        for layer, item, own in self.layers:
            x = layer(item, own, x, random)
        return x

    def reset_states(self):
        for state in self.states.values():
            state.assign(tf.zeros_like(state))

    def parameters(self):
        values = {}
        for name, w in self.variables.items():
            order = self.orders.get(name.split("/")[0])
            values[name] = reorder_gates(w.numpy(), GATE_ORDER, order) if order else w.numpy()
        return values


def mean_loss(loss, outputs, targets):
    """Return the spec's loss of a batch, averaged over its rows."""
    if loss.kind == "categorical_cross_entropy":
        values = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=outputs)
        summed = loss.over_steps == "sum" and targets.shape.rank == 2
    else:
        if loss.kind == "binary_cross_entropy":
            values = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=outputs)
        else:
            values = tf.math.squared_difference(outputs, targets)
        summed = loss.over_outputs == "sum"
    return tf.reduce_mean(tf.reduce_sum(values, axis=1) if summed else values)
