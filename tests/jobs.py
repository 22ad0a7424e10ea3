"""Small jobs for tests: any layers, loss and optimiser, resolved as the plan resolves them."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from orchestrator.shapes import parameter_count, resolve
from orchestrator.store import RunStore
from orchestrator.weights import DEFAULT_INITIALISERS, draw
from workers.spec import (
    Dataset,
    Framework,
    Initialiser,
    Input,
    Job,
    Layer,
    Limits,
    Recipe,
    SequentialModel,
    arrays_sha256,
)

IMAGE = {"name": "x", "shape": [9, 8, 2], "dtype": "float32"}
STEPS = {"name": "x", "shape": [6, 4], "dtype": "float32"}
TOKENS = {"name": "x", "shape": [6], "dtype": "int32"}
FLAT = {"name": "x", "shape": [12], "dtype": "float32"}
CATEGORICAL = {"kind": "categorical_cross_entropy"}
PLAIN_SGD = {"kind": "sgd", "learning_rate": 0.1}

LAYERS: TypeAdapter[list[Any]] = TypeAdapter(list[Layer])


def make_job(
    layers: list[dict[str, Any]],
    source: dict[str, Any],
    optimiser: dict[str, Any] | None = None,
    loss: dict[str, Any] | None = None,
    framework: str = "numpy",
    **changes: Any,
) -> Job:
    """Return a complete job. ``changes`` go to the recipe where it has such a field, else to the job."""
    recipe = {"batch_size": 16, "epochs": 1, "optimiser": optimiser or PLAIN_SGD, "loss": loss or CATEGORICAL}
    recipe |= {name: changes.pop(name) for name in list(changes) if name in Recipe.model_fields}
    inputs = [Input.model_validate(source)]
    resolved = resolve(LAYERS.validate_python(layers), inputs)
    job = Job(
        id="test",
        kind="train",
        framework=Framework(name=framework, version="0"),
        suite="test",
        workload="test",
        dataset=Dataset(name="digits", checksum="none", train_rows=1, test_rows=1),
        inputs=inputs,
        model=SequentialModel(
            layers=resolved,
            parameter_count=parameter_count(resolved),
            initialisers=DEFAULT_INITIALISERS,
            weights_sha256="none",
        ),
        recipe=Recipe.model_validate(recipe),
        threads=1,
        seed=1,
        limits=Limits(timeout_seconds=60.0, memory_bytes=2**30),
    )
    return job.model_copy(update=changes)


def make_weights(job: Job, seed: int = 0) -> dict[str, np.ndarray]:
    """Return initial weights wide enough that no nonlinearity stays linear."""
    wide = dict.fromkeys(DEFAULT_INITIALISERS, Initialiser(kind="normal", value=0.4))
    wide["running_variance"] = DEFAULT_INITIALISERS["running_variance"]  # never below 0
    return draw(job.model.layers, wide, seed)


def with_weights(job: Job, weights: dict[str, np.ndarray]) -> Job:
    model = job.model.model_copy(update={"weights_sha256": arrays_sha256(weights)})
    return job.model_copy(update={"model": model})


def in_run_folder(folder: Path, job: Job, arrays: dict[str, np.ndarray], **rows: Any) -> tuple[Job, Path]:
    """Put a job and its inputs into a run's folder; return the job as it is there, and the job's folder."""
    store = RunStore(folder)
    source = folder / "cache"
    source.mkdir()
    for name, array in arrays.items():
        np.save(source / f"{name}.npy", array)
    checksum = arrays_sha256(arrays)
    store.add_data(source, checksum)
    weights = make_weights(job)
    store.add_arrays("weights", weights)
    dataset = Dataset(name="made", checksum=checksum, **rows)
    job = with_weights(job.model_copy(update={"dataset": dataset}), weights)
    return job, store.write_job(job)


def make_batch(job: Job, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return seeded (inputs, targets) of the kinds that the job takes."""
    rng = np.random.default_rng(seed)
    (source,) = job.inputs
    shape = (rows, *source.shape)
    x: np.ndarray = rng.normal(size=shape).astype(np.float32)
    if source.dtype == "int32":
        x = rng.integers(0, job.model.layers[0].layer.vocabulary_size, shape, dtype=np.int32)
    *steps, outputs = job.model.layers[-1].output_shape
    y: np.ndarray
    if job.recipe.loss.kind == "categorical_cross_entropy":
        y = rng.integers(0, outputs, (rows, *steps), dtype=np.int32)
    elif job.recipe.loss.kind == "binary_cross_entropy":
        y = rng.integers(0, 2, (rows, outputs)).astype(np.float32)
    else:
        y = rng.normal(size=(rows, outputs)).astype(np.float32)
    return x, y
