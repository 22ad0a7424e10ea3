"""The spec's optimisers in Keras 2: Keras' own, and what those lack as classes to be put before the one that has the
rest."""

from typing import Any

from .keras_backend import BACKEND, keras
from .worker import decayed

K = keras.backend
Part: Any = object


class Gradients(Part):
    """Clips the gradients, then adds to each its factor of ``decays`` times the tensor."""

    def get_gradients(self, loss, params):
        grads = [BACKEND.dense(d) for d in K.gradients(loss, params)]
        if self.clip_norm is not None:
            norm = K.sqrt(sum(K.sum(K.square(d)) for d in grads))
            scale = K.minimum(self.clip_norm / norm, 1.0)
            grads = [d * scale for d in grads]
        return [d + decay * w if decay else d for d, w, decay in zip(grads, params, self.decays)]


class GradientVelocity(Part):
    """SGD whose velocity holds gradients; Keras' own holds steps."""

    @K.symbolic
    def get_updates(self, loss, params):
        grads = self.get_gradients(loss, params)
        velocities = [K.zeros(K.int_shape(w)) for w in params]
        self.weights, self.updates = velocities, []
        for w, d, velocity in zip(params, grads, velocities):
            new = self.momentum * velocity + d
            step = d + self.momentum * new if self.nesterov else new
            self.updates += [K.update(velocity, new), K.update(w, w - self.learning_rate * step)]
        return self.updates


class InsideEpsilon(Part):
    """RMSprop whose epsilon stands inside of the root; Keras' own has it outside."""

    @K.symbolic
    def get_updates(self, loss, params):
        grads = self.get_gradients(loss, params)
        squares = [K.zeros(K.int_shape(w)) for w in params]
        self.weights, self.updates = squares, []
        for w, d, v in zip(params, grads, squares):
            new = self.rho * v + (1.0 - self.rho) * K.square(d)
            step = self.learning_rate * d / K.sqrt(new + self.epsilon)
            self.updates += [K.update(v, new), K.update(w, w - step)]
        return self.updates


class CountedLast(Part):
    """Adam, whose updates read the count of steps that is one of them."""

    @K.symbolic
    def get_updates(self, loss, params):
        return BACKEND.counted_last(super().get_updates(loss, params), self.iterations)


class CorrectedEpsilon(Part):
    """Adam whose epsilon stands beside the corrected second moment: Keras' own with epsilon * sqrt(1 - beta_2^t)."""

    @property
    def epsilon(self):
        step = K.cast(self.iterations, K.floatx()) + 1.0
        return self.given_epsilon * K.sqrt(1.0 - K.pow(self.beta_2, step))

    @epsilon.setter
    def epsilon(self, value):
        self.given_epsilon = value


OWN = {  # kind -> Keras' class, and {what it takes: the spec's name}
    "sgd": (keras.optimizers.SGD, ("momentum", "nesterov")),
    "adam": (keras.optimizers.Adam, ("beta_1", "beta_2", "epsilon")),
    "adadelta": (keras.optimizers.Adadelta, ("rho", "epsilon")),
    "rmsprop": (keras.optimizers.RMSprop, ("rho", "epsilon")),
}


def make_optimiser(recipe, names):
    """Return the optimiser for the tensors ``names``, Keras' own wherever it has the form."""
    o = recipe.optimiser
    own, fields = OWN[o.kind]
    parts: Any = [CountedLast, Gradients] if o.kind == "adam" else [Gradients]
    if o.kind == "adam" and o.epsilon_form == "corrected":
        parts.append(CorrectedEpsilon)
    if o.kind == "rmsprop" and o.epsilon_form == "inside":
        parts.append(InsideEpsilon)
    if o.kind == "sgd" and o.velocity == "gradient" and o.momentum > 0:
        parts.append(GradientVelocity)
    options = {name: getattr(o, name) for name in fields}
    optimiser = type(own.__name__, (*parts, own), {})(learning_rate=o.learning_rate, **options)
    optimiser.clip_norm = recipe.clip_norm
    optimiser.decays = [o.weight_decay if decayed(o, name) else 0.0 for name in names]
    return optimiser
