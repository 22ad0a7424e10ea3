"""The reference's own proof: its gradients against finite differences, its optimisers against their formulas."""

from typing import Any

import numpy as np
import pytest

from tests.jobs import CATEGORICAL, FLAT, IMAGE, STEPS, TOKENS, make_batch, make_job, make_weights
from workers.numpy_worker import NumpyWorker

DENSE = {"kind": "dense", "units": 5}
MODELS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "dense": ([{"kind": "dense", "units": 7, "bias": False}, DENSE], FLAT),
    **{
        f"activation {function}": ([DENSE, {"kind": "activation", "function": function}, DENSE], FLAT)
        for function in ("tanh", "relu", "sigmoid", "softmax", "linear")
    },
    "flatten": ([{"kind": "flatten"}, DENSE], IMAGE),
    "conv2d valid": ([{"kind": "conv2d", "filters": 3, "kernel_size": [3, 2]}, {"kind": "flatten"}, DENSE], IMAGE),
    "conv2d same, strides, no bias": (
        [
            {"kind": "conv2d", "filters": 3, "kernel_size": [2, 3]},
            {
                "kind": "conv2d",
                "filters": 3,
                "kernel_size": [3, 2],
                "strides": [2, 3],
                "padding": "same",
                "bias": False,
            },
            {"kind": "flatten"},
            DENSE,
        ],
        IMAGE,
    ),
    "maxpool2d": (
        [
            {"kind": "conv2d", "filters": 3, "kernel_size": [2, 2]},
            {"kind": "maxpool2d"},
            {"kind": "maxpool2d", "pool_size": [3, 2], "strides": [2, 1], "padding": "same"},
            {"kind": "flatten"},
            DENSE,
        ],
        IMAGE,
    ),
    "lstm last": ([{"kind": "lstm", "units": 4}, DENSE], STEPS),
    "lstm sequence, other gates, no bias": (
        [
            {"kind": "lstm", "units": 4, "output": "sequence", "gate_order": "ifog", "bias": False},
            {"kind": "lstm", "units": 3},
            DENSE,
        ],
        STEPS,
    ),
    "embedding": (
        [{"kind": "embedding", "vocabulary_size": 11, "units": 4}, {"kind": "lstm", "units": 3}, DENSE],
        TOKENS,
    ),
}
LOSSES = {
    "categorical": CATEGORICAL,
    **{
        f"{kind} {over}": {"kind": kind, "over_outputs": over}
        for kind in ("binary_cross_entropy", "mean_squared_error")
        for over in ("mean", "sum")
    },
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_agree_with_finite_differences(model: str, loss: str) -> None:
    job = make_job(*MODELS[model], loss=LOSSES[loss], precision="float64")
    weights = make_weights(job)
    x, y = make_batch(job, rows=6)
    worker = NumpyWorker()
    worker.build(job, weights)
    x, y = worker.stage({"x": x}, y)
    _, gradients = worker.gradients(x, y)
    assert set(gradients) == set(weights)
    step = 1e-6
    for name, gradient in gradients.items():
        flat = worker.weights[name].reshape(-1)
        for place in np.random.default_rng(0).choice(flat.size, min(flat.size, 12), replace=False):
            kept = flat[place]
            flat[place] = kept + step
            above, _ = worker.gradients(x, y)
            flat[place] = kept - step
            below, _ = worker.gradients(x, y)
            flat[place] = kept
            slope = (above - below) / (2 * step)
            assert gradient.reshape(-1)[place] == pytest.approx(slope, rel=1e-5, abs=1e-8), f"{name}[{place}]"


def one_weight_trained(optimiser: dict[str, Any], gradients: list[float], rates: list[float]) -> list[float]:
    """Return a single weight's path from 1.0 under these gradients."""
    job = make_job(
        [{"kind": "dense", "units": 1, "bias": False}], FLAT | {"shape": [1]}, optimiser, precision="float64"
    )
    worker = NumpyWorker()
    worker.build(job, {"dense_1/kernel": np.ones((1, 1))})
    path = []
    for gradient, rate in zip(gradients, rates, strict=True):
        worker.update({"dense_1/kernel": np.full((1, 1), gradient)}, rate)
        path.append(float(worker.weights["dense_1/kernel"][0, 0]))
    return path


def test_sgd_velocity_forms_differ_once_the_rate_changes() -> None:
    sgd = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.5}
    step = one_weight_trained(sgd | {"velocity": "step"}, [1.0, 1.0], [0.1, 0.2])
    gradient = one_weight_trained(sgd | {"velocity": "gradient"}, [1.0, 1.0], [0.1, 0.2])
    assert step == pytest.approx([0.9, 0.9 - (0.5 * 0.1 + 0.2)])
    assert gradient == pytest.approx([0.9, 0.9 - 0.2 * (1.0 + 0.5)])


def test_sgd_nesterov_and_weight_decay() -> None:
    nesterov = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.5, "nesterov": True}
    assert one_weight_trained(nesterov, [1.0], [0.1]) == pytest.approx([1 - 0.1 * 0.5 - 0.1])
    decay = {"kind": "sgd", "learning_rate": 0.1, "weight_decay": 0.3}
    assert one_weight_trained(decay, [1.0], [0.1]) == pytest.approx([1 - 0.1 * (1.0 + 0.3)])


def test_adam_forms_of_epsilon() -> None:
    adam = {"kind": "adam", "learning_rate": 0.1, "epsilon": 0.5, "beta_1": 0.9, "beta_2": 0.99}
    # After one step both means equal the gradient once they are corrected.
    assert one_weight_trained(adam, [2.0], [0.1]) == pytest.approx([1 - 0.1 * 2.0 / (2.0 + 0.5)])
    uncorrected = one_weight_trained(adam | {"epsilon_form": "uncorrected"}, [2.0], [0.1])
    root = (1 - 0.99) ** 0.5
    assert uncorrected == pytest.approx([1 - 0.1 * root / 0.1 * (0.1 * 2.0) / (root * 2.0 + 0.5)])


def test_clipping_bounds_the_norm_over_all_tensors_before_weight_decay() -> None:
    optimiser = {"kind": "sgd", "learning_rate": 1.0, "weight_decay": 0.25}
    job = make_job(
        [{"kind": "dense", "units": 1}], FLAT | {"shape": [1]}, optimiser, clip_norm=1.0, precision="float64"
    )
    worker = NumpyWorker()
    worker.build(job, {"dense_1/kernel": np.ones((1, 1)), "dense_1/bias": np.ones(1)})
    worker.update({"dense_1/kernel": np.full((1, 1), 3.0), "dense_1/bias": np.full(1, 4.0)}, 1.0)
    assert worker.weights["dense_1/kernel"][0, 0] == pytest.approx(1 - 0.6 - 0.25)
    assert worker.weights["dense_1/bias"][0] == pytest.approx(1 - 0.8)  # a bias does not decay


def test_training_in_batches_keeps_the_short_last_one() -> None:
    job = make_job([DENSE], FLAT, batch_size=4)
    worker = NumpyWorker()
    worker.build(job, make_weights(job))
    x, y = make_batch(job, rows=10)
    handle = worker.stage({"x": x}, y)
    loss = worker.train_epoch(handle, np.full(3, 1e-9))
    singles = [worker.gradients(x[i : i + 1], y[i : i + 1])[0] for i in range(10)]
    assert loss == pytest.approx(float(np.mean(singles)), rel=1e-5)
    assert worker.predict(handle).shape == (10, 5)
