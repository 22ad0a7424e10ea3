"""Which way a ReLU or a pooling falls that is nearer than float32 can tell is luck: the gate allows it, and no more."""

import functools
from typing import Any

import numpy as np
import pytest

from tests.jobs import CATEGORICAL, IMAGE, STEPS, make_job, make_weights
from workers import numpy_layers, numpy_reference, parity
from workers.numpy_kinks import REACH, OtherSideWorker, has_kinks, near
from workers.numpy_worker import NumpyWorker
from workers.spec import Job

RELU = {"kind": "activation", "function": "relu"}
HEAD = [{"kind": "flatten"}, {"kind": "dense", "units": 5}]
CONV = {"kind": "conv2d", "filters": 4, "kernel_size": [3, 3], "padding": "same"}
NEAR_SEED = 1  # of weights with which an element that has a gradient is near zero in the first step
PICTURE = {"name": "x", "shape": [32, 32, 3], "dtype": "float32"}


@functools.cache
def large_job() -> Job:
    """A job of so many elements that some of them are near a kink."""
    return make_job([CONV | {"filters": 24}, RELU, {"kind": "maxpool2d"}, *HEAD], PICTURE, loss=CATEGORICAL)


@functools.cache
def record() -> dict[str, np.ndarray]:
    return numpy_reference.make_reference(large_job(), make_weights(large_job(), NEAR_SEED))


def of_one_layer(worker: type[NumpyWorker], layer: dict[str, Any], source: dict[str, Any]) -> Any:
    (item,) = make_job([layer], source).model.layers
    return worker.layers[item.layer.kind](item, {}, None)


@pytest.mark.parametrize("distance", [0.5, -0.5, 2.0, -2.0])
def test_a_relu_within_reach_of_zero_passes_its_gradient_on_the_other_side(distance: float) -> None:
    x = np.array([[1.0, -1.0, 1.0, -1.0, distance * REACH]])
    x /= (x * x).mean() ** 0.5
    layer = of_one_layer(OtherSideWorker, RELU, {"name": "x", "shape": [5], "dtype": "float32"})
    assert np.array_equal(layer.forward(x, True), np.maximum(x, 0))
    turned = (distance > 0) != (abs(distance) < 1)
    assert layer.backward(np.ones_like(x)).tolist() == [[1, 0, 1, 0, float(turned)]]


@pytest.mark.parametrize(("gap", "winner"), [(0.5, 0), (2.0, 3), (0.0, 0)])
def test_a_pooling_gives_its_gradient_to_the_runner_up_within_reach(gap: float, winner: int) -> None:
    """At gap 0, an exact tie, the first of both has it, as everywhere."""
    x = np.array([1.0, -1.0, 0.5, 1.0 + gap * REACH]).reshape(1, 2, 2, 1)
    layer = of_one_layer(OtherSideWorker, {"kind": "maxpool2d"}, {"name": "x", "shape": [2, 2, 1], "dtype": "float32"})
    assert layer.forward(x, True).ravel().tolist() == [x.max()]
    assert layer.backward(np.ones((1, 1, 1, 1))).ravel().argmax() == winner
    four_steps = {"name": "x", "shape": [4, 1], "dtype": "float32"}
    steps = of_one_layer(OtherSideWorker, {"kind": "globalmaxpool1d"}, four_steps)
    assert steps.forward(x.reshape(1, 4, 1), True).ravel().tolist() == [x.max()]
    assert steps.backward(np.ones((1, 1))).ravel().argmax() == winner


def test_only_what_has_kinks_is_run_on_their_other_side() -> None:
    dense = {"kind": "dense", "units": 4}
    assert not has_kinks(make_job([dense, {"kind": "activation", "function": "elu"}, dense], STEPS))
    for layers in ([dense, RELU], [dense, {"kind": "globalmaxpool1d"}]):
        assert has_kinks(make_job(layers, STEPS))
    assert has_kinks(make_job([{"kind": "maxpool2d"}, *HEAD], IMAGE))


# ---------------------------------------------------------------------------- in the gate


class OneTurned(numpy_layers.Activation):
    """As an innocent worker's rounding may have it: of the elements near zero, one falls on the other side."""

    def forward(self, x: Any, training: Any) -> Any:
        self.near = near(np.abs(x), x)
        return super().forward(x, training)

    def backward(self, dy: Any) -> Any:
        mask = self.y > 0
        mask.ravel()[np.flatnonzero(self.near & (dy != 0))[:1]] ^= True
        return dy * mask


class OneInTenThousandTurned(numpy_layers.Activation):
    def backward(self, dy: Any) -> Any:
        return dy * ((self.y > 0) ^ (np.random.RandomState(0).uniform(size=dy.shape) < 1e-4))


def worker_with(activation: type[numpy_layers.Activation]) -> NumpyWorker:
    return type("Turning", (NumpyWorker,), {"layers": NumpyWorker.layers | {"activation": activation}})()


def test_what_rounding_turns_over_is_let_through_and_was_not_without_the_run_on_the_other_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = parity.check(worker_with(OneTurned), large_job(), record())
    assert found.passed, found.reason
    monkeypatch.setattr(numpy_reference, "KINK_FACTOR", 0.0)
    without = numpy_reference.make_reference(large_job(), make_weights(large_job(), NEAR_SEED))
    found = parity.check(worker_with(OneTurned), large_job(), without)
    assert not found.passed
    assert "conv2d_1/" in str(found.reason)


def test_what_rounding_does_not_explain_is_caught() -> None:
    found = parity.check(worker_with(OneInTenThousandTurned), large_job(), record())
    assert not found.passed
    assert "conv2d_1/" in str(found.reason)


def test_no_bound_of_a_large_model_is_so_loose_that_it_says_nothing() -> None:
    found = parity.check(NumpyWorker(), large_job(), record())
    assert found.passed, found.reason
    assert not found.ill_conditioned
    assert "gradient" not in found.ill_conditioned_in
