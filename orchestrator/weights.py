"""Initial weights, drawn on the host, so that no framework's initialiser or random stream takes part.

Fans count as in Glorot and Bengio 2010: a convolution's receptive field multiplies both of its fans,
and the four gates of an LSTM are one tensor (as in Keras).
"""

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import NamedTuple

import numpy as np

from workers.spec import Initialiser, ResolvedLayer, arrays_sha256, canonical_json

Arrays = dict[str, np.ndarray]

DEFAULT_INITIALISERS: dict[str, Initialiser] = {
    "kernel": Initialiser(kind="glorot_uniform"),
    "recurrent_kernel": Initialiser(kind="orthogonal"),
    "bias": Initialiser(kind="constant", value=0.0),
    "table": Initialiser(kind="uniform", value=0.05),
    "gamma": Initialiser(kind="constant", value=1.0),
    "beta": Initialiser(kind="constant", value=0.0),
    "running_mean": Initialiser(kind="constant", value=0.0),
    "running_variance": Initialiser(kind="constant", value=1.0),
}
"""Tensor role -> initialiser, where a workload does not say (Keras' defaults, which most papers used)."""

DEFAULT_VALUES = {"normal": 0.05, "uniform": 0.05, "orthogonal": 1.0, "constant": 0.0}


class Drawing(NamedTuple):
    """How a model's initial weights are drawn: kept in their place, since those of a large one fill memory."""

    layers: Sequence[ResolvedLayer]
    initialisers: Mapping[str, Initialiser]
    seed: int

    def arrays(self) -> Arrays:
        return draw(self.layers, self.initialisers, self.seed)

    def sha256(self) -> str:
        """Return the hash of the weights; equal drawings are drawn once for it."""
        initialisers = {name: item.model_dump(mode="json") for name, item in self.initialisers.items()}
        key = canonical_json([self.seed, initialisers, [item.model_dump(mode="json") for item in self.layers]])
        if key not in _HASHES:
            _HASHES[key] = arrays_sha256(self.arrays())
        return _HASHES[key]


_HASHES: dict[str, str] = {}


def draw(layers: Sequence[ResolvedLayer], initialisers: Mapping[str, Initialiser], seed: int) -> Arrays:
    """Return {"LAYER/TENSOR": float32 array} for a model.

    ``initialisers`` are looked up by the tensor's full name, then by its role (``kernel``, ``bias``, ...).
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for item in layers:
        for role, shape in item.parameters.items():
            name = f"{item.name}/{role}"
            initialiser = initialisers.get(name) or initialisers[role]
            fans = _fans(item.parameters.get("kernel", shape) if initialiser.kind == "fan_in_uniform" else shape)
            weights[name] = _draw_one(initialiser, shape, fans, rng).astype(np.float32)
    return weights


def _draw_one(
    initialiser: Initialiser, shape: Sequence[int], fans: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    kind = initialiser.kind
    value = DEFAULT_VALUES.get(kind, 1.0) if initialiser.value is None else initialiser.value
    fan_in, fan_out = fans
    if kind == "constant":
        return np.full(shape, value)
    if kind == "normal":
        return rng.normal(0.0, value, shape)
    if kind == "uniform":
        return rng.uniform(-value, value, shape)
    if kind == "orthogonal":
        return value * _orthogonal(shape, rng)
    if kind == "fan_in_uniform":
        return rng.uniform(-value / sqrt(fan_in), value / sqrt(fan_in), shape)
    variance = value * (2.0 / (fan_in + fan_out) if kind.startswith("glorot") else 2.0 / fan_in)
    if kind.endswith("normal"):
        return rng.normal(0.0, sqrt(variance), shape)
    return rng.uniform(-sqrt(3 * variance), sqrt(3 * variance), shape)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) == 1:
        return shape[0], shape[0]
    field = prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _orthogonal(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    rows, columns = prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # makes the draw uniform over orthogonal matrices
    return (q if rows >= columns else q.T).reshape(shape)
