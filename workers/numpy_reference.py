"""The float64 reference that the parity gate holds every framework to, and how far off right code may be.

A fixed tolerance cannot work: right float32 code strays by 1e-2 under Adam where a ReLU flips, and by more than
its own size on a bias before batch normalisation. So the reference also runs six times with the rounding of a
float32 worker (noise on weights, inputs and gradients, parameters kept in float32), and a tensor may be off by
five times the largest deviation among these runs, or by twice what comes of its near kinks decided the other way.
"""

import json
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from .numpy_kinks import OtherSideWorker, has_kinks
from .numpy_worker import NumpyWorker
from .parity import ROWS, STEPS, pass_job, relative, run_pass, update_errors
from .spec import Job
from .worker import Arrays, trainable

SEED = 1
NOISE = 3e-7  # relative; about what float32 rounding does to a weight, an input and a gradient
DISTURBED_RUNS = 6
FACTOR = 5.0
KINK_FACTOR = 2.0  # of the run that turns all near kinks over, where a worker may turn over some
SMALLEST_UPDATE_BOUND = 1e-3
SMALLEST_VALUE_BOUND = 1e-5  # of outputs and losses
STRESS = {"epsilon": 1e-3, "weight_decay": 0.1}


def make_reference(job: Job, weights: Arrays) -> Arrays:
    """Return the record that ``parity.check`` holds workers to: arrays, and JSON under ``meta``.

    ``job`` is the workload's own and ``weights`` its initial ones; all is computed in float64.
    """
    job = job.model_copy(update={"precision": "float64"})
    rng = np.random.RandomState(SEED)
    record = {"weights/" + name: _not_constant(value, rng) for name, value in weights.items()}
    for step in range(max(STEPS.values())):
        record["x/%d" % step], record["y/%d" % step] = _noise_batch(job, rng)
    meta: Dict[str, Any] = {
        "targets": record["y/0"].dtype.kind,
        "dropout": {item.name: item.layer.rate for item in job.model.layers if item.layer.kind == "dropout"},
        "dropout_in_prediction": job.dropout_in_prediction,
        "outputs_bound": SMALLEST_VALUE_BOUND,
        "passes": {},
        "stress": {},
    }
    for name in STEPS:
        meta["passes"][name] = _record_pass(job, name, record, meta)
        if name == "gradient":
            meta["stress"] = _stress(job, record)
    record["meta"] = np.array(json.dumps(meta))
    return record


def _not_constant(value: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """A bias of zero would hide one that is dropped or added twice."""
    if value.min() == value.max():
        value = value + 0.1 * rng.randn(*value.shape)
    return value.astype(np.float32)


def _noise_batch(job: Job, rng: np.random.RandomState) -> Tuple[np.ndarray, np.ndarray]:
    (source,) = job.inputs
    shape = [ROWS, *source.shape]
    if source.dtype == "int32":
        vocabulary = min(item.layer.vocabulary_size for item in job.model.layers if item.layer.kind == "embedding")
        x = rng.randint(0, vocabulary, shape).astype(np.int32)
    else:
        x = rng.randn(*shape).astype(np.float32)
    *steps, outputs = job.model.layers[-1].output_shape
    if job.recipe.loss.kind == "categorical_cross_entropy":
        return x, rng.randint(0, outputs, [ROWS, *steps]).astype(np.int32)
    binary = job.recipe.loss.kind == "binary_cross_entropy"
    y = rng.randint(0, 2, (ROWS, outputs)) if binary else rng.randn(ROWS, outputs)
    return x, y.astype(np.float32)


def _stress(job: Job, record: Arrays) -> Dict[str, Any]:
    """Return {field: (factor, addend)} that takes the recipe's own values to the stressed ones.

    Clipping is made active at half of the first gradient's norm; that gradient is the first pass's update.
    """
    first = [a for key, a in record.items() if key.startswith("update/gradient/") and trainable(key)]
    norm = sum(float((value**2).sum()) for value in first) ** 0.5
    targets = dict(STRESS, clip_norm=0.5 * norm)
    own = {field: getattr(job.recipe.optimiser, field, 0.0) for field in STRESS}
    own["clip_norm"] = job.recipe.clip_norm or 0.0
    return {field: (target / own[field], 0.0) if own[field] > 0 else (1.0, target) for field, target in targets.items()}


class DisturbedWorker(NumpyWorker):
    """The reference with the rounding of a float32 worker: noise on gradients, parameters kept in float32."""

    def __init__(self, rng: np.random.RandomState) -> None:
        self.noise = rng

    def disturb(self, gradients: List[np.ndarray]) -> None:
        largest = max(float((d * d).mean()) for d in gradients) ** 0.5
        for d in gradients:
            d += NOISE * largest * self.noise.randn(*d.shape)

    def update(self, gradients: Arrays, rate: float) -> None:
        super().update(gradients, rate)
        for value in self.weights.values():
            value[...] = value.astype(np.float32)


def _disturbed(record: Arrays, number: int) -> Tuple[DisturbedWorker, Arrays]:
    """Return a float64 worker with noisy gradients, and the record with noisy weights and inputs."""
    rng = np.random.RandomState(SEED + 1 + number)
    near = {}
    for key, value in record.items():
        noisy = key.startswith(("weights/", "x/")) and value.dtype.kind == "f"
        near[key] = value * (1 + NOISE * rng.randn(*value.shape)) if noisy else value
    return DisturbedWorker(rng), near


def _others(job: Job, record: Arrays) -> Iterator[Tuple[float, NumpyWorker, Arrays]]:
    """Yield what right code may do otherwise: a worker, its record, and how often its deviation is allowed."""
    for number in range(DISTURBED_RUNS):
        yield (FACTOR, *_disturbed(record, number))
    if has_kinks(job):
        yield KINK_FACTOR, OtherSideWorker(), record


def _record_pass(job: Job, name: str, record: Arrays, meta: Dict[str, Any]) -> Dict[str, Any]:
    """Record the outputs and updates of a pass; return its losses and what errors right code may have."""
    job = pass_job(job, name, meta["stress"])
    exact = run_pass(NumpyWorker(), job, name, record)
    loss_bounds = [SMALLEST_VALUE_BOUND] * len(exact.losses)
    bounds = dict.fromkeys(exact.updates, SMALLEST_UPDATE_BOUND)
    for factor, worker, near in _others(job, record):
        run = run_pass(worker, job, name, near)
        loss_bounds = [
            max(bound, factor * abs(a - b) / max(abs(b), 1e-30))
            for bound, a, b in zip(loss_bounds, run.losses, exact.losses)
        ]
        for key, error in update_errors(run.updates, exact.updates).items():
            bounds[key] = max(bounds[key], factor * error)
        meta["outputs_bound"] = max(meta["outputs_bound"], factor * relative(run.outputs, exact.outputs))
    record["outputs"] = exact.outputs
    record.update({"update/" + name + "/" + key: value for key, value in exact.updates.items()})
    return {"losses": exact.losses, "loss_bounds": loss_bounds, "bounds": bounds}
