"""The harness: what it records of a job that goes well, and what it refuses to time."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.jobs import CATEGORICAL, FLAT, in_run_folder, make_job, make_weights
from workers import harness, numpy_worker, threads
from workers.harness import run_job
from workers.loading import padded
from workers.numpy_worker import NumpyWorker
from workers.spec import Job, Result
from workers.threads import LoadClock, ThreadClock

LAYERS = [{"kind": "dense", "units": 16}, {"kind": "activation", "function": "tanh"}, {"kind": "dense", "units": 3}]
ROWS = 100  # seven batches of 16; the last is short


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Job, Path]:
    """A job that can be learned, with its inputs, in a run's folder."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150).astype(np.int32)
    x = rng.normal(size=(150, 12)).astype(np.float32) + 2 * np.eye(3, 12, dtype=np.float32)[y]
    arrays = {"train_x": x[:ROWS], "train_y": y[:ROWS], "test_x": x[ROWS:], "test_y": y[ROWS:]}
    optimiser = {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.5}
    job = make_job(LAYERS, FLAT, optimiser, CATEGORICAL, epochs=3)
    return in_run_folder(tmp_path, job, arrays, train_rows=ROWS, test_rows=50)


def test_a_result_holds_every_phase_epoch_and_raw_second(prepared: tuple[Job, Path]) -> None:
    job, folder = prepared
    result = run_job(job, folder)
    assert (result.status, result.reason, result.job_id) == ("ok", None, job.id)
    phases = result.phases.model_dump()
    assert {name for name, seconds in phases.items() if seconds is None} == {"warm_up_seconds"}  # NumPy has none
    assert len(result.epochs) == 3
    assert result.epochs[0].train_loss > result.epochs[-1].train_loss
    assert result.phases.first_step_seconds is not None
    assert result.epochs[0].train_seconds > result.phases.first_step_seconds, (
        "the first step is part of the first epoch"
    )
    assert result.train_seconds == pytest.approx(sum(epoch.train_seconds for epoch in result.epochs))
    assert len(result.predict_seconds) >= harness.PREDICT_PASSES
    assert result.staging == "resident"
    assert result.environment.versions == {"numpy": np.__version__}
    assert Result.model_validate(json.loads((folder / "result.json").read_text())) == result
    assert [path.name for path in folder.glob("*.part")] == []


def test_scores_are_probabilities_and_give_the_accuracy(prepared: tuple[Job, Path]) -> None:
    job, folder = prepared
    result = run_job(job, folder)
    targets = np.load(next((folder.parent.parent / "inputs").glob("data-*")) / "test_y.npy")
    with np.load(folder / "predictions.npz") as archive:
        scores = archive["scores"]
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    assert result.epochs[-1].accuracy == (scores.argmax(axis=1) == targets).mean()


def test_every_epoch_sees_every_row_once_in_a_seeded_order(
    prepared: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, folder = prepared
    seen: list[np.ndarray] = []
    train_epoch = NumpyWorker.train_epoch

    def watch(self: NumpyWorker, handle: Any, rates: np.ndarray) -> float:
        seen.append(handle[0])
        assert len(rates) == -(-len(handle[0]) // job.recipe.batch_size)
        return float(train_epoch(self, handle, rates))

    monkeypatch.setattr(NumpyWorker, "train_epoch", watch)
    run_job(job, folder)
    first_run, seen = seen, []
    assert [len(rows) for rows in first_run] == [16, ROWS - 16, ROWS, ROWS], "the first batch is a phase of its own"
    everything = np.load(next((folder.parent.parent / "inputs").glob("data-*")) / "train_x.npy")
    epochs = [np.concatenate(first_run[:2]), *first_run[2:]]
    for rows in epochs:
        assert sorted(map(tuple, rows)) == sorted(map(tuple, everything))
    assert not np.array_equal(epochs[1], epochs[2])
    monkeypatch.setattr(NumpyWorker, "train_epoch", watch)
    run_job(job, folder)
    assert all(np.array_equal(a, b) for a, b in zip(first_run, seen, strict=True))


def changed_weights(self: NumpyWorker) -> dict[str, np.ndarray]:
    return {name: value + np.float32(1e-3) for name, value in self.weights.items()}


def extra_tensor(self: NumpyWorker) -> dict[str, np.ndarray]:
    return {**self.weights, "dense_9/bias": np.zeros(3, np.float32)}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (changed_weights, "dense_1/kernel is not the job's initial weight"),
        (extra_tensor, "the worker's model has 262 trainable parameters, the job's 259"),
    ],
)
def test_a_model_that_is_not_the_jobs_is_never_timed(
    prepared: tuple[Job, Path],
    monkeypatch: pytest.MonkeyPatch,
    parameters: Callable[[NumpyWorker], Any],
    words: str,
) -> None:
    job, folder = prepared
    monkeypatch.setattr(NumpyWorker, "parameters", parameters)
    result = run_job(job, folder)
    assert result.status == "failed"
    assert words in str(result.reason)
    assert result.epochs == []


@pytest.mark.parametrize(
    ("pattern", "words"), [("weights-*", "does not hold the job's weights"), ("data-*", "checksum")]
)
def test_altered_inputs_are_refused(prepared: tuple[Job, Path], pattern: str, words: str) -> None:
    job, folder = prepared
    path = next((folder.parent.parent / "inputs").glob(pattern))
    if path.is_dir():
        np.save(path / "train_y.npy", np.zeros(ROWS, np.int32))
    else:
        np.savez(path, **{name: value * 2 for name, value in make_weights(job).items()})  # type: ignore[arg-type]
    result = run_job(job, folder)
    assert result.status == "failed"
    assert words in str(result.reason)


def test_a_missing_layer_kind_is_unsupported(prepared: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    job, folder = prepared
    monkeypatch.delitem(NumpyWorker.layers, "activation")
    result = run_job(job, folder)
    assert (result.status, result.reason) == ("unsupported", "activation: the worker does not build it")


def test_dropout_in_prediction_is_refused_before_a_worker_without_it_opens_its_device(
    prepared: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, folder = prepared
    job = job.model_copy(update={"dropout_in_prediction": True})
    assert run_job(job, folder).status == "ok"
    monkeypatch.setattr(NumpyWorker, "can_drop_in_prediction", False)
    monkeypatch.setattr(NumpyWorker, "open_device", lambda *_: pytest.fail("opened"))
    result = run_job(job, folder)
    reason = "dropout_in_prediction: the worker always switches dropout off in prediction"
    assert (result.status, result.reason) == ("unsupported", reason)


@pytest.mark.parametrize(
    ("error", "status"),
    [(MemoryError("no room"), "out_of_memory"), (ValueError("wrong"), "failed"), (ZeroDivisionError(), "failed")],
)
def test_a_worker_that_raises_leaves_a_result(
    prepared: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    job, folder = prepared

    def fail(self: NumpyWorker, handle: Any) -> None:
        raise error

    monkeypatch.setattr(NumpyWorker, "predict", fail)
    result = run_job(job, folder)
    assert result.status == status
    assert type(error).__name__ in str(result.reason)


def test_a_loss_that_is_no_number_is_diverged(prepared: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    job, folder = prepared
    monkeypatch.setattr(NumpyWorker, "train_epoch", lambda self, handle, rates: float("inf"))
    result = run_job(job, folder)
    assert (result.status, result.reason) == ("diverged", "the training loss became inf in epoch 1")


def test_a_model_at_chance_did_not_learn(prepared: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    job, folder = prepared
    monkeypatch.setitem(numpy_worker.OPTIMISERS, "sgd", lambda *arguments: None)
    monkeypatch.setattr(NumpyWorker, "predict", lambda self, handle: np.tile([[1.0, 0.0, 0.0]], (len(handle[0]), 1)))
    result = run_job(job, folder)
    assert result.status == "did_not_learn"
    assert "not above chance" in str(result.reason)


def test_threads_are_counted_by_the_cpu_time_they_used() -> None:
    with ThreadClock() as clock:
        total = sum(i * i for i in range(2_000_000))
    assert total > 0
    assert clock.seen == 1


def test_carried_epochs_come_first_and_are_not_in_the_result(prepared: tuple[Job, Path]) -> None:
    """A repeat that trains on: its epochs are the last ones of one long training, to the last bit."""
    job, folder = prepared
    whole = run_job(job, folder)
    recipe = job.recipe.model_copy(update={"epochs": 1})
    carried = run_job(job.model_copy(update={"carried_epochs": 2, "recipe": recipe}), folder)
    assert len(carried.epochs) == 1
    losses = [(epoch.train_loss, epoch.test_loss, epoch.accuracy) for epoch in (whole.epochs[2], carried.epochs[0])]
    assert losses[0] == losses[1]


def test_a_longer_training_begins_with_the_shorter_one(prepared: tuple[Job, Path]) -> None:
    """Why one training can be read after 1, 5 and 10 epochs."""
    job, folder = prepared
    whole = run_job(job, folder)
    short = run_job(job.model_copy(update={"recipe": job.recipe.model_copy(update={"epochs": 2})}), folder)
    assert [(e.train_loss, e.test_loss) for e in whole.epochs[:2]] == [
        (e.train_loss, e.test_loss) for e in short.epochs
    ]


def test_a_null_job_trains_nothing_and_imports_no_framework(prepared: tuple[Job, Path]) -> None:
    job, folder = prepared
    framework = job.framework.model_copy(update={"name": "absent"})
    result = run_job(job.model_copy(update={"kind": "null", "framework": framework}), folder)
    assert (result.status, result.epochs, result.phases.import_seconds) == ("ok", [], None)


def test_images_are_padded_with_zeros_of_their_own_scale() -> None:
    images = np.full((2, 3, 4, 1), 7, np.uint8)
    wide = padded(images, 2)
    assert wide.shape == (2, 7, 8, 1)
    assert wide.sum() == images.sum()
    assert (wide[:, 2:5, 2:6] == images).all()
    assert padded(images, 0) is images


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.parametrize("others", [0.0, 0.5, 3.0])
def test_the_load_is_what_the_machine_does_beside_this_process(monkeypatch: pytest.MonkeyPatch, others: float) -> None:
    monkeypatch.setattr(threads, "_busy_seconds", lambda: time.process_time() + others * time.perf_counter())
    clock = LoadClock()
    assert clock.other_cpus_busy is None
    for _ in range(2):
        with clock:
            spin(0.05)
        time.sleep(0.05)  # outside of a block nothing counts
    assert clock.other_cpus_busy == pytest.approx(others, abs=0.05)


def test_the_kernel_counts_what_another_process_does() -> None:
    """However busy the machine is: at least what a process of our own is seen to use."""
    code = "import time\nend = time.time() + 60\nwhile time.time() < end: pass"
    other = subprocess.Popen([sys.executable, "-c", code])
    try:
        process = psutil.Process(other.pid)
        clock = LoadClock()
        before, start = process.cpu_times().user, time.perf_counter()
        with clock:
            time.sleep(1.0)
        used = (process.cpu_times().user - before) / (time.perf_counter() - start)
    finally:
        other.kill()
        other.wait()
    assert used > 0.1
    assert clock.other_cpus_busy is not None
    assert clock.other_cpus_busy > 0.7 * used


def test_where_the_kernel_does_not_tell_the_load_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_busy_seconds", lambda: None)
    clock = LoadClock()
    with clock:
        pass
    assert clock.other_cpus_busy is None


def test_a_warm_up_is_a_phase_of_its_own_and_only_of_a_worker_that_has_one(
    prepared: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, folder = prepared
    assert run_job(job, folder).phases.warm_up_seconds is None
    calls: list[str] = []
    build = NumpyWorker.build
    monkeypatch.setattr(NumpyWorker, "warm_up", lambda *_: calls.append("warm_up"), raising=False)
    monkeypatch.setattr(NumpyWorker, "build", lambda *given: (calls.append("build"), build(*given))[1])
    result = run_job(job, folder)
    assert (result.status, calls) == ("ok", ["warm_up", "build"])
    assert result.phases.warm_up_seconds is not None
