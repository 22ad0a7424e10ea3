"""MNIST's format, IDX: two files of images and two of labels."""

import numpy as np

from orchestrator.data.files import Files
from orchestrator.data.info import CLASS_TYPE, Arrays
from orchestrator.errors import DataError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MOST_BYTES = 1 << 27
CLASSES = 10


def read_idx_set(files: Files, names: tuple[str, ...] = NAMES, pixels: tuple[int, int] = (28, 28)) -> Arrays:
    """Return the arrays of four IDX files, images and labels. Raises DataError."""
    arrays: Arrays = {}
    for split, images, labels in (("train", *names[:2]), ("test", *names[2:])):
        x = parse_idx(files.read(images, MOST_BYTES), 3, str(files.path(images)))
        y = parse_idx(files.read(labels, MOST_BYTES), 1, str(files.path(labels)))
        if x.shape[1:] != pixels or len(x) == 0:
            raise DataError(f"{files.path(images)}: has the shape {x.shape}; expected are rows of {pixels}.")
        if len(x) != len(y) or y.max() >= CLASSES:
            raise DataError(
                f"{files.path(labels)}: has {len(y)} labels up to {y.max(initial=0)}; expected are {len(x)}, one for "
                f"each image, below {CLASSES}. {files.advice}"
            )
        arrays[f"{split}_x"], arrays[f"{split}_y"] = x[..., np.newaxis], y.astype(CLASS_TYPE)
    return arrays


def parse_idx(content: bytes, axes: int, place: str) -> np.ndarray:
    """Return the array of an IDX file of bytes: 0, 0, 8, the number of axes; each axis (big-endian); the numbers."""
    start = 4 + 4 * axes
    if content[:4] != bytes([0, 0, 8, axes]) or len(content) < start:
        raise DataError(f"{place}: is no IDX file of bytes with {axes} axes. Get that file again.")
    shape = [int(size) for size in np.frombuffer(content, ">u4", count=axes, offset=4)]
    count = int(np.prod(shape, dtype=object))
    if len(content) - start != count:
        raise DataError(
            f"{place}: has {len(content) - start:,} numbers, but says that it has {count:,} ({shape}). "
            f"Get that file again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
