"""What DL4J's training is given besides: a listener that stands before the updater, and layers that keep a state."""

from jpype import JImplements, JOverride, JProxy

from .dl4j_jvm import org
from .worker import trainable

ALL_STEPS = 2**30


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
        double = org.nd4j.linalg.api.buffer.DataType.DOUBLE  # summed up in float32, a million numbers are off by 4e-4
        norm = sum(part.castTo(double).norm2Number().doubleValue() ** 2 for part in parts) ** 0.5
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


def make_stateful(net, place):
    recurrent, layer = "org.deeplearning4j.nn.api.layers.RecurrentLayer", net.getLayer(place)
    if hasattr(layer, "getUnderlying"):  # LastTimeStep's
        layer.setUnderlying(JProxy(recurrent, inst=Stateful(layer.getUnderlying())))
    else:
        net.getLayers()[place] = JProxy(recurrent, inst=Stateful(layer))
