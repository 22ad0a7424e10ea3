"""Runs one job: the only clock, the phases, the scores and the files of every framework.

A phase is timed with the device idle on both sides. Permuting, scaling and scoring happen outside every phase,
in NumPy and the same for all; a worker sees finished batches' rows in their order.
"""

import gc
import importlib
import os
import platform
import re
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from . import parity
from .lines import LineTrace
from .recipe import framework_of
from .refusal import refused
from .schedules import learning_rates
from .scoring import learned, probabilities, score
from .spec import Environment, Epoch, Job, Result, arrays_sha256, pretty_json
from .threads import LoadClock, ThreadClock
from .worker import Arrays, Unsupported, Worker, notes_for, staged, stateful, trainable

PREDICT_PASSES = 3  # over the test rows, at least ...
PREDICT_SECONDS = 0.5  # ... and until they took this long
LATENCY_CALLS = 100
LATENCY_SECONDS = 2.0


class Diverged(Exception):
    """A loss is no longer a finite number."""


class DidNotLearn(Exception):
    """The model is no better than a constant answer, so its time says nothing."""


def run_job(job: Job, folder: Path) -> Result:
    """Run the job, whatever happens, and leave ``result.json`` in its folder."""
    result = Result(job_id=job.id, status="ok", parity=job.parity, environment=_environment())
    try:
        KINDS[job.kind](job, folder, result)
    except Exception as error:
        traceback.print_exc()
        result.status, result.reason = _status(error), _reason(error)
    result.peak_rss_bytes = _peak_rss_bytes()
    write_text(folder / "result.json", pretty_json(result))
    return result


def _status(error: Exception) -> Any:
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "ResourceExhaustedError"):
        return "out_of_memory"  # PyTorch's and TensorFlow's names for it
    return {Unsupported: "unsupported", Diverged: "diverged", DidNotLearn: "did_not_learn"}.get(type(error), "failed")


def _reason(error: Exception) -> str:
    if isinstance(error, (Unsupported, Diverged, DidNotLearn)):
        return str(error)
    return "{}: {}".format(type(error).__name__, error)


def write_text(path: Path, text: str) -> None:
    """Write a file whole, then give it its name, so that nobody reads half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(str(part), str(path))


# ---------------------------------------------------------------------------- the kinds of job


def run_parity(job: Job, folder: Path, result: Result) -> None:
    """Hold the worker to the reference, or, where the job names none, make the reference."""
    if job.reference_sha256 is None:
        from .numpy_reference import make_reference  # only the NumPy worker's image has it

        record = make_reference(job, load_weights(job, folder))
        np.savez(str(folder / "reference.npz"), **record)  # type: ignore[arg-type]
        result.reference_sha256 = arrays_sha256(record)
        return
    worker = _opened(job, result)
    with np.load(str(_inputs(folder) / "reference-{}.npz".format(job.reference_sha256[:12]))) as archive:
        record = dict(archive)
    if arrays_sha256(record) != job.reference_sha256:
        raise ValueError("the reference file is not the one that the job names; run the parity job of numpy again")
    result.parity = parity.check(worker, job, record)


def run_null(job: Job, folder: Path, result: Result) -> None:
    """Do nothing, so that what it takes is what a job costs around its work."""


def run_train(job: Job, folder: Path, result: Result) -> None:
    """Train, evaluate after every epoch, then measure prediction."""
    worker = _opened(job, result)
    phases = result.phases
    data, phases.data_seconds = timed(lambda: load_data(job, folder))
    weights = load_weights(job, folder)
    if type(worker).warm_up is not Worker.warm_up:
        _, phases.warm_up_seconds = timed(lambda: worker.warm_up(job, weights), worker)
    _, phases.build_seconds = timed(lambda: worker.build(job, weights), worker)
    check_parameters(job, weights, worker.parameters())
    result.staging, result.composed = worker.staging, notes_for(job, worker.composed)

    test = staged(worker, job, data["test_x"], data["test_y"])
    outputs = _train(job, worker, data, test, result)
    _measure_prediction(job, worker, data, test, result)
    np.savez_compressed(str(folder / "predictions.npz"), scores=probabilities(job.recipe.loss, outputs))
    complaint = learned(job.recipe.loss, outputs, data["test_y"])
    if complaint:
        raise DidNotLearn(complaint)


def run_lines(job: Job, folder: Path, result: Result) -> None:
    """Build and train once over the job's rows, untimed, and count which of the worker's own lines run."""
    worker = _opened(job, result)
    data, weights = load_data(job, folder), load_weights(job, folder)
    name, modules = job.framework.name, Path(__file__).resolve().parent.glob("*.py")
    own = [path for path in modules if framework_of(path.name, path.parent.parent) == name]
    build, train = (LineTrace(own, worker.trace_foreign_lines) for _ in range(2))
    with build:
        worker.build(job, weights)
    rates = learning_rates(job.recipe, 0, -(-job.dataset.train_rows // job.recipe.batch_size), 1)
    with train:
        worker.reset_states()
        worker.train_epoch(staged(worker, job, data["train_x"], data["train_y"]), rates)
    both = build.logical | train.logical
    result.code_lines = {"build": len(build.logical), "train": len(train.logical), "both": len(both)}


KINDS = {"parity": run_parity, "train": run_train, "null": run_null, "lines": run_lines}


def _train(job: Job, worker: Worker, data: Arrays, test: Any, result: Result) -> np.ndarray:
    """Run all epochs; return the last test outputs. The very first batch is a phase of its own.

    The job's carried epochs come first: trained alike, and left out of the result.
    """
    size, rows = job.recipe.batch_size, job.dataset.train_rows
    steps = -(-rows // size)
    outputs = np.empty(0)
    load, ordered = LoadClock(), stateful(job)

    def stage(chosen: np.ndarray) -> Any:
        x, y = data["train_x"][chosen], data["train_y"][chosen]
        return timed(lambda: staged(worker, job, x, y), worker)

    for number in range(job.carried_epochs + job.recipe.epochs):
        order = np.arange(rows) if ordered else np.random.RandomState([job.seed, number]).permutation(rows)
        rates = learning_rates(job.recipe, number * steps, steps, steps)
        worker.reset_states()
        parts = [(order, rates)] if number else [(order[:size], rates[:1]), (order[size:], rates[1:])]
        stage_seconds, train_seconds, total = 0.0, [], 0.0
        threads = ThreadClock()
        for chosen, part_rates in parts:
            if not len(chosen):
                continue
            handle, seconds = stage(chosen)
            stage_seconds += seconds
            with load, threads:
                loss, seconds = timed(partial(worker.train_epoch, handle, part_rates), worker)
            train_seconds.append(seconds)
            total += loss * len(chosen)
        result.environment.threads_seen = threads.seen
        result.environment.other_cpus_busy = load.other_cpus_busy
        if number == 0:
            result.phases.first_step_seconds = train_seconds[0]
        train_loss = float(total / rows)
        if not np.isfinite(train_loss):
            raise Diverged("the training loss became {} in epoch {}".format(train_loss, number + 1))
        outputs, evaluate_seconds = timed(lambda: worker.predict(test), worker)
        test_loss, accuracy = score(job.recipe.loss, outputs, data["test_y"])
        if not np.isfinite(test_loss):
            raise Diverged("the test loss became {} after epoch {}".format(test_loss, number + 1))
        if number < job.carried_epochs:
            continue
        result.epochs.append(
            Epoch(
                stage_seconds=stage_seconds,
                train_seconds=sum(train_seconds),
                evaluate_seconds=evaluate_seconds,
                train_loss=train_loss,
                test_loss=test_loss,
                accuracy=accuracy,
            )
        )
    return outputs


def _measure_prediction(job: Job, worker: Worker, data: Arrays, test: Any, result: Result) -> None:
    result.predict_seconds = repeated(lambda: worker.predict(test), worker, PREDICT_PASSES, 1000, PREDICT_SECONDS)
    one = staged(worker, job, data["test_x"][:1], data["test_y"][:1])
    worker.predict(one)  # a shape of its own; what it compiles is not latency
    result.latency_seconds = repeated(lambda: worker.predict(one), worker, 1, LATENCY_CALLS, LATENCY_SECONDS)


# ---------------------------------------------------------------------------- the clock


def timed(action: Callable[[], Any], worker: Any = None) -> Tuple[Any, float]:
    """Return (what ``action`` returned, its seconds), the device idle before and after."""
    gc.collect()
    if worker is not None:
        worker.synchronize()
    start = time.perf_counter()
    value = action()
    if worker is not None:
        worker.synchronize()
    return value, time.perf_counter() - start


def repeated(action: Callable[[], Any], worker: Worker, least: int, most: int, seconds: float) -> List[float]:
    """Return the seconds of each call: at least ``least``, then until ``most`` calls or ``seconds`` in all."""
    times: List[float] = []
    while len(times) < least or (len(times) < most and sum(times) < seconds):
        start = time.perf_counter()
        action()
        worker.synchronize()
        times.append(time.perf_counter() - start)
    return times


# ---------------------------------------------------------------------------- opening, loading, checking


def _opened(job: Job, result: Result) -> Worker:
    """Import the framework and open its device; refuse a job that it cannot run before anything is built."""
    name = job.framework.name
    os.environ["BENCH_MODE"] = job.framework.mode or ""  # Keras chooses its backend when it is imported
    os.environ["BENCH_MEMORY_BYTES"] = str(job.limits.memory_bytes)  # a JVM is given its limits when it starts
    module, result.phases.import_seconds = timed(lambda: importlib.import_module("." + name + "_worker", __package__))
    worker: Worker = module.WORKER()
    result.environment.versions = worker.versions()
    reasons = refused(worker.layers, worker.unsupported, job)
    if reasons:
        raise Unsupported("; ".join(reasons))
    _, result.phases.open_device_seconds = timed(lambda: worker.open_device(job.device, job.threads))
    return worker


def _inputs(folder: Path) -> Path:
    """The run's read-only inputs, two levels above the job: RUN/inputs beside RUN/jobs/JOB."""
    return folder.resolve().parent.parent / "inputs"


def load_data(job: Job, folder: Path) -> Arrays:
    """Return the job's rows as workers get them: scaled float32 or int32 tokens; int32 or float32 targets.

    Raises ValueError where the arrays are not those that the job names.
    """
    source = _inputs(folder) / "data-{}".format(job.dataset.checksum[:12])
    raw = {name: np.load(str(source / (name + ".npy"))) for name in ("train_x", "train_y", "test_x", "test_y")}
    if arrays_sha256(raw) != job.dataset.checksum:
        raise ValueError("the arrays in {} do not have the checksum {}".format(source, job.dataset.checksum))
    (spec,) = job.inputs
    data = {}
    for split, rows in (("train", job.dataset.train_rows), ("test", job.dataset.test_rows)):
        x, y = raw[split + "_x"][:rows], raw[split + "_y"][:rows]
        if spec.dtype != "int32":
            x = padded(x, spec.pad).astype(np.float32) * np.float32(spec.scale) + np.float32(spec.offset)
        data[split + "_x"] = x.reshape([len(x), *spec.shape])
        classes = job.recipe.loss.kind == "categorical_cross_entropy"
        data[split + "_y"] = y.astype(np.int32) if classes else y.astype(np.float32).reshape(len(y), -1)
    return data


def padded(images: np.ndarray, pad: int) -> np.ndarray:
    """Return (rows, height, width, channel) images with ``pad`` zeros on each side."""
    return np.pad(images, [(0, 0), (pad, pad), (pad, pad), (0, 0)], "constant") if pad else images


def load_weights(job: Job, folder: Path) -> Arrays:
    """Return the job's initial weights. Raises ValueError where the file does not have the job's hash."""
    path = _inputs(folder) / "weights-{}.npz".format(job.model.weights_sha256[:12])
    with np.load(str(path)) as archive:
        weights = dict(archive)
    if arrays_sha256(weights) != job.model.weights_sha256:
        raise ValueError("{} does not hold the job's weights {}".format(path, job.model.weights_sha256))
    return weights


def check_parameters(job: Job, weights: Arrays, parameters: Arrays) -> None:
    """Refuse to time a model that is not the job's: its parameter count, names or initial values differ."""
    count = sum(value.size for name, value in parameters.items() if trainable(name))
    if count != job.model.parameter_count:
        text = "the worker's model has {} trainable parameters, the job's {}; nothing was timed"
        raise ValueError(text.format(count, job.model.parameter_count))
    for name, value in weights.items():
        if name not in parameters or not np.array_equal(parameters[name], value):
            raise ValueError("{} is not the job's initial weight in the worker; nothing was timed".format(name))


def _peak_rss_bytes() -> Optional[int]:
    """Return this process's largest resident memory; getrusage would count that of the process it was forked from."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None


def _environment() -> Environment:
    """Return what can be read from inside; the engine adds the rest."""
    baked = Path(__file__).resolve().parent.parent / "recipe_hash"  # only in an image
    found: Dict[str, Any] = {
        "python": platform.python_version(),
        "cpu_count": len(os.sched_getaffinity(0)),
        "recipe_hash": baked.read_text().strip() if baked.exists() else None,
    }
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if model:
        found["cpu_model"] = model.group(1)
    return Environment(**found)
