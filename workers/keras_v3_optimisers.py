"""The spec's optimisers: Keras' own, and what those lack as classes to be put before the one that has the rest."""

from typing import Any

from .keras_backend import BACKEND, keras
from .worker import decayed

Part: Any = object


class GradientVelocity(Part):
    """SGD whose velocity holds gradients; Keras' own holds steps."""

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(velocity, velocity * self.momentum + gradient)
        step = gradient + velocity * self.momentum if self.nesterov else velocity
        self.assign_sub(variable, step * learning_rate)


class CorrectedEpsilon(Part):
    """Adam whose epsilon stands beside the corrected second moment: Keras' own with epsilon * sqrt(1 - beta_2^t)."""

    @property
    def epsilon(self):
        step = keras.ops.cast(self.iterations + 1, "float32")
        return self.given_epsilon * keras.ops.sqrt(1 - keras.ops.power(self.beta_2, step))

    @epsilon.setter
    def epsilon(self, value):
        self.given_epsilon = value


class OutsideEpsilon(Part):
    """RMSprop whose epsilon stands outside of the root; Keras' own has it inside."""

    def update_step(self, gradient, variable, learning_rate):
        v = self._velocities[self._get_variable_index(variable)]
        self.assign(v, v * self.rho + keras.ops.square(gradient) * (1 - self.rho))
        self.assign_sub(variable, gradient * learning_rate / (keras.ops.sqrt(v) + self.epsilon))


class DecayInGradient(Part):
    """Clips the gradients, then adds to each its factor of ``decays`` times the tensor; Keras' own comes later."""

    def apply(self, grads, trainable_variables=None):
        grads = [BACKEND.dense(d) for d in grads]
        if self.clip_norm is not None:
            norm = keras.ops.sqrt(sum(keras.ops.sum(keras.ops.square(d)) for d in grads))
            scale = keras.ops.minimum(self.clip_norm / norm, 1.0)
            grads = [d * scale for d in grads]
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        grads = [d + decay * w if decay else d for d, w, decay in zip(grads, variables, self.decays)]
        super().apply(grads, trainable_variables)


OWN = {  # kind -> Keras' class, and the fields that it takes under the spec's names
    "sgd": (keras.optimizers.SGD, ("momentum", "nesterov")),
    "adam": (keras.optimizers.Adam, ("beta_1", "beta_2", "epsilon")),
    "adadelta": (keras.optimizers.Adadelta, ("rho", "epsilon")),
    "rmsprop": (keras.optimizers.RMSprop, ("rho", "epsilon")),
}


def make_optimiser(recipe, names):
    """Return the optimiser for the tensors ``names``, Keras' own wherever it has the form."""
    o = recipe.optimiser
    own, fields = OWN[o.kind]
    options = {name: getattr(o, name) for name in fields}
    base, parts = type(own()), []  # for PyTorch it is a subclass, which updates all tensors at once
    if o.kind == "adam" and o.epsilon_form == "corrected":
        parts = [CorrectedEpsilon]
    if o.kind == "rmsprop" and o.epsilon_form == "outside":
        parts, base = [OutsideEpsilon], own
    if o.kind == "sgd" and o.velocity == "gradient" and o.momentum > 0:
        parts, base = [GradientVelocity], own
    decays = [o.weight_decay if decayed(o, name) else 0.0 for name in names]
    sparse = any(name.endswith("/table") for name in names)  # TensorFlow squares such a gradient row by row
    if any(decays) or sparse:
        parts.insert(0, DecayInGradient)
    else:
        options["global_clipnorm"] = recipe.clip_norm
    optimiser = type(own.__name__, (*parts, base), {})(learning_rate=o.learning_rate, **options)
    optimiser.decays, optimiser.clip_norm = decays, recipe.clip_norm
    return optimiser
