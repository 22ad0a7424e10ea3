"""CNTK: the spec's layers and losses as its operations. Images are (channels, height, width); steps are either a
sequence, on a dynamic axis as recurrences want them, or the first static axis, as convolutions do."""

import cntk as C
import numpy as np

from .worker import same_padding


class Graph:
    """What the layers of one graph leave for the loop to do; a job has two graphs, for training and prediction."""

    def __init__(self, training, seed, dtype):
        self.training = training
        self.seed = seed
        self.dropouts = []  # (operation, seed)
        self.states = []  # (input, output): what goes into a batch, and what comes out for the next one
        self.running = []  # assignments to make after each batch ...
        self.one = C.input_variable((), dtype, dynamic_axes=[])  # ... and what they need to be computed more than once


EITHER = ("dense", "activation", "dropout", "batchnorm", "embedding")  # kinds to which it is the same where steps lie

# Each layer maps x to y; p: its tensors, C.parameter or, for running statistics, C.constant.


def is_sequence(x):
    return len(x.dynamic_axes) == 2


def as_sequence(x):
    return x if is_sequence(x) else C.to_sequence(x)


def as_static(x, steps):
    if not is_sequence(x):
        return x
    return C.reshape(C.sequence.unpack(x, 0, no_mask_output=True), (steps, *x.shape))  # all sequences are as long


def dense(item, p, x, graph):
    y = C.times(x, p["kernel"])
    return y + p["bias"] if item.layer.bias else y


def softmax(item, x):
    if len(item.input_shape) == 1 or is_sequence(x):
        return C.softmax(x)
    return C.softmax(x, axis=0 if len(item.input_shape) == 3 else 1)  # the spec's last axis


FUNCTIONS = {"tanh": C.tanh, "relu": C.relu, "sigmoid": C.sigmoid, "elu": C.elu}


def activation(item, p, x, graph):
    function = item.layer.function
    if function == "softmax":
        return softmax(item, x)
    return x if function == "linear" else FUNCTIONS[function](x)


def reshape(item, p, x, graph):
    """Flatten and reshape, in the spec's order: channels last."""
    x = as_static(x, item.input_shape[0])
    if len(item.input_shape) == 3 and item.input_shape[2] > 1:  # one channel is in order as it is
        x = C.transpose(x, (1, 2, 0))
    shape = tuple(item.output_shape)
    if len(shape) < 3:
        return C.reshape(x, shape)
    height, width, channels = shape
    return C.transpose(C.reshape(x, shape), (2, 0, 1)) if channels > 1 else C.reshape(x, (1, height, width))


def dropout(item, p, x, graph):
    if not graph.training or item.layer.rate == 0:
        return x
    seed = (graph.seed * 1000 + len(graph.dropouts)) % 2**31  # one seed for two layers would be one mask
    y = C.dropout(x, item.layer.rate, seed=seed)
    graph.dropouts.append((y, seed))
    return y


def padded(item, x, window, value):
    """Return x, padded where its sides get different numbers or the window is larger, and CNTK's flags for the rest."""
    axes = len(window)
    if item.layer.padding == "valid":
        return x, [False] * (axes + 1)
    pads = list(map(same_padding, item.input_shape[:axes], window, strides_of(item)))
    fits = all(width <= size for width, size in zip(window, item.input_shape))  # CNTK refuses others, flags or not
    if fits and all(before == after for before, after in pads):
        return x, [False] + [before > 0 for before, after in pads]
    return C.pad(x, [(0, 0), *pads], C.ops.CONSTANT_PAD, value), [False] * (axes + 1)


def strides_of(item):
    return np.atleast_1d(item.layer.strides).tolist()


def convolve(item, p, x):
    """Convolve (in, ...) by the kernel (filters, in, ...)."""
    x, flags = padded(item, x, p["kernel"].shape[2:], 0)
    y = C.convolution(p["kernel"], x, [1, *strides_of(item)], auto_padding=flags)
    return y + p["bias"] if item.layer.bias else y


def conv2d(item, p, x, graph):
    return convolve(item, p, x)


def conv1d(item, p, x, graph):
    return C.transpose(convolve(item, p, C.transpose(as_static(x, item.input_shape[0]), (1, 0))), (1, 0))


def maxpool2d(item, p, x, graph):
    window = tuple(item.layer.pool_size)
    x, flags = padded(item, x, window, -np.inf)
    return C.pooling(x, C.MAX_POOLING, window, strides_of(item), flags)


def averagepool2d(item, p, x, graph):
    window, size = tuple(item.layer.pool_size), item.input_shape[:2]
    frame, flags = padded(item, x, window, 0)
    y = C.pooling(frame, C.AVG_POOLING, window, strides_of(item), flags)
    if frame is x:
        return y
    counted = [
        [max(0, min(start + width, end) - max(start, 0)) for start in np.arange(outputs) * stride - before]
        for (before, _), width, stride, end, outputs in zip(
            map(same_padding, size, window, strides_of(item)), window, strides_of(item), size, item.output_shape
        )
    ]  # along each axis, the places of each window that are not padding
    rows, columns = counted
    share = np.outer(rows, columns) / float(window[0] * window[1])
    return y / C.constant(share[None], dtype=y.dtype)


def globalmaxpool1d(item, p, x, graph):
    steps, features = item.input_shape
    x = C.reshape(as_static(x, steps), (1, steps, features))
    return C.reshape(C.pooling(x, C.MAX_POOLING, (steps, 1), (1, 1), [False] * 3), (features,))


def batchnorm(item, p, x, graph):
    x = as_sequence(x) if len(item.input_shape) == 2 else x  # of a sequence, all steps count as rows
    images, m = len(item.input_shape) == 3, item.layer.momentum
    mean, variance, time_constant = p["running_mean"], p["running_variance"], np.inf
    if graph.training:
        # CNTK's own blending forgets by the number of rows; with time constant 0 it leaves the batch's statistics.
        mean, variance, time_constant = C.constant(mean.value), C.constant(variance.value), 0
        for running, batch in ((p["running_mean"], mean), (p["running_variance"], variance)):
            share = (1 - m) * graph.one * batch
            share = C.element_select(C.equal(share, share), share, 0)  # of a single number CNTK's variance is NaN
            graph.running.append(C.assign(running, m * running + share))
    count = C.constant(0, dtype=x.dtype)
    options = {"normalization_time_constant": time_constant, "epsilon": item.layer.epsilon, "running_count": count}
    return C.batch_normalization(x, p["gamma"], p["beta"], mean, variance, images, **options)


def embedding(item, p, x, graph):
    return C.gather(p["table"], x)


def lstm(item, p, x, graph):
    units = item.layer.units
    projected = dense(item, p, as_sequence(x), graph)  # all steps at once

    def step(h, c, projected_step):
        z = projected_step + C.times(h, p["recurrent_kernel"])
        gates = {gate: z[k * units : (k + 1) * units] for k, gate in enumerate(item.layer.gate_order)}
        i, f, o = [C.sigmoid(gates[gate]) for gate in "ifo"]
        c = f * c + i * C.tanh(gates["g"])
        return o * C.tanh(c), c

    if item.layer.stateful:
        start = [C.input_variable(units, dtype=x.dtype) for _ in "hc"]
    else:
        start = [C.constant(0, (units,), dtype=x.dtype) for _ in "hc"]
    outputs = C.layers.RecurrenceFrom(step, return_full_state=True)(*start, projected).outputs
    last = [C.sequence.last(output) for output in outputs]
    if item.layer.stateful:
        graph.states += [(before, after.output) for before, after in zip(start, last)]
    return last[0] if item.layer.output == "last" else outputs[0]


# Each loss is one number per row.


def categorical_cross_entropy(loss, outputs, targets):
    if not targets.shape:
        return C.cross_entropy_with_softmax(outputs, C.one_hot(targets, outputs.shape[-1], sparse_output=True))
    (steps,), outputs = targets.shape, as_sequence(outputs)
    column = C.to_sequence_like(C.reshape(targets, (steps, 1)), C.stop_gradient(outputs))  # a class has no gradient
    values = categorical_cross_entropy(loss, outputs, C.reshape(column, ()))
    return C.sequence.reduce_sum(values) / (steps if loss.over_steps == "mean" else 1)


def binary_cross_entropy(loss, outputs, targets):
    reduce = C.reduce_mean if loss.over_outputs == "mean" else C.reduce_sum
    return reduce(C.softplus(outputs) - outputs * targets)


def mean_squared_error(loss, outputs, targets):
    count = outputs.shape[0] if loss.over_outputs == "mean" else 1
    return C.squared_error(outputs, targets) / count


LOSSES = {f.__name__: f for f in (categorical_cross_entropy, binary_cross_entropy, mean_squared_error)}
