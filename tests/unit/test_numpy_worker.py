"""The reference's own proof: its gradients against finite differences, its optimisers against their formulas."""

from typing import Any

import numpy as np
import pytest

from tests.jobs import CATEGORICAL, FLAT, IMAGE, STEPS, TOKENS, make_batch, make_job, make_weights
from workers.numpy_worker import NumpyWorker
from workers.spec import Job
from workers.worker import trainable

DENSE = {"kind": "dense", "units": 5}
MODELS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "dense": ([{"kind": "dense", "units": 7, "bias": False}, DENSE], FLAT),
    **{
        f"activation {function}": ([DENSE, {"kind": "activation", "function": function}, DENSE], FLAT)
        for function in ("tanh", "relu", "sigmoid", "elu", "softmax", "linear")
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
    "conv1d": (
        [
            {"kind": "conv1d", "filters": 3, "kernel_size": 2},
            {"kind": "conv1d", "filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "bias": False},
            {"kind": "globalmaxpool1d"},
            DENSE,
        ],
        STEPS,
    ),
    "averagepool2d": (
        [
            {"kind": "conv2d", "filters": 3, "kernel_size": [2, 2]},
            {"kind": "averagepool2d"},
            {"kind": "averagepool2d", "pool_size": [3, 2], "strides": [2, 1], "padding": "same"},
            {"kind": "flatten"},
            DENSE,
        ],
        IMAGE,
    ),
    "batchnorm": (
        [
            {"kind": "batchnorm"},
            {"kind": "conv2d", "filters": 3, "kernel_size": [2, 2]},
            {"kind": "batchnorm", "epsilon": 0.1},
            {"kind": "reshape", "shape": [7, 24]},
            {"kind": "dense", "units": 4},
            {"kind": "batchnorm"},
            {"kind": "flatten"},
            {"kind": "batchnorm"},
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
    check_gradients(job, *make_batch(job, rows=6))


def check_gradients(job: Job, x: np.ndarray, y: np.ndarray) -> None:
    weights = make_weights(job)
    worker = NumpyWorker()
    worker.build(job, weights)
    x, y = worker.stage({"x": x}, y)
    _, gradients = worker.gradients(x, y)
    assert set(gradients) == set(filter(trainable, weights))
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


@pytest.mark.parametrize("over_steps", ["mean", "sum"])
def test_a_loss_over_steps_has_the_right_gradient(over_steps: str) -> None:
    layers = [{"kind": "lstm", "units": 4, "output": "sequence"}, {"kind": "dense", "units": 4}, DENSE]
    job = make_job(layers, STEPS, loss=CATEGORICAL | {"over_steps": over_steps}, precision="float64")
    x, y = make_batch(job, rows=3)
    assert y.shape == (3, 6)
    check_gradients(job, x, y)


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


def test_adadelta_and_rmsprop_by_hand() -> None:
    adadelta = {"kind": "adadelta", "rho": 0.5, "epsilon": 0.5}
    first = 2.0 * (0.5 / 2.5) ** 0.5  # squares 2, steps 0
    second = 1.0 * ((0.5 * first**2 + 0.5) / (0.5 * 2 + 0.5 + 0.5)) ** 0.5
    assert one_weight_trained(adadelta, [2.0, 1.0], [1.0, 0.5]) == pytest.approx([1 - first, 1 - first - 0.5 * second])
    rmsprop = {"kind": "rmsprop", "learning_rate": 0.1, "rho": 0.75, "epsilon": 0.5}
    assert one_weight_trained(rmsprop, [2.0], [0.1]) == pytest.approx([1 - 0.1 * 2.0 / (1.0 + 0.5)])
    inside = one_weight_trained(rmsprop | {"epsilon_form": "inside"}, [2.0], [0.1])
    assert inside == pytest.approx([1 - 0.1 * 2.0 / 1.5**0.5])


def test_batchnorm_keeps_running_statistics_for_prediction() -> None:
    job = make_job([{"kind": "batchnorm", "momentum": 0.75, "epsilon": 0.5}, DENSE], FLAT, precision="float64")
    worker, weights = NumpyWorker(), make_weights(job)
    worker.build(job, weights)
    x, y = make_batch(job, rows=8)
    worker.train_epoch(worker.stage({"x": x}, y), np.array([1e-12]))
    after = worker.parameters()
    for name, of_batch in (("running_mean", x.mean(axis=0)), ("running_variance", x.var(axis=0, ddof=1))):
        expected = 0.75 * weights[f"batchnorm_1/{name}"] + 0.25 * of_batch
        assert after[f"batchnorm_1/{name}"] == pytest.approx(expected, rel=1e-6)
    hidden = (x - after["batchnorm_1/running_mean"]) / np.sqrt(after["batchnorm_1/running_variance"] + 0.5)
    hidden = hidden * after["batchnorm_1/gamma"] + after["batchnorm_1/beta"]
    expected = hidden @ after["dense_1/kernel"] + after["dense_1/bias"]
    assert worker.predict(worker.stage({"x": x}, y)) == pytest.approx(expected)


def test_a_stateful_lstm_goes_on_from_batch_to_batch() -> None:
    """Two halves of a sequence in two batches predict what the whole sequence does in one."""
    lstm = {"kind": "lstm", "units": 4, "output": "sequence", "stateful": True}
    whole = make_job([lstm, DENSE], STEPS, evaluation_batch_size=3)
    halves = make_job([lstm, DENSE], STEPS | {"shape": [3, 4]}, evaluation_batch_size=3)
    x, y = make_batch(whole, rows=3)
    found = []
    for job, rows in ((whole, x), (halves, np.concatenate([x[:, :3], x[:, 3:]]))):
        worker = NumpyWorker()
        worker.build(job, make_weights(job))
        found.append(worker.predict(worker.stage({"x": rows}, y)))
    assert np.concatenate([found[1][:3], found[1][3:]], axis=1) == pytest.approx(found[0])


def test_rows_predicted_in_parts_with_carried_states_are_those_of_one_prediction() -> None:
    """Without that each part starts at zero, whatever training left; and training after it starts at zero too."""
    lstm = {"kind": "lstm", "units": 4, "output": "sequence", "stateful": True}
    job = make_job([lstm, lstm, DENSE], STEPS, batch_size=3, evaluation_batch_size=3)
    x, y = make_batch(job, rows=8)
    worker = NumpyWorker()
    worker.build(job, make_weights(job))
    worker.train_epoch(worker.stage({"x": x}, y), np.full(3, 0.1))
    parts = [worker.stage({"x": x[rows]}, y[rows]) for rows in (slice(0, 6), slice(6, 8))]
    whole = worker.predict(worker.stage({"x": x}, y))
    worker.carries_states = True
    carried = [worker.predict(part) for part in parts]
    assert np.array_equal(np.concatenate(carried), whole)
    worker.carries_states = False
    worker.reset_states()
    assert all(layer.state is None for _, layer in worker.model)
    assert np.array_equal(worker.predict(parts[0]), whole[:6])
    assert not np.allclose(worker.predict(parts[1]), whole[6:])


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
