"""What a training step needs beyond DL4J's own classes: a loss, updaters, and a listener that stands before them."""

from jpype import JImplements, JOverride

from .dl4j_jvm import org
from .worker import trainable


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


@JImplements("org.deeplearning4j.optimize.api.TrainingListener", deferred=True)
class Steps:
    """Stands between gradient and updater in each step: sets the rate, adds up the loss, and changes the gradient,
    there still a sum over the batch's rows, where the spec wants what DL4J has not."""

    def __init__(self, job, net, stack, updater):
        self.recipe, self.stack = job.recipe, stack
        o = job.recipe.optimiser
        self.rates, self.rate, self.total, self.done = iter(()), o.learning_rate, 0.0, 0
        self.decayed = o.weight_decay if o.weight_decay_on == "all" else 0.0
        net.setListeners(self)
        self.state = net.getUpdater().getStateViewArray()
        if self.state is not None:
            self.state.assign(0.0)  # RmsProp's starts at epsilon
        blocks = net.getUpdater().getUpdaterBlocks()
        configs = [block.getGradientUpdater().getConfig() for block in blocks]
        self.configs = [config for config in [*configs, updater] if config.hasLearningRate()]

    def begin(self, rates):
        self.rates, self.total = iter(rates), 0.0

    @JOverride
    def onGradientCalculation(self, net):
        rows = int(net.batchSize())
        penalty = net.calcRegularizationScore(True) if self.recipe.optimiser.weight_decay > 0 else 0.0
        self.total += (net.score() - penalty) * rows
        self.done += 1
        self.set_rate(next(self.rates))
        gradients = net.gradient()
        for key in self.stack.frozen:
            gradients.getGradientFor(key).assign(0.0)
        if self.recipe.clip_norm is not None:
            self.clip(net, gradients, self.recipe.clip_norm * rows)
        for prefix, positions, momentum in self.stack.normalised:
            self.unbias(net, gradients, prefix, positions * rows, momentum)
            for key in (prefix + "gamma", prefix + "beta"):
                if self.decayed > 0:  # which DL4J leaves out for these
                    gradients.getGradientFor(key).addi(net.getParam(key).mul(self.decayed * rows))

    def set_rate(self, rate):
        o = self.recipe.optimiser
        if rate != self.rate:
            if o.kind == "sgd" and o.velocity == "gradient" and o.nesterov and o.momentum > 0:
                self.state.muli(rate / self.rate)  # DL4J's velocity is the step's: rate * the spec's
            for config in self.configs:
                config.setLrAndSchedule(rate, None)
            self.rate = rate
        if o.kind == "adam" and o.epsilon_form == "corrected":
            for config in self.configs:
                config.setEpsilon(o.epsilon * (1 - o.beta_2**self.done) ** 0.5)

    def clip(self, net, gradients, limit):
        """Bound the global norm; running statistics, which DL4J's gradient holds too, are none of it."""
        parts = [net.getGradientsViewArray()]
        if self.stack.normalised:
            keys = [key for name, (key, *_) in self.stack.tensors.items() if trainable(name)]
            parts = [gradients.getGradientFor(key) for key in keys]
        norm = sum(part.norm2Number().doubleValue() ** 2 for part in parts) ** 0.5
        if norm > limit:
            for part in parts:
                part.muli(limit / norm)

    def unbias(self, net, gradients, prefix, count, momentum):
        """DL4J subtracts (1 - momentum) * (running - batch's variance) from the running variance: make the batch's
        the unbiased one, of ``count`` numbers."""
        factor = count / max(count - 1, 1)
        step, running = gradients.getGradientFor(prefix + "var"), net.getParam(prefix + "var")
        step.muli(factor).addi(running.mul((1 - momentum) * (1 - factor)))

    @JOverride
    def iterationDone(self, net, iteration, epoch):
        """Not needed, as the others below."""

    @JOverride
    def onEpochStart(self, net):
        pass

    @JOverride
    def onEpochEnd(self, net):
        pass

    @JOverride
    def onForwardPass(self, net, activations):
        pass

    @JOverride
    def onBackwardPass(self, net):
        pass
