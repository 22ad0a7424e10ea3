"""Deeplearning4j: a MultiLayerNetwork of native layers, fitted in the JVM, which runs in this process (JPype)."""

import time
from collections import namedtuple

import numpy as np
from jpype import JLong, JProxy, java

from . import dl4j_jvm
from .dl4j_jvm import data_type, memory_errors, org, shared, to_numpy
from .dl4j_layers import LAYERS, build_stack, function
from .dl4j_training import Composed, SigmoidCrossEntropy, Steps
from .worker import Unsupported, Worker

Output = namedtuple("Output", "loss activation")
Handle = namedtuple("Handle", "dataset arrays")  # the arrays' memory is the data set's
WARM_UP_STEPS = 500
WARM_UP_SECONDS = 10.0
ALL_STEPS = 2**30
SMALLEST_PROBABILITY = 1e-37  # in a reported loss; DL4J's own, 1e-10, would show


class Stateful:
    """An LSTM layer that goes on from the batch before. DL4J's TruncatedBPTT would do it, but computes its gradients
    as if each batch started at zero; the layer itself can do both, and this calls it so. All else is the layer's."""

    def __init__(self, layer):
        self.layer = layer

    def __getattr__(self, name):
        return getattr(self.layer, name)

    def activate(self, *arguments):
        *given, training, workspaces = arguments
        x = given[0] if given else self.layer.input()
        if not training:
            self.layer.rnnSetPreviousState(first_rows(self.layer.rnnGetPreviousState(), x.size(0)))
            return self.layer.rnnTimeStep(x, workspaces)
        state = first_rows(self.layer.rnnGetTBPTTState(), x.size(0))
        self.layer.rnnSetPreviousState(state)  # the backward pass starts there
        self.layer.rnnSetTBPTTState(state)
        return self.layer.rnnActivateUsingStoredState(x, True, True, workspaces)

    def backpropGradient(self, gradient, workspaces):
        return self.layer.tbpttBackpropGradient(gradient, ALL_STEPS, workspaces)


def first_rows(state, rows):
    interval = org.nd4j.linalg.indexing.NDArrayIndex.interval
    for name in list(state.keySet()):
        if state.get(name).size(0) != rows:
            state.put(name, state.get(name).get(interval(0, rows)).dup().detach())  # outlives the workspace
    return state


def loss_of(job):
    """Return DL4J's loss and the activation that it takes."""
    loss, losses = job.recipe.loss, org.nd4j.linalg.lossfunctions.impl
    *steps, outputs = job.model.layers[-1].output_shape
    if loss.kind == "categorical_cross_entropy":
        weights = None
        if steps and loss.over_steps == "mean":  # DL4J's own is the sum
            nd4j = org.nd4j.linalg.factory.Nd4j
            weights = nd4j.valueArrayOf(dl4j_jvm.longs([1, outputs]), 1.0 / steps[0], data_type(job.precision))
        return Output(losses.LossSparseMCXENT(SMALLEST_PROBABILITY, weights), function("softmax"))
    if loss.kind == "binary_cross_entropy":
        scale = 1.0 / outputs if loss.over_outputs == "mean" else 1.0
        return Output(SigmoidCrossEntropy(scale), function("linear"))
    return Output(losses.LossMSE() if loss.over_outputs == "mean" else losses.LossL2(), function("linear"))


def updater_of(o):
    known = org.nd4j.linalg.learning.config
    if o.kind == "sgd" and o.momentum == 0:
        return known.Sgd(o.learning_rate)
    if o.kind == "sgd" and o.nesterov:
        return known.Nesterovs(o.learning_rate, o.momentum)
    if o.kind == "adam":
        return known.Adam(o.learning_rate, o.beta_1, o.beta_2, o.epsilon)
    if o.kind == "rmsprop" and o.epsilon_form == "outside":
        return known.RmsProp(o.learning_rate, o.rho, o.epsilon)
    return Composed(o)


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

    def __init__(self, job, weights):
        output = loss_of(job)
        self.recipe = job.recipe
        self.stack, updater = build_stack(job, output), updater_of(job.recipe.optimiser)
        self.net = network(job, self.stack, updater)
        self.net.init()
        for name, (key, to_dl4j, _) in self.stack.tensors.items():
            parameter = self.net.getParam(key)
            value = np.array(to_dl4j(weights[name]), job.precision, order="C")
            parameter.assign(shared(value.reshape([int(n) for n in parameter.shape()])))
        for key in self.stack.frozen:
            self.net.getParam(key).assign(0.0)
        self.predictor = network(job, build_stack(job, Output(output.loss, function("linear"))), updater)
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


def make_stateful(net, place):
    recurrent, layer = "org.deeplearning4j.nn.api.layers.RecurrentLayer", net.getLayer(place)
    if hasattr(layer, "getUnderlying"):  # LastTimeStep's
        layer.setUnderlying(JProxy(recurrent, inst=Stateful(layer.getUnderlying())))
    else:
        net.getLayers()[place] = JProxy(recurrent, inst=Stateful(layer))


class Dl4jWorker(Worker):
    layers = LAYERS
    layout = "channels_first"
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
    def build(self, job, weights):
        """Besides, train a network of its own on rows of zeros, until Java's compiler has seen a training step often.

        It interprets at first (an epoch of an MLP was seen to take twice as long), as others trace or compile.
        """
        self.job, self.model = job, None
        nd4j = org.nd4j.linalg.factory.Nd4j
        nd4j.setDefaultDataTypes(data_type(job.precision), data_type(job.precision))
        if job.kind != "parity":
            self.warm_up(job, Model(job, weights))
            java.lang.System.gc()  # its arrays go
        self.model = Model(job, weights)
        nd4j.getRandom().setSeed(JLong(job.seed))

    def warm_up(self, job, model):
        (source,), size = job.inputs, job.recipe.batch_size
        rows = min(job.dataset.train_rows, size)
        shape = [*source.shape[2:], *source.shape[:2]] if len(source.shape) == 3 else source.shape
        x = np.zeros([rows, *shape], "int32" if source.dtype == "int32" else "float32")
        *steps, outputs = job.model.layers[-1].output_shape
        classes = job.recipe.loss.kind == "categorical_cross_entropy"
        targets = np.zeros([rows, *steps], "int32") if classes else np.zeros([rows, outputs], "float32")
        handle = self.stage({source.name: x}, targets)
        steps, start = -(-job.dataset.train_rows // size) * job.recipe.epochs, time.perf_counter()
        for _ in range(min(steps, WARM_UP_STEPS)):
            model.fit(handle.dataset, [1e-6])
            if time.perf_counter() - start > WARM_UP_SECONDS:
                break
        model.output(handle.dataset)

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
        self.model.predictor.rnnClearPreviousState()
        outputs = to_numpy(self.model.output(handle.dataset))
        self.model.predictor.rnnClearPreviousState()
        return outputs.transpose(0, 2, 1) if outputs.ndim == 3 else outputs

    def reset_states(self):
        self.model.net.rnnClearPreviousState()

    def parameters(self):
        shapes = {i.name + "/" + role: shape for i in self.job.model.layers for role, shape in i.parameters.items()}
        values = {}
        for name, (key, _, to_spec) in self.model.stack.tensors.items():
            value = to_spec(to_numpy(self.model.net.getParam(key)))
            values[name] = np.array(value, order="C").reshape(shapes[name])
        return values


WORKER = Dl4jWorker
