"""Deeplearning4j: a MultiLayerNetwork of native layers, fitted in the JVM, which runs in this process (JPype)."""

from collections import namedtuple
from typing import Any

import numpy as np
from jpype import JLong, java

from . import dl4j_jvm, dl4j_layers
from .dl4j_jvm import data_type, memory_errors, org, shared, to_numpy
from .dl4j_layers import build_stack, function
from .dl4j_recipe import Output, loss_of, updater_of
from .dl4j_training import Steps, make_stateful
from .worker import Unsupported, Worker

Handle = namedtuple("Handle", "dataset arrays")  # the arrays' memory is the data set's
WARM_UP_STEPS = 500
WARM_UP_ROWS = 2  # Java's part of a step is the same for any number


def network(job, stack, updater):
    """Return an uninitialised MultiLayerNetwork of the stack's layers."""
    builder = org.deeplearning4j.nn.conf.NeuralNetConfiguration.Builder()
    builder.dataType(data_type(job.precision)).updater(updater)
    builder.weightInit(org.deeplearning4j.nn.weights.WeightInit.ZERO)  # the job's weights come
    layers = builder.list(*stack.layers).validateOutputLayerConfig(False)
    index, together = java.lang.Integer, org.deeplearning4j.nn.conf.preprocessor.ComposableInputPreProcessor
    if job.model.layers[0].layer.kind != "embedding":  # without one DL4J guesses the input, and adds others
        layers.inputPreProcessor(index(0), together())
    for place in sorted({place for place, _ in stack.preprocessors}):
        own = [preprocessor for at, preprocessor in stack.preprocessors if at == place]
        layers.inputPreProcessor(index(place), own[0] if len(own) == 1 else together(*own))
    return org.deeplearning4j.nn.multilayer.MultiLayerNetwork(layers.build())


class Model:
    """A network that trains, and one that predicts logits with the same parameters: DL4J's output layer would give
    probabilities."""

    def __init__(self, job, weights, builders):
        output = loss_of(job)
        self.recipe = job.recipe
        self.stack, updater = build_stack(job, output, builders), updater_of(job.recipe.optimiser)
        self.net = network(job, self.stack, updater)
        self.net.init()
        for name, (key, to_dl4j, _) in self.stack.tensors.items():
            parameter = self.net.getParam(key)
            value = np.array(to_dl4j(weights[name]), job.precision, order="C")
            parameter.assign(shared(value.reshape([int(n) for n in parameter.shape()])))
        for key in self.stack.frozen:
            self.net.getParam(key).assign(0.0)
        self.predictor = network(job, build_stack(job, Output(output.loss, function("linear")), builders), updater)
        self.predictor.init(self.net.params(), False)
        for place in self.stack.stateful:
            for net in (self.net, self.predictor):
                make_stateful(net, place)
        self.steps = Steps(job, self.net, self.stack, updater)

    def fit(self, dataset, rates):
        """Train one epoch; return the sum of the rows' losses."""
        self.steps.begin(rates)
        self.net.fit(batches(dataset, self.recipe.batch_size))
        return self.steps.total

    def output(self, dataset):
        return self.predictor.output(batches(dataset, self.recipe.evaluation_batch_size))


def batches(dataset, size):
    return org.nd4j.linalg.dataset.ViewIterator(dataset, size)


class Dl4jWorker(Worker):
    layers = {
        "dense": dl4j_layers.dense,
        "activation": dl4j_layers.activation,
        "flatten": dl4j_layers.nothing,
        "reshape": dl4j_layers.nothing,
        "dropout": dl4j_layers.dropout,
        "conv2d": dl4j_layers.conv2d,
        "conv1d": dl4j_layers.conv1d,
        "maxpool2d": dl4j_layers.pool2d,
        "averagepool2d": dl4j_layers.pool2d,
        "globalmaxpool1d": dl4j_layers.globalmaxpool1d,
        "batchnorm": dl4j_layers.batchnorm,
        "embedding": dl4j_layers.embedding,
        "lstm": dl4j_layers.lstm,
    }
    layout = "channels_first"
    model: Any = None
    composed = {
        "dense": "behind images: the kernel's rows in DL4J's order of channel, height, width",
        "flatten": "an input preprocessor that puts the channels last, where the next layer is not dense",
        "reshape": "an input preprocessor",
        "activation": "softmax of images: an input preprocessor that makes rows of channels",
        "batchnorm": "the batch's variance made unbiased in each step; steps as an image of width one",
        "lstm": "bias False: a bias held at zero; stateful: the layer's truncated backpropagation, called directly",
        "binary_cross_entropy": "ND4J's sigmoid cross-entropy, since LossBinaryXENT clips probabilities",
        "categorical_cross_entropy": "the mean over steps: LossSparseMCXENT with a weight of 1 / steps",
        "clip_norm": "the norm and a scale, since DL4J clips layer by layer",
        "sgd": "classical momentum: an updater of array operations; nesterov with velocity 'gradient': Nesterovs, its "
        "velocity rescaled when the rate changes",
        "adam": "epsilon_form 'corrected': Adam, its epsilon set anew in each step",
        "adadelta": "DL4J's operation, and a rate, which its AdaDelta has not",
        "rmsprop": "epsilon_form 'inside': an updater of array operations",
    }

    def versions(self):
        return dl4j_jvm.versions()

    def open_device(self, device, threads):
        """The environment pins the native operations' threads (OMP_NUM_THREADS); the API has no means to."""
        if device == "gpu":
            raise Unsupported("the worker's jars are those for the CPU")
        dl4j_jvm.start(threads)

    @memory_errors
    def warm_up(self, job, weights):
        """Train on rows of zeros until Java's compiler has seen a training step often.

        It interprets at first (an epoch of an MLP was seen to take twice as long), as others trace or compile.
        """
        self.build(job, weights)
        (source,) = job.inputs
        shape = [*source.shape[2:], *source.shape[:2]] if len(source.shape) == 3 else source.shape
        x = np.zeros([WARM_UP_ROWS, *shape], "int32" if source.dtype == "int32" else "float32")
        *steps, outputs = job.model.layers[-1].output_shape
        classes = job.recipe.loss.kind == "categorical_cross_entropy"
        targets = np.zeros([WARM_UP_ROWS, *steps], "int32") if classes else np.zeros([WARM_UP_ROWS, outputs], "float32")
        handle = self.stage({source.name: x}, targets)
        job_steps = -(-job.dataset.train_rows // job.recipe.batch_size) * job.recipe.epochs
        for _ in range(min(job_steps, WARM_UP_STEPS)):
            self.model.fit(handle.dataset, [job.recipe.optimiser.learning_rate] * WARM_UP_ROWS)
            self.model.output(handle.dataset)
        self.model = None
        java.lang.System.gc()  # its arrays go

    @memory_errors
    def build(self, job, weights):
        self.job = job
        self.model = None  # an earlier build's goes before another comes
        nd4j = org.nd4j.linalg.factory.Nd4j
        nd4j.setDefaultDataTypes(data_type(job.precision), data_type(job.precision))
        self.model = Model(job, weights, self.layers)
        nd4j.getRandom().setSeed(JLong(job.seed))

    @memory_errors
    def stage(self, inputs, targets):
        """Return a data set over contiguous arrays of the job's precision; steps go behind features, as in DL4J."""
        (x,) = inputs.values()
        classes = self.job.recipe.loss.kind == "categorical_cross_entropy"
        if x.ndim == 3:
            x = x.transpose(0, 2, 1)
        if classes:
            targets = targets[:, None]  # one number for each step
        arrays = [np.array(a, self.job.precision if a.dtype.kind == "f" else "int32", order="C") for a in (x, targets)]
        return Handle(org.nd4j.linalg.dataset.DataSet(*map(shared, arrays)), arrays)

    @memory_errors
    def train_epoch(self, handle, rates):
        return self.model.fit(handle.dataset, rates.tolist()) / len(handle.arrays[0])

    @memory_errors
    def predict(self, handle):
        self.reset_unless_carried()
        outputs = to_numpy(self.model.output(handle.dataset))
        self.reset_unless_carried()
        return outputs.transpose(0, 2, 1) if outputs.ndim == 3 else outputs

    def reset_states(self):
        for net in (self.model.net, self.model.predictor):
            net.rnnClearPreviousState()

    def parameters(self):
        shapes = {i.name + "/" + role: shape for i in self.job.model.layers for role, shape in i.parameters.items()}
        values = {}
        for name, (key, _, to_spec) in self.model.stack.tensors.items():
            value = to_spec(to_numpy(self.model.net.getParam(key)))
            values[name] = np.array(value, order="C").reshape(shapes[name])
        return values


WORKER = Dl4jWorker
