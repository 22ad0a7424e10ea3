"""Keras 2 on CNTK.

What layers keep from batch to batch Keras has CNTK compute once more after the step, from weights that are new by then,
and states in batches of one size only. So here a batch's own step returns what is kept.
"""

import numpy as np

from .worker import Unsupported

try:
    import cntk as C
except ImportError as error:
    raise Unsupported("CNTK cannot be loaded ({}); its image and README.md have what it needs".format(error)) from error

from .keras_v2_backend import CLIPPED, COMPOSED, PADDED, TIED, Keras2, keras

K = keras.backend


class Cntk(Keras2):
    layout = "channels_first"
    composed = dict(
        COMPOSED,
        **PADDED,
        batchnorm="keras.backend.batch_normalization with the batch's moments, since normalize_batch_in_training takes "
        "another epsilon than it is given; the running statistics blended after each batch from those of its own step",
        lstm="a cell whose state ends in h, since Keras' recurrence returns the last part of it; stateful: a subclass "
        "of LSTM whose states go in and out with each batch",
        categorical_cross_entropy="of steps: from CNTK's operations, averaged or summed",
    )
    declared_differences = {"globalmaxpool1d": TIED, "binary_cross_entropy": CLIPPED}

    def versions(self):
        return {"cntk": C.__version__}

    def open_device(self, device, threads):
        C.cntk_py.set_max_num_cputhreads(threads)
        C.cntk_py.force_deterministic_algorithms()
        C.logging.set_trace_level(C.logging.TraceLevel.Error)
        C.device.try_set_default_device(C.device.cpu())

    def seed(self, seed, model):
        """Each dropout operation has a seed of its own; for one seed, two of them would draw one mask."""
        drops = C.logging.graph.depth_first_search(model.total_loss, lambda node: is_operation(node, "Dropout"))
        for number, operation in enumerate(drops):
            operation.set_attribute("rngSeed", (seed * 1000 + number) % 2**31)

    def constant(self, value):
        return K.constant(value[0])  # the batch is no axis of CNTK's shapes

    def normalised(self, layer, inputs, axes):
        """Keras' own takes another epsilon than it is given."""
        _, mean, variance = super().normalised(layer, inputs, axes)
        shape = (-1, 1, 1) if len(axes) == 3 and layer.axis == 1 else (-1,)
        tensors = [C.reshape(tensor, shape) for tensor in (mean, variance, layer.beta, layer.gamma)]
        return K.batch_normalization(inputs, *tensors, epsilon=layer.epsilon), mean, variance

    def keep_running(self, layer, inputs, mean, variance, axes):
        layer.found = Running(layer, mean, variance, int(np.prod([K.int_shape(inputs)[axis] for axis in axes[1:]])))

    def lstm(self, layer):
        """Keras' recurrence returns the last of the states: have the cell's be c and h, not h and c."""
        own = layer.cell.call

        def call(inputs, states, training=None):
            output, after = own(inputs, states[::-1], training)
            return output, after[::-1]

        layer.cell.call = call
        return layer

    def run_stateful(self, layer, inputs, run):
        before = [C.input_variable(layer.units) for _ in "hc"]
        output, *after = run(before)
        layer.found = States(before, after, layer.rows)
        return output

    def reset_state(self, layer):
        layer.found.reset()

    def each_step(self, targets, outputs):
        hot = C.reshape(C.one_hot(targets, outputs.shape[-1]), outputs.shape)
        values = C.reduce_log_sum_exp(outputs, axis=1) - C.reduce_sum(hot * outputs, axis=1)
        return C.reshape(values, outputs.shape[:1])

    def variables(self, model):
        model._make_train_function()
        model._make_predict_function()
        kept = [layer.found for layer in model.layers if hasattr(layer, "found")]
        states = [found for found in kept if isinstance(found, States)]
        if kept:
            model.train_function = Training(model.train_function, kept)
        if states:
            model.predict_function = Prediction(model.predict_function, states)
        return [*model.weights, *model.optimizer.weights]


def is_operation(node, name):
    return isinstance(node, C.Function) and node.is_primitive and node.op_name == name


class Running:
    """Batch normalisation's running statistics, blended from those of each batch."""

    before: tuple = ()

    def __init__(self, layer, mean, variance, per_row):
        self.after, self.per_row = [mean, variance], per_row
        self.factor = C.input_variable((), dynamic_axes=[])
        self.batch = [C.input_variable(found.shape, dynamic_axes=[]) for found in self.after]
        m, (mean, variance) = layer.momentum, self.batch
        pairs = [(layer.moving_mean, mean), (layer.moving_variance, variance * self.factor)]
        self.blend = C.combine([C.assign(kept, kept * m + new * (1.0 - m)) for kept, new in pairs])

    def take(self, values, count):
        n = count * self.per_row
        self.blend.eval(dict([*zip(self.batch, values), (self.factor, np.float32(n / max(n - 1, 1)))]))


class States:
    """A stateful LSTM's states: what goes into a batch, and what comes out for the next one."""

    def __init__(self, before, after, rows):
        self.before, self.after, self.rows = before, after, rows
        self.reset()

    def reset(self):
        self.values = [np.zeros((self.rows, *before.shape), np.float32) for before in self.before]

    def take(self, values, count):
        for kept, value in zip(self.values, values):
            kept[:count] = value


class Training:
    """Keras' own function of a training step, which returns and keeps besides what layers want to keep."""

    def __init__(self, own, kept):
        self.own, self.kept = own, kept
        self.loss, (learner,) = own.loss, own.trainer.parameter_learners
        self.after = [after.output for found in kept for after in found.after]
        self.trainer = C.Trainer(C.combine([self.loss, *self.after]), (self.loss, None), [learner])

    def __call__(self, inputs):
        feed, count = fed(self.own.placeholders, inputs, self.kept, self.loss.arguments)
        _, values = self.trainer.train_minibatch(feed, [self.loss.output, *self.after])
        for found in self.kept:
            found.take([values[after.output] for after in found.after], count)
        return [values[self.loss.output]]


class Prediction:
    """Keras' own function of a prediction, which keeps the states besides."""

    def __init__(self, own, kept):
        self.own, self.kept = own, kept
        (self.output,) = own.metrics_outputs
        self.function = C.combine([self.output, *[after.output for found in kept for after in found.after]])

    def __call__(self, inputs):
        feed, count = fed(self.own.placeholders, inputs, self.kept, self.function.arguments)
        values = self.function.eval(feed)
        for found in self.kept:
            found.take([values[after.output] for after in found.after], count)
        return [values[self.output]]


def fed(placeholders, inputs, kept, arguments):
    """Return what each of the function's arguments gets for a batch, and the number of its rows."""
    feed, count = {}, len(inputs[0])
    for tensor, value in zip(placeholders, inputs):
        if tensor is K.learning_phase():
            tensor.value = np.asarray(value, np.float32)
        elif tensor in arguments:
            feed[tensor] = np.asarray(value, np.float32)
    for found in kept:
        feed.update((tensor, value[:count]) for tensor, value in zip(found.before, getattr(found, "values", ())))
    return feed, count


BACKENDS = {"cntk": Cntk}
