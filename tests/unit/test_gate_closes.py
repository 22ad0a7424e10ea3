"""The parity gate closes: on every altered field of the spec, and on the defects that published code really had."""

import functools
from typing import Any

import numpy as np
import pytest

from tests.alterations import BASES, Alteration, all_fields, alterations
from tests.jobs import make_weights
from workers import numpy_layers, numpy_worker, parity
from workers.numpy_reference import make_reference
from workers.numpy_worker import NumpyWorker
from workers.spec import Job, Verdict

ALTERATIONS = list(alterations())


@functools.cache
def record(base: str) -> dict[str, np.ndarray]:
    return make_reference(BASES[base], make_weights(BASES[base]))


def verdict(worker: NumpyWorker, base: str, job: Job | None = None) -> Verdict:
    return parity.check(worker, job or BASES[base], record(base))


def test_every_field_of_the_spec_is_altered_somewhere() -> None:
    assert all_fields() - {(item.model, item.field) for item in ALTERATIONS} == set()


@pytest.mark.parametrize("base", BASES)
def test_right_float32_code_passes(base: str) -> None:
    found = verdict(NumpyWorker(), base)
    assert found.passed, found.reason
    assert not found.ill_conditioned
    assert {error.pass_name for error in found.worst} == set(parity.STEPS)


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=[item.name for item in ALTERATIONS])
def test_every_altered_field_is_caught(alteration: Alteration) -> None:
    found = verdict(NumpyWorker(), alteration.base, alteration.job)
    assert not found.passed
    assert found.first_difference is not None
    assert found.first_difference.tensor
    assert found.first_difference.tensor in str(found.reason)


# ---------------------------------------------------------------------------- defects inside a worker


def test_tanh_swapped_for_sigmoid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(numpy_layers.ACTIVATIONS, "tanh", numpy_layers.ACTIVATIONS["sigmoid"])
    assert_caught(verdict(NumpyWorker(), "mlp"), "outputs")


class NoDropout(numpy_layers.Dropout):
    def forward(self, x: Any, training: Any) -> Any:
        return super().forward(x, False)


class AlwaysDropout(numpy_layers.Dropout):
    def forward(self, x: Any, training: Any) -> Any:
        return super().forward(x, True)


class FrozenDropout(numpy_layers.Dropout):
    def forward(self, x: Any, training: Any) -> Any:
        self.rng = np.random.RandomState(0)
        return super().forward(x, training)


class UnscaledDropout(numpy_layers.Dropout):
    def forward(self, x: Any, training: Any) -> Any:
        y = super().forward(x, training)
        return y * (1 - self.spec.rate) if training else y


@pytest.mark.parametrize(
    ("defect", "tensor"),
    [
        (NoDropout, "dropout_1/mask"),
        (AlwaysDropout, "outputs"),
        (FrozenDropout, "dropout_1/mask"),
        (UnscaledDropout, "dropout_1/mask"),
    ],
)
def test_dropout_defects(defect: Any, tensor: str) -> None:
    class Defective(NumpyWorker):
        layers = {**NumpyWorker.layers, "dropout": defect}

    assert_caught(verdict(Defective(), "cnn"), tensor)


def test_dropout_missing_in_its_place_in_the_model_only() -> None:
    """A worker may drop in the probe's small model and yet not in the job's own."""

    class Defective(NumpyWorker):
        def build(self, job: Job, weights: Any) -> None:
            super().build(job if len(job.model.layers) <= 3 else parity.without_dropout(job), weights)

    assert_caught(verdict(Defective(), "cnn"), "dropout_1/mask")


DROPPING = BASES["cnn"].model_copy(update={"dropout_in_prediction": True})


@functools.cache
def dropping_record() -> dict[str, np.ndarray]:
    return make_reference(DROPPING, make_weights(DROPPING))


class OtherRateInPrediction(numpy_layers.Dropout):
    def forward(self, x: Any, training: Any) -> Any:
        if len(x) == 1:  # the probe of training
            return super().forward(x, training)
        keep = 1 - self.spec.rate / 2
        self.mask = (self.rng.uniform(size=x.shape) < keep) / keep
        return x * self.mask


class UnscaledInPrediction(numpy_layers.Dropout):
    def forward(self, x: Any, training: Any) -> Any:
        y = super().forward(x, training)
        return y if len(x) == 1 else y * (1 - self.spec.rate)


def test_a_prediction_that_drops_passes_where_the_job_says_so() -> None:
    found = parity.check(NumpyWorker(), DROPPING, dropping_record())
    assert found.passed, found.reason


def test_a_prediction_that_does_not_drop_where_the_job_says_so_is_caught() -> None:
    found = parity.check(NumpyWorker(), BASES["cnn"], dropping_record())
    assert_caught(found, "dropout_1/mask")
    assert "drops a share of 0.0000 in prediction" in str(found.reason)


@pytest.mark.parametrize(
    ("defect", "complaint"),
    [
        (OtherRateInPrediction, "in prediction, not 0.2500"),
        (UnscaledInPrediction, "scales what it keeps by 1.0000 in prediction"),
    ],
)
def test_a_prediction_that_drops_otherwise_is_caught(defect: Any, complaint: str) -> None:
    class Defective(NumpyWorker):
        layers = {**NumpyWorker.layers, "dropout": defect}

    found = parity.check(Defective(), DROPPING, dropping_record())
    assert_caught(found, "dropout_1/mask")
    assert complaint in str(found.reason)


def test_a_prediction_that_drops_in_the_probes_model_only_is_caught() -> None:
    class Defective(NumpyWorker):
        def build(self, job: Job, weights: Any) -> None:
            in_probe = len(job.model.layers) <= 3
            super().build(job.model_copy(update={"dropout_in_prediction": in_probe}), weights)

    found = parity.check(Defective(), DROPPING, dropping_record())
    assert_caught(found, "outputs")
    assert "are those without dropout" in str(found.reason)


def test_a_second_lstm_bias_that_is_not_zero() -> None:
    class TwoBiases(numpy_layers.LSTM):
        def forward(self, x: Any, training: Any) -> Any:
            kept = self.parameters
            self.parameters = {**kept, "bias": kept["bias"] + np.float32(0.01)}
            try:
                return super().forward(x, training)
            finally:
                self.parameters = kept

    class Defective(NumpyWorker):
        layers = {**NumpyWorker.layers, "lstm": TwoBiases}

    assert_caught(verdict(Defective(), "lstm"), "outputs")


def test_weights_that_the_worker_initialises_itself() -> None:
    class Defective(NumpyWorker):
        def build(self, job: Job, weights: Any) -> None:
            super().build(job, {name: value * 0.5 for name, value in weights.items()})

    assert_caught(verdict(Defective(), "mlp"), "dense_1/kernel")


def test_weight_decay_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DLBench's Keras passed its weight decay of 1e-6 as another parameter: invisible but for the stressed pass."""
    monkeypatch.setattr(numpy_worker, "decayed", lambda optimiser, tensor: False)
    found = verdict(NumpyWorker(), "mlp")
    assert_caught(found, None)
    assert found.first_difference is not None
    assert found.first_difference.pass_name in ("recipe", "stressed")


def test_a_loss_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NumpyWorker, "train_epoch", lambda self, handle, rates: float("nan"))
    assert_caught(verdict(NumpyWorker(), "mlp"), "loss of step 1")


def assert_caught(found: Verdict, tensor: str | None) -> None:
    assert not found.passed
    assert found.first_difference is not None
    if tensor is not None:
        assert found.first_difference.tensor == tensor
