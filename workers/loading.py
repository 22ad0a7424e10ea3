"""What a job reads of its run's inputs: rows as workers get them, initial weights; and whether a model has those."""

from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

from .spec import Job, arrays_sha256
from .views import reviews, streams, windows
from .worker import Arrays, trainable

Rows = Tuple[np.ndarray, np.ndarray]  # inputs, targets


def inputs_of(folder: Path) -> Path:
    """The run's read-only inputs, two levels above the job: RUN/inputs beside RUN/jobs/JOB."""
    return folder.resolve().parent.parent / "inputs"


def load_data(job: Job, folder: Path) -> Dict[str, Rows]:
    """Return the job's rows, ``train``, ``validation`` and ``test``, as workers get them: scaled float32 or int32
    tokens; int32 or float32 targets.

    Raises ValueError where the arrays are not those that the job names.
    """
    source = inputs_of(folder) / "data-{}".format(job.dataset.checksum[:12])
    raw = {path.stem: np.load(str(path)) for path in source.glob("*.npy")}
    if arrays_sha256(raw) != job.dataset.checksum:
        raise ValueError("the arrays in {} do not have the checksum {}".format(source, job.dataset.checksum))
    kept = job.dataset.train_rows
    x, y = _rows(job, raw, "train", kept + job.dataset.validation_rows, job.recipe.batch_size)
    test = _rows(job, raw, "test", job.dataset.test_rows, job.recipe.evaluation_batch_size)
    return {"train": (x[:kept], y[:kept]), "validation": (x[kept:], y[kept:]), "test": test}


def _rows(job: Job, raw: Arrays, split: str, rows: int, batch_size: int) -> Rows:
    """Return the first rows of a split."""
    (spec,) = job.inputs
    x, view = raw[split + "_x"], spec.view
    if view is not None and view.kind == "streams":
        x, y = (array[:rows] for array in streams(x, view.steps, batch_size))
    elif view is not None and view.kind == "windows":
        x, y = windows(x, view.steps, view.every, rows)
    elif view is not None:
        x, y = reviews(x, raw[split + "_ends"], view, rows), raw[split + "_y"][:rows]
    else:
        x, y = x[:rows], raw[split + "_y"][:rows]
    if spec.dtype != "int32":
        x = padded(x, spec.pad).astype(np.float32) * np.float32(spec.scale) + np.float32(spec.offset)
    x = x.reshape([len(x), *spec.shape])
    classes = job.recipe.loss.kind == "categorical_cross_entropy"
    return x, y.astype(np.int32) if classes else y.astype(np.float32).reshape(len(y), -1)


def padded(images: np.ndarray, pad: int) -> np.ndarray:
    """Return (rows, height, width, channel) images with ``pad`` zeros on each side."""
    return np.pad(images, [(0, 0), (pad, pad), (pad, pad), (0, 0)], "constant") if pad else images


def load_weights(job: Job, folder: Path) -> Arrays:
    """Return the job's initial weights. Raises ValueError where the file does not have the job's hash."""
    path = inputs_of(folder) / "weights-{}.npz".format(job.model.weights_sha256[:12])
    with np.load(str(path)) as archive:
        weights: Dict[str, Any] = dict(archive)
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
