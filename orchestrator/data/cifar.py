"""CIFAR's format: Python pickles of a dictionary, rows of 3072 bytes (red, green, blue planes of 32 x 32)."""

from collections.abc import Sequence

import numpy as np

from orchestrator.data.files import Files
from orchestrator.data.info import CLASS_TYPE, Arrays
from orchestrator.data.pickles import read_pickle
from orchestrator.errors import DataError

BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
MOST_BYTES = 1 << 28  # CIFAR-100's training rows are one file of 155 MB
PIXELS = 3 * 32 * 32


def read_cifar10(files: Files) -> Arrays:
    """Return CIFAR-10, or those of its five training batches that are there."""
    batches = [name for name in BATCHES if name in files.paths]
    return _read(files, batches, ["test_batch"], "labels", 10)


def read_cifar100(files: Files) -> Arrays:
    """Return CIFAR-100 with its fine labels."""
    return _read(files, ["train"], ["test"], "fine_labels", 100)


def _read(files: Files, train: Sequence[str], test: Sequence[str], key: str, classes: int) -> Arrays:
    arrays: Arrays = {}
    for split, names in (("train", train), ("test", test)):
        parts = [_batch(files, name, key, classes) for name in names]
        arrays[f"{split}_x"] = np.concatenate([x for x, _ in parts])
        arrays[f"{split}_y"] = np.concatenate([y for _, y in parts])
    return arrays


def _batch(files: Files, name: str, key: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one file's images, channels last, and classes. Raises DataError."""
    place = files.path(name)
    batch = read_pickle(files.read(name, MOST_BYTES), place, "CIFAR batch")
    x, y = (batch.get("data"), batch.get(key)) if isinstance(batch, dict) else (None, None)
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.shape[1:] != (PIXELS,) or len(x) == 0:
        raise DataError(f"{place}: has no rows of {PIXELS} bytes under 'data', as a CIFAR batch has. {files.advice}")
    if not isinstance(y, list) or len(y) != len(x) or any(type(n) is not int or not 0 <= n < classes for n in y):
        raise DataError(
            f"{place}: has no {len(x)} whole numbers from 0 to {classes - 1} under {key!r}, one for each row. "
            f"{files.advice}"
        )
    images = x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(y, CLASS_TYPE)
