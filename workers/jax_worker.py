"""JAX: a model of pure functions, an Optax optimiser, and a jitted step with donated buffers in a loop over batches.

The loop is Python's, over batches that lie on the device, as in JAX's Training Cookbook; a lax.scan over the epoch
would be compiled anew for each number of steps. Which of the two is faster has not been measured.
Plain functions, not Flax: nnx.jit walks the model in Python in every step, as its guide to performance says.
"""

from importlib import metadata
from typing import Any, Dict, List, NamedTuple

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
import optax

from . import jax_layers as layers
from .jax_recipe import make_optimiser, mean_loss
from .worker import Unsupported, Worker, batch_sizes, layer_weights, trainable


class Batches(NamedTuple):
    """Staged rows: [(x, targets)] as training cuts them, [x] as prediction does."""

    train: List[Any]
    predict: List[Any]


def compiled(recipe, forward):
    """Return the jitted training step and the jitted forward pass; both are pure."""

    def step(params, opt_state, state, x, targets, rate, key, number):
        def loss_of(params):
            outputs, kept = forward(params, state, x, jax.random.fold_in(key, number))
            return mean_loss(recipe.loss, outputs, targets), kept

        (loss, kept), gradients = jax.value_and_grad(loss_of, has_aux=True)(params)
        updates, opt_state = make_optimiser(recipe, rate).update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, kept, loss

    def score(params, state, x):
        return forward(params, state, x, None)

    return jax.jit(step, donate_argnums=(0, 1)), jax.jit(score)


def zero_states(model, rows, dtype):
    """Return {layer: h and c} of the stateful layers; a batch of fewer rows takes the first of them."""
    layers = [(item.name, item.layer.units) for item in model if getattr(item.layer, "stateful", False)]
    return {name: {role: jnp.zeros((rows, units), dtype) for role in "hc"} for name, units in layers}


class JaxWorker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": layers.reshape,
        "reshape": layers.reshape,
        "dropout": layers.dropout,
        "conv2d": layers.convolution,
        "conv1d": layers.convolution,
        "maxpool2d": layers.maxpool2d,
        "averagepool2d": layers.averagepool2d,
        "globalmaxpool1d": layers.globalmaxpool1d,
        "batchnorm": layers.batchnorm,
        "embedding": layers.embedding,
        "lstm": layers.lstm,
    }
    composed = {
        "dropout": "jax.random.bernoulli, and a scale",
        "averagepool2d": "sums of reduce_window, over the number of elements in each window",
        "batchnorm": "mean and variance from jax.numpy; the running ones too",
        "lstm": "lax.scan over the steps, the input's projection outside of it",
        "sgd": "velocity 'step': optax.trace behind the scaling by the rate, not before it as in optax.sgd",
        "adam": "epsilon_form 'uncorrected': optax.scale_by_adam, epsilon / sqrt(1 - beta_2^t)",
    }
    params: Dict[str, Any] = {}
    opt_state: Any = None
    state: Dict[str, Any] = {}
    predicted: Dict[str, Any] = {}  # of stateful layers, what prediction goes on from

    def versions(self):
        found = {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "optax": optax.__version__}
        for name in ("jax-cuda12-plugin", "nvidia-cudnn-cu12"):
            found.update({each.name: each.version for each in metadata.distributions(name=name)})
        return found

    def open_device(self, device, threads):
        """There is no API for threads: NPROC and the CPUs of the process set them, before JAX is imported."""
        jax.config.update("jax_platforms", "cuda" if device == "gpu" else "cpu")
        jax.config.update("jax_default_matmul_precision", "highest")  # float32 is float32
        try:
            jax.devices()
        except RuntimeError as error:
            raise Unsupported("jax {} finds no GPU and driver that it can use".format(jax.__version__)) from error

    def build(self, job, weights):
        jax.config.update("jax_enable_x64", job.precision == "float64")
        self.recipe, self.dtype, self.model = job.recipe, job.precision, job.model.layers
        self.params, self.state = {}, {}
        for item in self.model:
            own = {role: jnp.array(w, self.dtype) for role, w in layer_weights(weights, item.name).items()}
            self.params[item.name] = {role: w for role, w in own.items() if trainable(role)}
            self.state[item.name] = {role: w for role, w in own.items() if not trainable(role)} or None
        self.zero = zero_states(self.model, self.recipe.batch_size, self.dtype)
        self.wide_zero = zero_states(self.model, self.recipe.evaluation_batch_size, self.dtype)
        self.reset_states()
        self.opt_state = make_optimiser(self.recipe, 0.0).init(self.params)
        self.key, self.steps = jax.random.key(job.seed), 0
        self.step, self.score = compiled(self.recipe, self.forward)
        train, predict = batch_sizes(job)
        for rows in train:
            ((x, targets),) = self.zeros(job, rows).train
            fresh = jax.tree.map(jnp.copy, (self.params, self.opt_state))  # the step takes over what it is given
            self.step(*fresh, self.state, x, targets, 0.0, self.key, 0)
        for rows in predict:
            self.predict(self.zeros(job, rows))

    def zeros(self, job, rows):
        (source,), outputs = job.inputs, self.model[-1].output_shape
        classes = self.recipe.loss.kind == "categorical_cross_entropy"
        x = np.zeros([rows, *source.shape], np.int32 if source.dtype == "int32" else np.float32)
        y = np.zeros([rows, *(outputs[:-1] if classes else outputs)], np.int32 if classes else np.float32)
        return self.stage({source.name: x}, y)

    def forward(self, params, state, x, key):
        """Return the model's outputs and what its layers keep. params, state: {layer's name: its p or s}."""
        keys = [None] * len(self.model) if key is None else jax.random.split(key, len(self.model))
        kept = {}
        for item, own in zip(self.model, keys):
            x, kept[item.name] = self.layers[item.layer.kind](item, params[item.name], state[item.name], x, own)
        return x, kept

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        x, targets = [a.astype(self.dtype if a.dtype.kind == "f" else "int32", copy=False) for a in (x, targets)]
        size, wide = self.recipe.batch_size, self.recipe.evaluation_batch_size
        train = [(x[i : i + size], targets[i : i + size]) for i in range(0, len(x), size)]
        predict = [x[i : i + wide] for i in range(0, len(x), wide)]
        return jax.block_until_ready(jax.device_put(Batches(train, predict)))

    def train_epoch(self, handle, rates):
        losses = []
        for (x, targets), rate in zip(handle.train, rates.tolist()):
            self.params, self.opt_state, self.state, loss = self.step(
                self.params, self.opt_state, self.state, x, targets, rate, self.key, self.steps
            )
            self.steps += 1
            losses.append(loss)
        rows = [len(x) for x, _ in handle.train]
        return sum(float(loss) * n for loss, n in zip(jax.device_get(losses), rows)) / sum(rows)

    def predict(self, handle):
        self.reset_unless_carried()
        state, outputs = dict(self.state, **self.predicted), []
        for x in handle.predict:
            y, state = self.score(self.params, state, x)
            outputs.append(y)
        self.predicted = {name: state[name] for name in self.predicted}
        self.reset_unless_carried()
        return np.concatenate(jax.device_get(outputs))

    def reset_states(self):
        self.state.update(self.zero)
        self.predicted = self.wide_zero

    def parameters(self):
        values = {}
        for item in self.model:
            found = {**self.params[item.name], **(self.state[item.name] or {})}
            values.update({item.name + "/" + role: np.array(found[role]) for role in item.parameters})
        return values

    def synchronize(self):
        jax.block_until_ready((self.params, self.opt_state, self.state))


WORKER = JaxWorker
