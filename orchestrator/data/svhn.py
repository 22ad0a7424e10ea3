"""SVHN's format: MATLAB files with the images X (32, 32, 3, rows) and the digits y, in which 10 stands for 0."""

import io
import warnings
from pathlib import Path

import numpy as np

from orchestrator.data.files import Files
from orchestrator.data.info import CLASS_TYPE, Arrays
from orchestrator.errors import DataError

TRAIN, TEST, EXTRA = "train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"
MOST_BYTES = 3 << 29  # the extra rows are one file of 1.3 GB
MOST_ROWS = 1_000_000


def read_svhn(files: Files) -> Arrays:
    return _read(files, [TRAIN])


def read_svhn_extra(files: Files) -> Arrays:
    """Return SVHN with its extra rows behind the training rows."""
    return _read(files, [TRAIN, EXTRA])


def _read(files: Files, train: list[str]) -> Arrays:
    arrays: Arrays = {}
    for split, names in (("train", train), ("test", [TEST])):
        parts = [parse_mat(files.read(name, MOST_BYTES), files.path(name)) for name in names]
        arrays[f"{split}_x"] = np.concatenate([x for x, _ in parts])
        arrays[f"{split}_y"] = np.concatenate([y for _, y in parts])
    return arrays


def parse_mat(content: bytes, place: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a file's images, rows first, and classes. Raises DataError for any other file, before reading its data."""
    from scipy.io import loadmat, whosmat  # takes a while to import

    again = "Get that file again, from where the dataset is published."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = whosmat(io.BytesIO(content))
            rows = _rows(found)
            if rows is None:
                held = ", ".join(f"{name!r} {shape} {kind}" for name, shape, kind in found[:8]) or "nothing"
                raise DataError(
                    f"{place}: holds {held:.400}; allowed are exactly X (32, 32, 3, rows) and y (rows, 1), both uint8, "
                    f"of at most {MOST_ROWS:,} rows. {again}"
                )
            arrays = loadmat(io.BytesIO(content), variable_names=["X", "y"])
        x, y = arrays["X"], arrays["y"]
    except DataError:
        raise
    except Exception as error:  # a broken file can make the reader fail anywhere
        reason = str(error).strip() or type(error).__name__
        raise DataError(f"{place}: is no complete MATLAB file ({reason:.200}). {again}") from None
    if x.shape != (32, 32, 3, rows) or y.shape != (rows, 1) or x.dtype != np.uint8 or y.min() < 1 or y.max() > 10:
        raise DataError(f"{place}: its X and y are not {rows} images and as many digits from 1 to 10. {again}")
    return np.ascontiguousarray(x.transpose(3, 0, 1, 2)), (y[:, 0] % 10).astype(CLASS_TYPE)


def _rows(found: list[tuple[str, tuple[int, ...], str]]) -> int | None:
    """Return how many rows a file says that it has, or None where it has something else."""
    shapes = {name: shape for name, shape, kind in found if kind == "uint8"}
    if len(found) != 2 or set(shapes) != {"X", "y"} or len(shapes["X"]) != 4:
        return None
    rows = shapes["X"][3]
    return rows if 0 < rows <= MOST_ROWS and shapes == {"X": (32, 32, 3, rows), "y": (rows, 1)} else None
