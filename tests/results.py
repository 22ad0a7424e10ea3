"""Made-up results for planned jobs: numbers like those of a real run, the same for the same job every time."""

from typing import Any
from zlib import crc32

import numpy as np

from workers.spec import Environment, Epoch, Job, Phases, Resources, Result, TensorError, Verdict

GATE_PASSED = Verdict(
    passed=True,
    worst=[
        TensorError(pass_name="gradient", tensor="dense_1/kernel", error=2.4e-7, bound=1e-3),
        TensorError(pass_name="recipe", tensor="dense_1/bias", error=2.6e-6, bound=1e-3),
        TensorError(pass_name="stressed", tensor="dense_1/bias", error=6.1e-6, bound=1e-3),
    ],
)
GIB = 2**30


def environment_of(job: Job) -> Environment:
    on_gpu = job.device == "gpu"
    return Environment(
        engine="docker",
        recipe_hash=f"{crc32(job.framework.label.encode()):08x}" * 8,
        image_id=f"sha256:{crc32(job.framework.name.encode()):08x}{'0' * 56}",
        python="3.11.7",
        versions={job.framework.name: job.framework.version, "numpy": "2.1.0"},
        cpu_model="A made-up processor",
        cpu_count=max(job.threads, 1),
        gpu_model="A made-up GPU" if on_gpu else None,
        gpu_driver="550.1" if on_gpu else None,
        compile_cache="warm",
        threads_seen=job.threads,
        other_cpus_busy=0.02,
    )


def gate_result(job: Job) -> Result:
    return Result(job_id=job.id, status="ok", parity=GATE_PASSED, environment=environment_of(job))


def ok_result(job: Job) -> Result:
    """Return a good result: each framework has a speed of its own, each round a few percent of noise."""
    rng = np.random.default_rng(crc32(job.id.encode()))
    speed = 0.5 + 4 * (crc32(job.framework.label.encode()) % 1000) / 1000
    size = 0.2 + job.model.parameter_count**0.5 / 200
    seconds = speed * size / job.threads**0.7 * rng.normal(1.0, 0.02)
    steps = [seconds * (1.3 if place == 0 else rng.normal(1.0, 0.01)) for place in range(job.recipe.epochs)]
    epochs = [_epoch(job, place, value) for place, value in enumerate(steps)]
    regression = job.recipe.loss.kind == "mean_squared_error"
    return Result(
        job_id=job.id,
        status="ok",
        environment=environment_of(job),
        phases=Phases(import_seconds=1.1, data_seconds=0.2, build_seconds=0.4 * speed, first_step_seconds=0.1),
        staging="resident",
        epochs=epochs,
        predict_seconds=[0.1 * seconds * rng.normal(1.0, 0.02) for _ in range(3)],
        latency_seconds=[1e-3 * speed * rng.normal(1.0, 0.05) for _ in range(5)],
        peak_rss_bytes=int(0.4 * GIB * speed),
        parity=None,
        epochs_to_target=job.recipe.epochs - 1 if job.kind == "target" else None,
        constant_errors={"squared_error": 0.09, "absolute_error": 0.21} if regression else {},
        resources=[_resources(job, phase, share * sum(steps)) for phase, share in SHARES.items()],
    )


SHARES = {"import": 0.2, "build": 0.1, "train": 1.0, "evaluate": 0.1, "predict": 0.05, "other": 0.02}


def _epoch(job: Job, place: int, seconds: float) -> Epoch:
    """Return one epoch, its loss falling; the scores are those of the job's kind of model."""
    loss = 0.2 + 2.0 / (place + 1) + 0.01 * job.repeat
    scores: dict[str, Any] = {}
    if job.dataset.synthetic:
        pass
    elif job.recipe.loss.kind == "mean_squared_error":
        scores = {"squared_error": 0.03 + 0.05 / (place + 1), "absolute_error": 0.1 + 0.1 / (place + 1)}
    elif job.inputs[0].view is not None and job.inputs[0].view.kind != "reviews":
        scores = {"perplexity": 110.0 + 400.0 / (place + 1), "accuracy": 0.2}
    else:
        scores = {"accuracy": 0.98 - 0.3 / (place + 1) - 0.001 * job.repeat}
    validated = {"validate_seconds": 0.02, "validation_loss": 1.1 * loss} if job.dataset.validation_rows else {}
    return Epoch(
        stage_seconds=0.01,
        train_seconds=seconds,
        evaluate_seconds=0.1 * seconds,
        train_loss=loss,
        test_loss=1.05 * loss,
        **scores,
        **validated,
    )


def _resources(job: Job, phase: str, seconds: float) -> Resources:
    busy = {"train": 95.0, "evaluate": 90.0}.get(phase, 40.0)
    of_gpu = {
        "gpu_percent": busy,
        "gpu_memory_bytes": 3.0 * GIB,
        "gpu_watts": 200.0,
        "gpu_celsius": 55.0,
        "gpu_clock_mhz": 1400.0,
    }
    return Resources(
        phase=phase,
        seconds=seconds,
        samples=int(10 * seconds) + 1,
        cpu_percent=busy,
        mean_rss_bytes=0.3 * GIB,
        peak_rss_bytes=0.4 * GIB,
        memory_percent=5.0,
        voluntary_switches=120,
        involuntary_switches=14,
        throttled_seconds=0.0,
        **(of_gpu if job.device == "gpu" else {}),
    )
