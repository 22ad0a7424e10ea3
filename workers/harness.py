"""Runs one job: the only clock, the phases, the scores and the files of every framework.

A phase is timed with the device idle on both sides. Permuting, scaling and scoring happen outside every phase,
in NumPy and the same for all; a worker sees finished batches' rows in their order.
"""

import importlib
import os
import platform
import re
import traceback
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np

from . import parity
from .clock import Clock
from .lines import LineTrace
from .loading import Rows, check_parameters, inputs_of, load_data, load_weights
from .recipe import framework_of
from .refusal import refused
from .schedules import learning_rates
from .spec import Environment, Job, Result, arrays_sha256, pretty_json
from .training import DidNotLearn, Diverged, MissedTarget, Training
from .worker import Unsupported, Worker, notes_for, staged

PREDICT_PASSES = 3  # over the test rows, at least ...
PREDICT_SECONDS = 0.5  # ... and until they took this long
LATENCY_CALLS = 100
LATENCY_SECONDS = 2.0


def run_job(job: Job, folder: Path) -> Result:
    """Run the job, whatever happens, and leave ``result.json`` in its folder."""
    result = Result(job_id=job.id, status="ok", parity=job.parity, environment=_environment())
    try:
        with Clock(folder / "phases.txt") as clock:
            KINDS[job.kind](job, folder, result, clock)
    except Exception as error:
        traceback.print_exc()
        result.status, result.reason = _status(error), _reason(error)
    result.peak_rss_bytes = _peak_rss_bytes()
    write_text(folder / "result.json", pretty_json(result))
    return result


ENDS = {
    Unsupported: "unsupported",
    Diverged: "diverged",
    DidNotLearn: "did_not_learn",
    MissedTarget: "missed_target",
}


def _status(error: Exception) -> Any:
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "ResourceExhaustedError"):
        return "out_of_memory"  # PyTorch's and TensorFlow's names for it
    return ENDS.get(type(error), "failed")


def _reason(error: Exception) -> str:
    if type(error) in ENDS:
        return str(error)
    return "{}: {}".format(type(error).__name__, error)


def write_text(path: Path, text: str) -> None:
    """Write a file whole, then give it its name, so that nobody reads half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(str(part), str(path))


# ---------------------------------------------------------------------------- the kinds of job


def run_parity(job: Job, folder: Path, result: Result, clock: Clock) -> None:
    """Hold the worker to the reference, or, where the job names none, make the reference."""
    if job.reference_sha256 is None:
        from .numpy_reference import make_reference  # only the NumPy worker's image has it

        record = make_reference(job, load_weights(job, folder))
        np.savez(str(folder / "reference.npz"), **record)  # type: ignore[arg-type]
        result.reference_sha256 = arrays_sha256(record)
        return
    worker = _opened(job, result, clock)
    with np.load(str(inputs_of(folder) / "reference-{}.npz".format(job.reference_sha256[:12]))) as archive:
        record = dict(archive)
    if arrays_sha256(record) != job.reference_sha256:
        raise ValueError("the reference file is not the one that the job names; run the parity job of numpy again")
    result.parity = parity.check(worker, job, record)


def run_null(job: Job, folder: Path, result: Result, clock: Clock) -> None:
    """Do nothing, so that what it takes is what a job costs around its work."""


def run_train(job: Job, folder: Path, result: Result, clock: Clock) -> None:
    """Train, evaluate after every epoch, then measure prediction."""
    worker = _opened(job, result, clock)
    phases = result.phases
    data, phases.data_seconds = clock.timed("data", lambda: load_data(job, folder))
    weights = load_weights(job, folder)
    if type(worker).warm_up is not Worker.warm_up:
        _, phases.warm_up_seconds = clock.timed("warm_up", lambda: worker.warm_up(job, weights))
    _, phases.build_seconds = clock.timed("build", lambda: worker.build(job, weights))
    check_parameters(job, weights, worker.parameters())
    result.staging, result.composed = worker.staging, notes_for(job, worker.composed)

    training = Training(job, worker, data, result, clock)
    predictions = training.run()
    _measure_prediction(training, data["test"], result)
    np.savez_compressed(str(folder / "predictions.npz"), **predictions)  # type: ignore[arg-type]
    training.check_learned()


def run_lines(job: Job, folder: Path, result: Result, clock: Clock) -> None:
    """Build and train once over the job's rows, untimed, and count which of the worker's own lines run."""
    worker = _opened(job, result, clock)
    data, weights = load_data(job, folder), load_weights(job, folder)
    name, modules = job.framework.name, Path(__file__).resolve().parent.glob("*.py")
    own = [path for path in modules if framework_of(path.name, path.parent.parent) == name]
    build, train = (LineTrace(own, worker.trace_foreign_lines) for _ in range(2))
    with build:
        worker.build(job, weights)
    rates = learning_rates(job.recipe, 0, -(-job.dataset.train_rows // job.recipe.batch_size), 1)
    with train:
        worker.reset_states()
        worker.train_epoch(staged(worker, job, *data["train"]), rates)
    both = build.logical | train.logical
    result.code_lines = {"build": len(build.logical), "train": len(train.logical), "both": len(both)}


KINDS = {"parity": run_parity, "train": run_train, "target": run_train, "null": run_null, "lines": run_lines}


def _measure_prediction(training: Training, test: Rows, result: Result) -> None:
    clock, worker, job = training.clock, training.worker, training.job
    result.predict_seconds = clock.repeated("predict", training.test.predict, PREDICT_PASSES, 1000, PREDICT_SECONDS)
    one = staged(worker, job, test[0][:1], test[1][:1])
    worker.predict(one)  # a shape of its own; what it compiles is not latency
    result.latency_seconds = clock.repeated("latency", lambda: worker.predict(one), 1, LATENCY_CALLS, LATENCY_SECONDS)


# ---------------------------------------------------------------------------- opening


def _opened(job: Job, result: Result, clock: Clock) -> Worker:
    """Import the framework and open its device; refuse a job that it cannot run before anything is built."""
    name = job.framework.name
    os.environ["BENCH_MODE"] = job.framework.mode or ""  # Keras chooses its backend when it is imported
    os.environ["BENCH_MEMORY_BYTES"] = str(job.limits.memory_bytes)  # a JVM is given its limits when it starts
    where = "." + name + "_worker"
    module, result.phases.import_seconds = clock.timed("import", lambda: importlib.import_module(where, __package__))
    worker: Worker = module.WORKER()
    result.environment.versions = worker.versions()
    reasons = refused(worker, job)
    if reasons:
        raise Unsupported("; ".join(reasons))
    opened = clock.timed("open_device", lambda: worker.open_device(job.device, job.threads))
    result.phases.open_device_seconds = opened[1]
    clock.worker = worker
    return worker


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
