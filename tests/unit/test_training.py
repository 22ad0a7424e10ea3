"""What a measured job says besides its times: targets, validation rows, errors, perplexity, and scores of parts."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.jobs import CATEGORICAL, FLAT, in_run_folder, make_job
from workers import evaluation
from workers.harness import run_job
from workers.numpy_worker import NumpyWorker
from workers.spec import Job, Target

LAYERS = [{"kind": "dense", "units": 16}, {"kind": "activation", "function": "tanh"}, {"kind": "dense", "units": 3}]
WORDS = [
    {"kind": "embedding", "vocabulary_size": 12, "units": 6},
    {"kind": "lstm", "units": 8, "output": "sequence"},
    {"kind": "dense", "units": 12},
]
TOKENS = {"name": "x", "shape": [5], "dtype": "int32", "view": {"kind": "windows", "steps": 5, "every": 2}}
FAST = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.5}

Prepare = Callable[..., tuple[Job, Path]]


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Return a function that puts a job and its inputs into a run's folder."""

    return functools.partial(in_run_folder, tmp_path)


def classes(rows: int = 150) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, rows).astype(np.int32)
    x = rng.normal(size=(rows, 12)).astype(np.float32) + 2 * np.eye(3, 12, dtype=np.float32)[y]
    return {"train_x": x[:100], "train_y": y[:100], "test_x": x[100:], "test_y": y[100:]}


def numbers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 12)).astype(np.float32)
    y = (x[:, :1] + 0.1 * rng.normal(size=(150, 1)) + 3).astype(np.float32)
    return {"train_x": x[:100], "train_y": y[:100], "test_x": x[100:], "test_y": y[100:]}


def text() -> dict[str, np.ndarray]:
    words = (np.cumsum(np.random.default_rng(0).integers(1, 3, 700)) % 12).astype(np.int32)
    return {"train_x": words[:500], "test_x": words[500:]}


# ---------------------------------------------------------------------------- towards a target


def test_a_training_towards_a_target_ends_with_the_epoch_that_reaches_it(prepare: Prepare) -> None:
    job = make_job(LAYERS, FLAT, FAST, CATEGORICAL, epochs=30)
    job, folder = prepare(job, classes(), train_rows=100, test_rows=50)
    curve = [epoch.accuracy for epoch in run_job(job, folder).epochs]
    goal = sorted({value for value in curve if value is not None})[1]  # more than the first epoch's
    first = next(place for place, value in enumerate(curve, start=1) if value is not None and value >= goal)
    assert first > 1
    towards = job.model_copy(update={"kind": "target", "target": Target(metric="accuracy", value=goal)})
    result = run_job(towards, folder)
    assert (result.status, result.epochs_to_target) == ("ok", first)
    assert [epoch.accuracy for epoch in result.epochs] == curve[:first], "the curve is kept"


def test_a_target_that_is_not_reached_is_missed_and_says_how_far_it_came(prepare: Prepare) -> None:
    job = make_job(LAYERS, FLAT, FAST, CATEGORICAL, epochs=2, kind="target")
    job = job.model_copy(update={"target": Target(metric="accuracy", value=1.1)})
    job, folder = prepare(job, classes(), train_rows=100, test_rows=50)
    result = run_job(job, folder)
    assert (result.status, result.epochs_to_target, len(result.epochs)) == ("missed_target", None, 2)
    assert result.reason == f"accuracy is {result.epochs[-1].accuracy} after 2 epochs; the target is 1.1"


def test_an_error_reaches_its_target_from_above(prepare: Prepare) -> None:
    squared = {"kind": "mean_squared_error"}
    job = make_job([{"kind": "dense", "units": 1}], FLAT, {"kind": "sgd", "learning_rate": 0.05}, squared, epochs=20)
    job, folder = prepare(job, numbers(), train_rows=100, test_rows=50)
    curve = [epoch.squared_error for epoch in run_job(job, folder).epochs]
    goal = curve[5]
    assert goal is not None
    towards = job.model_copy(update={"kind": "target", "target": Target(metric="squared_error", value=goal)})
    first = next(place for place, value in enumerate(curve, start=1) if value is not None and value <= goal)
    assert run_job(towards, folder).epochs_to_target == first > 1


# ---------------------------------------------------------------------------- other rows, other scores


def test_validation_rows_are_scored_and_never_trained_on(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[np.ndarray] = []
    train_epoch = NumpyWorker.train_epoch

    def watch(self: NumpyWorker, handle: Any, rates: np.ndarray) -> float:
        trained.append(handle[0])
        return float(train_epoch(self, handle, rates))

    monkeypatch.setattr(NumpyWorker, "train_epoch", watch)
    arrays = classes()
    job = make_job(LAYERS, FLAT, FAST, CATEGORICAL, epochs=1)
    job, folder = prepare(job, arrays, train_rows=80, validation_rows=20, test_rows=50)
    (epoch,) = run_job(job, folder).epochs
    seen = {tuple(row) for row in np.concatenate(trained)}
    assert seen == {tuple(row) for row in arrays["train_x"][:80]}
    assert epoch.validate_seconds is not None
    assert epoch.validation_loss is not None
    assert epoch.validation_accuracy is not None
    assert epoch.validation_accuracy * 20 == pytest.approx(round(epoch.validation_accuracy * 20)), "of twenty rows"


def test_regression_has_both_errors_beside_those_of_the_training_mean(prepare: Prepare) -> None:
    arrays = numbers()
    squared = {"kind": "mean_squared_error"}
    job = make_job([{"kind": "dense", "units": 1}], FLAT, {"kind": "sgd", "learning_rate": 0.1}, squared, epochs=20)
    job, folder = prepare(job, arrays, train_rows=100, test_rows=50)
    result = run_job(job, folder)
    last = result.epochs[-1]
    with np.load(folder / "predictions.npz") as archive:
        errors = archive["scores"].astype(np.float64) - arrays["test_y"]
    assert last.squared_error == pytest.approx((errors**2).mean(), rel=1e-6)
    assert last.absolute_error == pytest.approx(np.abs(errors).mean(), rel=1e-6)
    constant = arrays["test_y"] - arrays["train_y"].mean()
    assert result.constant_errors["squared_error"] == pytest.approx((constant**2).mean(), rel=1e-5)
    assert result.constant_errors["absolute_error"] == pytest.approx(np.abs(constant).mean(), rel=1e-5)
    assert last.squared_error < result.constant_errors["squared_error"]
    assert (last.accuracy, last.perplexity) == (None, None)


@pytest.mark.parametrize("over_steps", ["mean", "sum"])
def test_perplexity_is_exp_of_the_mean_loss_of_a_word(prepare: Prepare, over_steps: str) -> None:
    loss = {"kind": "categorical_cross_entropy", "over_steps": over_steps}
    job = make_job(WORDS, TOKENS, {"kind": "sgd", "learning_rate": 0.02}, loss, epochs=1)
    job, folder = prepare(job, text(), train_rows=200, test_rows=90)
    last = run_job(job, folder).epochs[-1]
    with np.load(folder / "predictions.npz") as archive:
        scores = archive["scores"].astype(np.float64)
    targets = text()["test_x"][np.arange(90)[:, None] * 2 + np.arange(1, 6)]
    chosen = np.take_along_axis(scores, targets[..., None], axis=-1)
    assert last.perplexity == pytest.approx(float(np.exp(-np.log(chosen).mean())), rel=1e-4)


def test_synthetic_rows_have_losses_and_no_score(prepare: Prepare) -> None:
    arrays = classes()
    arrays["train_y"], arrays["test_y"] = arrays["train_y"] * 0, arrays["test_y"] * 0  # nothing to learn
    job = make_job(LAYERS, FLAT, FAST, CATEGORICAL, epochs=1)
    job, folder = prepare(job, arrays, train_rows=80, validation_rows=20, test_rows=50, synthetic=True)
    result = run_job(job, folder)
    assert result.status == "ok", "a synthetic job need not learn"
    (epoch,) = result.epochs
    assert (epoch.accuracy, epoch.validation_accuracy) == (None, None)
    assert epoch.test_loss > 0


# ---------------------------------------------------------------------------- in parts


def test_rows_predicted_in_parts_score_as_those_predicted_at_once(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(
        WORDS, TOKENS, {"kind": "sgd", "learning_rate": 0.02}, CATEGORICAL, epochs=1, evaluation_batch_size=8
    )
    job, folder = prepare(job, text(), train_rows=200, test_rows=90)
    whole = run_job(job, folder)
    with np.load(folder / "predictions.npz") as archive:
        scores = archive["scores"]
    monkeypatch.setattr(evaluation, "PART_BYTES", 4 * 5 * 12 * 16)  # two batches of eight rows
    assert evaluation.rows_at_once(job) == 16
    parts = run_job(job, folder)
    (one,), (other,) = whole.epochs, parts.epochs
    for name in ("test_loss", "accuracy", "perplexity"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-9)
    targets = text()["test_x"][np.arange(90)[:, None] * 2 + np.arange(1, 6)]
    with np.load(folder / "predictions.npz") as archive:
        kept = archive["target_probabilities"]
    np.testing.assert_allclose(kept, np.take_along_axis(scores, targets[..., None], axis=-1)[..., 0], rtol=1e-4)


def test_the_states_of_streams_go_on_from_part_to_part(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [WORDS[0], {**WORDS[1], "stateful": True}, WORDS[2]]
    source = {**TOKENS, "view": {"kind": "streams", "steps": 5}}
    slow = {"kind": "sgd", "learning_rate": 0.02}
    job = make_job(layers, source, slow, CATEGORICAL, epochs=1, batch_size=4, evaluation_batch_size=4)
    job, folder = prepare(job, text(), train_rows=92, test_rows=36)
    (whole,) = run_job(job, folder).epochs
    monkeypatch.setattr(evaluation, "PART_BYTES", 1)
    assert evaluation.rows_at_once(job) == 4
    (parts,) = run_job(job, folder).epochs
    assert parts.test_loss == pytest.approx(whole.test_loss, rel=1e-9)
    monkeypatch.setattr(evaluation, "stateful", lambda job: False)  # the defect: each part starts anew
    (afresh,) = run_job(job, folder).epochs
    assert afresh.test_loss != pytest.approx(whole.test_loss, rel=1e-6)


def test_phases_are_noted_in_their_order_for_those_who_watch_from_outside(prepare: Prepare) -> None:
    job = make_job(LAYERS, FLAT, FAST, CATEGORICAL, epochs=2)
    job, folder = prepare(job, classes(), train_rows=100, test_rows=50)
    run_job(job, folder)
    lines = [line.split() for line in (folder / "phases.txt").read_text().splitlines()]
    times = [float(seconds) for seconds, _ in lines]
    assert times == sorted(times)
    names = [name for _, name in lines]
    assert names[0] == names[-1] == "other"
    assert [name for name in names if name != "other"] == [
        *("import", "open_device", "data", "build", "stage", "first_step", "stage", "train", "evaluate"),
        *("stage", "train", "evaluate", "predict", "latency"),
    ]
