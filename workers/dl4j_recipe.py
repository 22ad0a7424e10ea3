"""DL4J's loss and updater for a recipe, and those that it does not have in the spec's form."""

from collections import namedtuple

from jpype import JImplements, JOverride

from .dl4j_jvm import data_type, longs, org

Output = namedtuple("Output", "loss activation")
SMALLEST_PROBABILITY = 1e-37  # in a reported loss; DL4J's own, 1e-10, would show


@JImplements("org.nd4j.linalg.lossfunctions.ILossFunction", deferred=True)
class SigmoidCrossEntropy:
    """Of logits, by ND4J's own operation; LossBinaryXENT clips probabilities. ``scale``: of each output's loss."""

    def __init__(self, scale):
        self.scale = scale

    @JOverride
    def computeScore(self, labels, logits, function, mask, average):
        ops = org.nd4j.linalg.api.ops.impl.loss.SigmoidCrossEntropyLoss
        total = org.nd4j.autodiff.loss.LossReduce.SUM
        (score,) = org.nd4j.linalg.factory.Nd4j.exec_(ops(labels, logits, None, total, 0.0))
        score = score.sumNumber().doubleValue() * self.scale
        return score / int(logits.size(0)) if average else score

    @JOverride
    def computeGradient(self, labels, logits, function, mask):
        gradient = org.nd4j.linalg.ops.transforms.Transforms.sigmoid(logits, True)
        return gradient.subi(labels).muli(self.scale)

    @JOverride
    def computeGradientAndScore(self, labels, logits, function, mask, average):
        score = self.computeScore(labels, logits, function, mask, average)
        return org.nd4j.common.primitives.Pair(score, self.computeGradient(labels, logits, function, mask))

    @JOverride
    def computeScoreArray(self, labels, logits, function, mask):
        raise NotImplementedError("training asks for no score of each row")

    @JOverride
    def name(self):
        return "SigmoidCrossEntropy"


# Each step turns a gradient d into what is taken from the weights, in place; state: the updater's own array.


def momentum(o, d, state, rate):
    if o.velocity == "step":
        state.muli(o.momentum).addi(d.muli(rate))
        d.assign(state)
    else:
        state.muli(o.momentum).addi(d)
        d.assign(state).muli(rate)


def adadelta(o, d, state, rate):
    half = int(d.length())
    interval = org.nd4j.linalg.indexing.NDArrayIndex.interval
    squares, steps = state.get(interval(0, half)), state.get(interval(half, 2 * half))
    native = org.nd4j.linalg.api.ops.impl.updaters.AdaDeltaUpdater
    org.nd4j.linalg.factory.Nd4j.exec_(native(d, squares, steps, o.rho, o.epsilon))
    d.muli(rate)


def rmsprop(o, d, state, rate):
    state.muli(o.rho).addi(d.mul(d).muli(1 - o.rho))
    root = org.nd4j.linalg.ops.transforms.Transforms.sqrt(state.add(o.epsilon), False)
    d.muli(rate).divi(root)


STEPS = {"sgd": (momentum, 1), "adadelta": (adadelta, 2), "rmsprop": (rmsprop, 1)}


@JImplements("org.nd4j.linalg.learning.config.IUpdater", deferred=True)
class Composed:
    """The configuration of an updater that DL4J does not have in the spec's form."""

    def __init__(self, optimiser):
        self.optimiser = optimiser
        self.rate = optimiser.learning_rate
        self.step, self.arrays = STEPS[optimiser.kind]

    @JOverride
    def stateSize(self, count):
        return int(count) * self.arrays

    @JOverride
    def instantiate(self, state, initialise):
        return ComposedUpdater(self, state.reshape(state.length()).assign(0.0))

    @JOverride
    def equals(self, other):
        return other is self

    @JOverride
    def hashCode(self):
        return 1

    @JOverride
    def clone(self):
        return self

    @JOverride
    def getLearningRate(self, iteration, epoch):
        return self.rate

    @JOverride
    def hasLearningRate(self):
        return True

    @JOverride
    def setLrAndSchedule(self, rate, schedule):
        self.rate = float(rate)


@JImplements("org.nd4j.linalg.learning.GradientUpdater", deferred=True)
class ComposedUpdater:
    def __init__(self, config, state):
        self.config, self.state = config, state
        self.seen = org.nd4j.linalg.learning.config.NoOp()  # DL4J asks it for a rate, several times in each step

    @JOverride
    def getConfig(self):
        return self.seen

    @JOverride
    def applyUpdater(self, gradient, iteration, epoch):
        self.config.step(self.config.optimiser, gradient, self.state, self.config.rate)

    @JOverride
    def setState(self, states, initialise):
        raise NotImplementedError("no worker restores an updater")

    @JOverride
    def getState(self):
        raise NotImplementedError("no worker keeps an updater")

    @JOverride
    def setStateViewArray(self, view, shape, order, initialise):
        raise NotImplementedError("the state is given when the updater is made")


def loss_of(job):
    """Return DL4J's loss and the activation that it takes."""
    loss, losses = job.recipe.loss, org.nd4j.linalg.lossfunctions.impl
    activations = org.nd4j.linalg.activations.Activation
    *steps, outputs = job.model.layers[-1].output_shape
    if loss.kind == "categorical_cross_entropy":
        weights = None
        if steps and loss.over_steps == "mean":  # DL4J's own is the sum
            nd4j = org.nd4j.linalg.factory.Nd4j
            weights = nd4j.valueArrayOf(longs([1, outputs]), 1.0 / steps[0], data_type(job.precision))
        return Output(losses.LossSparseMCXENT(SMALLEST_PROBABILITY, weights), activations.SOFTMAX)
    if loss.kind == "binary_cross_entropy":
        scale = 1.0 / outputs if loss.over_outputs == "mean" else 1.0
        return Output(SigmoidCrossEntropy(scale), activations.IDENTITY)
    return Output(losses.LossMSE() if loss.over_outputs == "mean" else losses.LossL2(), activations.IDENTITY)


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
