"""MXNet: the spec's optimisers as those of ``mx.optimizer``, and the forms that those lack as classes of theirs."""

from .mxnet_library import mx, nd


class NAG(mx.optimizer.NAG):
    """NAG from a copy of the weight: in place, MXNet's kernel decays the velocity by the weight after the step."""

    def update_multi_precision(self, index, weight, grad, state):
        decay = self._get_wd(index)
        if state is None or decay == 0:
            super().update_multi_precision(index, weight, grad, state)
            return
        self._update_count(index)
        options = {"momentum": self.momentum, "rescale_grad": self.rescale_grad}
        nd.nag_mom_update(weight.copy(), grad, state, out=weight, lr=self._get_lr(index), wd=decay, **options)


class GradientVelocity(mx.optimizer.Optimizer):
    """For MXNet's SGD and NAG, whose velocity is -rate times the spec's: rescaled when the rate changes."""

    def __init__(self, **options):
        self.velocities = []
        super().__init__(**options)

    def create_state(self, index, weight):
        self.velocities.append(super().create_state(index, weight))
        return self.velocities[-1]

    def set_learning_rate(self, lr):
        for velocity in self.velocities:
            if velocity is not None:  # without momentum there is none
                velocity *= lr / self.lr
        super().set_learning_rate(lr)


class GradientSGD(GradientVelocity, mx.optimizer.SGD):
    pass


class GradientNAG(GradientVelocity, NAG):
    pass


class CorrectedAdam(mx.optimizer.Adam):
    """Adam whose epsilon stands beside the corrected second moment: MXNet's with epsilon * sqrt(1 - beta_2^t)."""

    @property
    def epsilon(self):
        return self.given_epsilon * (1 - self.beta2**self.num_update) ** 0.5

    @epsilon.setter
    def epsilon(self, value):
        self.given_epsilon = value


class AdaDelta(mx.optimizer.AdaDelta):
    """AdaDelta with a rate, and with the weight decay in the gradient."""

    def update(self, index, weight, grad, state):
        self._update_count(index)
        rate, decay = self._get_lr(index), self._get_wd(index)
        squares, steps = state
        d = grad * self.rescale_grad
        if decay:
            d += decay * weight
        squares *= self.rho
        squares += (1 - self.rho) * nd.square(d)
        d *= nd.sqrt((steps + self.epsilon) / (squares + self.epsilon))
        steps *= self.rho
        steps += (1 - self.rho) * nd.square(d)
        weight -= rate * d


class OutsideRMSProp(mx.optimizer.RMSProp):
    """RMSProp with epsilon outside of the root: the kernel of Adam, its first moment being the gradient."""

    def create_state(self, index, weight):
        return nd.zeros_like(weight), nd.zeros_like(weight)

    def update(self, index, weight, grad, state):
        self._update_count(index)
        options = {"beta1": 0.0, "beta2": self.gamma1, "epsilon": self.epsilon, "rescale_grad": self.rescale_grad}
        options.update(lr=self._get_lr(index), wd=self._get_wd(index))
        nd.adam_update(weight, grad, *state, out=weight, **options)


def make_optimiser(o):
    """Return MXNet's optimiser of a spec's, its own wherever it has the form."""
    common = {"learning_rate": o.learning_rate, "wd": o.weight_decay}
    if o.kind == "adam":
        own = CorrectedAdam if o.epsilon_form == "corrected" else mx.optimizer.Adam
        return own(beta1=o.beta_1, beta2=o.beta_2, epsilon=o.epsilon, **common)
    if o.kind == "adadelta":
        return AdaDelta(rho=o.rho, epsilon=o.epsilon, **common)
    if o.kind == "rmsprop":
        own = OutsideRMSProp if o.epsilon_form == "outside" else mx.optimizer.RMSProp
        return own(gamma1=o.rho, epsilon=o.epsilon, **common)
    if o.velocity == "gradient":
        own = GradientNAG if o.nesterov else GradientSGD
    else:
        own = NAG if o.nesterov else mx.optimizer.SGD
    return own(momentum=o.momentum, **common)


def clip(gradients, limit):
    """Bound the global norm. Gluon's clip_global_norm takes a dot product, off by 5e-4 over 16 million numbers."""
    norm = nd.sqrt(nd.add_n(*[nd.sum(nd.square(d)) for d in gradients]))
    scale = nd.minimum(limit / norm, 1)
    for d in gradients:
        d *= scale
