"""Initial weights: the spread of each initialiser, the same numbers for the same seed, and who draws which tensor."""

from math import sqrt
from typing import Any

import numpy as np
import pytest

from orchestrator.weights import DEFAULT_INITIALISERS, draw
from tests.jobs import FLAT, IMAGE, STEPS, TOKENS, make_job
from workers.spec import Initialiser, ResolvedLayer

WIDE = {"name": "x", "shape": [300], "dtype": "float32"}


def layers_of(layers: list[dict[str, Any]], source: dict[str, Any]) -> list[ResolvedLayer]:
    return make_job(layers, source).model.layers


def kernel(kind: Any, value: float | None = None, units: int = 500) -> np.ndarray:
    """Return a dense kernel (300, units) drawn so: fans of 300 and ``units``."""
    layers = layers_of([{"kind": "dense", "units": units, "bias": False}], WIDE)
    return draw(layers, {"kernel": Initialiser(kind=kind, value=value)}, seed=1)["dense_1/kernel"]


# ---------------------------------------------------------------------------- the kinds


@pytest.mark.parametrize(
    ("kind", "value", "limit"),
    [
        ("glorot_uniform", None, sqrt(6 / (300 + 500))),
        ("glorot_uniform", 2.0, sqrt(2 * 6 / (300 + 500))),  # the value scales the variance
        ("he_uniform", None, sqrt(6 / 300)),
        ("he_uniform", 0.5, sqrt(0.5 * 6 / 300)),
        ("uniform", None, 0.05),
        ("uniform", 0.2, 0.2),
    ],
)
def test_a_uniform_kind_fills_its_limits(kind: str, value: float | None, limit: float) -> None:
    drawn = kernel(kind, value)
    assert np.abs(drawn).max() <= np.float32(limit)
    assert drawn.max() == pytest.approx(limit, rel=1e-3)
    assert drawn.min() == pytest.approx(-limit, rel=1e-3)
    assert drawn.std() == pytest.approx(limit / sqrt(3), rel=0.01)


@pytest.mark.parametrize(
    ("kind", "value", "deviation"),
    [
        ("glorot_normal", None, sqrt(2 / (300 + 500))),
        ("glorot_normal", 2.0, sqrt(2 * 2 / (300 + 500))),
        ("he_normal", None, sqrt(2 / 300)),
        ("he_normal", 0.5, sqrt(0.5 * 2 / 300)),
        ("normal", None, 0.05),
        ("normal", 0.2, 0.2),
    ],
)
def test_a_normal_kind_has_its_deviation(kind: str, value: float | None, deviation: float) -> None:
    drawn = kernel(kind, value)
    assert drawn.mean() == pytest.approx(0, abs=4 * deviation / sqrt(drawn.size))
    assert drawn.std() == pytest.approx(deviation, rel=0.01)
    assert (np.abs(drawn) > 2 * deviation).mean() == pytest.approx(0.0455, abs=0.003)


@pytest.mark.parametrize(("value", "expected"), [(None, 0.0), (1.5, 1.5), (-1.0, -1.0)])
def test_constant(value: float | None, expected: float) -> None:
    assert (kernel("constant", value) == expected).all()


@pytest.mark.parametrize("gain", [None, 3.0])
def test_an_orthogonal_matrix_that_is_tall_has_orthogonal_columns(gain: float | None) -> None:
    drawn = kernel("orthogonal", gain, units=200).astype(np.float64)
    np.testing.assert_allclose(drawn.T @ drawn, (gain or 1.0) ** 2 * np.eye(200), atol=1e-5)


def test_an_orthogonal_matrix_that_is_wide_has_orthogonal_rows() -> None:
    drawn = kernel("orthogonal").astype(np.float64)
    np.testing.assert_allclose(drawn @ drawn.T, np.eye(300), atol=1e-6)


def test_an_orthogonal_convolution_is_so_from_its_window_to_its_filters() -> None:
    layers = layers_of([{"kind": "conv2d", "filters": 5, "kernel_size": [3, 2]}], IMAGE)
    drawn = draw(layers, {**DEFAULT_INITIALISERS, "kernel": Initialiser(kind="orthogonal")}, 1)["conv2d_1/kernel"]
    matrix = drawn.reshape(3 * 2 * 2, 5).astype(np.float64)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(5), atol=1e-6)


def test_orthogonal_draws_prefer_no_sign() -> None:
    """A plain QR would leave the diagonal of every draw on one side."""
    layers = layers_of([{"kind": "dense", "units": 2, "bias": False}], {**FLAT, "shape": [2]})
    corners = [draw(layers, {"kernel": Initialiser(kind="orthogonal")}, seed)["dense_1/kernel"] for seed in range(200)]
    assert 70 < sum(matrix[0, 0] > 0 for matrix in corners) < 130
    assert 70 < sum(np.linalg.det(matrix) > 0 for matrix in corners) < 130


# ---------------------------------------------------------------------------- the fans


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("glorot_uniform", sqrt(6 / (3 * 2 * 40 + 3 * 2 * 50))), ("he_uniform", sqrt(6 / (3 * 2 * 40)))],
)
def test_the_window_multiplies_both_fans_of_a_convolution(kind: Any, limit: float) -> None:
    image = {"name": "x", "shape": [9, 8, 40], "dtype": "float32"}
    layers = layers_of([{"kind": "conv2d", "filters": 50, "kernel_size": [3, 2], "bias": False}], image)
    drawn = draw(layers, {"kernel": Initialiser(kind=kind)}, 1)["conv2d_1/kernel"]
    assert drawn.shape == (3, 2, 40, 50)
    assert np.abs(drawn).max() == pytest.approx(limit, rel=2e-3)


def test_the_four_gates_of_an_lstm_are_one_tensor() -> None:
    layers = layers_of([{"kind": "lstm", "units": 100}], {**STEPS, "shape": [6, 50]})
    drawn = draw(layers, DEFAULT_INITIALISERS, 1)
    assert np.abs(drawn["lstm_1/kernel"]).max() == pytest.approx(sqrt(6 / (50 + 400)), rel=1e-3)
    recurrent = drawn["lstm_1/recurrent_kernel"].astype(np.float64)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(100), atol=1e-6)


# ---------------------------------------------------------------------------- which tensor, which seed

MODEL = [
    {"kind": "embedding", "vocabulary_size": 30, "units": 20},
    {"kind": "lstm", "units": 6},
    {"kind": "dense", "units": 5},
    {"kind": "dense", "units": 4},
]


def test_every_tensor_of_the_model_is_drawn_in_its_shape() -> None:
    layers = layers_of(MODEL, TOKENS)
    drawn = draw(layers, DEFAULT_INITIALISERS, 1)
    shapes = {f"{item.name}/{role}": tuple(shape) for item in layers for role, shape in item.parameters.items()}
    assert {name: array.shape for name, array in drawn.items()} == shapes
    assert {array.dtype for array in drawn.values()} == {np.dtype(np.float32)}


def test_the_defaults_are_those_of_keras() -> None:
    drawn = draw(layers_of(MODEL, TOKENS), DEFAULT_INITIALISERS, 1)
    assert not drawn["lstm_1/bias"].any()
    assert not drawn["dense_1/bias"].any()
    assert np.abs(drawn["embedding_1/table"]).max() == pytest.approx(0.05, rel=0.01)
    assert np.abs(drawn["lstm_1/kernel"]).max() == pytest.approx(sqrt(6 / (20 + 24)), rel=0.02)


def test_the_same_seed_draws_the_same_numbers() -> None:
    layers = layers_of(MODEL, TOKENS)
    first, again, other = (draw(layers, DEFAULT_INITIALISERS, seed) for seed in (1, 1, 2))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["dense_1/kernel"], other["dense_1/kernel"])


def test_two_layers_of_one_shape_get_different_numbers() -> None:
    drawn = draw(layers_of([{"kind": "dense", "units": 12}, {"kind": "dense", "units": 12}], FLAT),
                 DEFAULT_INITIALISERS, 1)  # fmt: skip
    assert not np.array_equal(drawn["dense_1/kernel"], drawn["dense_2/kernel"])


def test_a_tensors_full_name_goes_before_its_role() -> None:
    one, two, three = (Initialiser(kind="constant", value=value) for value in (1.0, 2.0, 3.0))
    chosen = {**DEFAULT_INITIALISERS, "kernel": one, "dense_2/kernel": two, "dense_1/bias": three}
    drawn = draw(layers_of(MODEL, TOKENS), chosen, 1)
    assert (drawn["dense_1/kernel"] == 1).all()
    assert (drawn["lstm_1/kernel"] == 1).all()
    assert (drawn["dense_2/kernel"] == 2).all()
    assert (drawn["dense_1/bias"] == 3).all()
    assert (drawn["dense_2/bias"] == 0).all()
    assert drawn["lstm_1/recurrent_kernel"].std() > 0  # a role of its own, not a kernel
