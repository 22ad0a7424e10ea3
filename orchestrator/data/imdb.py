"""Keras' imdb.npz: reviews as lists of word ranks, 1 the most frequent, and whether each is a good one."""

import io
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np

from orchestrator.data.files import Files
from orchestrator.data.info import CLASS_TYPE, END_TYPE, WORD_TYPE, Arrays
from orchestrator.data.pickles import read_pickle
from orchestrator.errors import DataError

NAME = "imdb.npz"
MEMBERS = ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy")
MOST_BYTES = 1 << 26  # of the file and of each member; the published ones have a quarter of that
MOST_HEADER = 10_000
MOST_RANK = 10_000_000
KERAS_SEED = 113  # of load_data's own shuffle


def read_imdb(files: Files) -> Arrays:
    """Return all reviews' ranks in a row, where each review ends, and the classes.

    The file may have one class behind the other, so the reviews come in the order that Keras' load_data gives them.
    """
    place = str(files.path(NAME))
    rng = np.random.RandomState(KERAS_SEED)
    members = read_members(files.read(NAME, MOST_BYTES), place)
    arrays: Arrays = {}
    for split in ("train", "test"):
        reviews = read_array(members[f"x_{split}.npy"], f"{place}, member x_{split}.npy")
        y = np.asarray(read_array(members[f"y_{split}.npy"], f"{place}, member y_{split}.npy"))
        rows = checked(reviews, f"{place}, member x_{split}.npy")
        if y.shape != (len(rows),) or y.dtype.kind not in "iub" or not np.isin(y, (0, 1)).all():
            raise DataError(f"{place}: y_{split} are not {len(rows)} zeros and ones, one for each review.")
        order = np.arange(len(rows))
        rng.shuffle(order)
        arrays[f"{split}_x"] = np.concatenate([rows[number] for number in order])
        arrays[f"{split}_ends"] = np.cumsum([len(rows[number]) for number in order], dtype=END_TYPE)
        arrays[f"{split}_y"] = y[order].astype(CLASS_TYPE)
    return arrays


def read_members(content: bytes, place: str) -> dict[str, bytes]:
    """Return the four members of the archive. Raises DataError for others, and for those that unpack to too much."""
    again = "Get that file again, from where the dataset is published."
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = archive.infolist()
            if sorted(item.filename for item in found) != sorted(MEMBERS):
                names = ", ".join(repr(item.filename) for item in found[:8])
                raise DataError(f"{place}: has the members {names}; allowed are exactly {', '.join(MEMBERS)}. {again}")
            contents = {}
            for item in found:
                size = item.file_size
                with archive.open(item) as file:  # reads no more than it is asked for, whatever the archive declares
                    content = file.read(MOST_BYTES + 1) if size <= MOST_BYTES else b""
                if len(content) != size or not content:
                    raise DataError(
                        f"{place}: its member {item.filename} is broken, or too large ({size:,} bytes once unpacked; "
                        f"at most {MOST_BYTES:,} are read). {again}"
                    )
                contents[item.filename] = content
            return contents
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{place}: is no complete archive of arrays ({error}). {again}") from None


def read_array(content: bytes, place: str) -> Any:
    """Return the array of a .npy file; of an array of objects their list, read without running anything."""
    stream = io.BytesIO(content)
    try:
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shape, by_columns, dtype = read[np.lib.format.read_magic(stream)](stream, max_header_size=MOST_HEADER)
    except Exception as error:  # the header is a Python literal, which can be wrong in many ways
        raise DataError(f"{place}: is no array of NumPy's ({error}). Get that file again.") from None
    rest = content[stream.tell() :]
    if len(shape) != 1 or (dtype != np.dtype(object) and (by_columns or len(rest) != shape[0] * dtype.itemsize)):
        raise DataError(f"{place}: says it has the shape {shape}, but its content has not. Get that file again.")
    if dtype != np.dtype(object):
        return np.frombuffer(rest, dtype)
    return read_pickle(rest, place, "array of lists")


def checked(reviews: Any, place: str) -> list[np.ndarray]:
    """Return the reviews' ranks. Raises DataError for what is none."""
    if not isinstance(reviews, list) or not reviews:
        raise DataError(f"{place}: holds no reviews. Get that file again.")
    rows = []
    for number, review in enumerate(reviews):
        whole = isinstance(review, np.ndarray) and review.ndim == 1 and review.dtype.kind in "iu"
        if not whole and not (isinstance(review, list) and all(type(rank) is int for rank in review)):
            raise DataError(f"{place}: review {number} is no list of whole numbers. Get that file again.")
        if len(review) and not 1 <= min(review) <= max(review) <= MOST_RANK:
            raise DataError(f"{place}: review {number} has ranks outside 1 to {MOST_RANK:,}. Get that file again.")
        rows.append(np.asarray(review, WORD_TYPE))
    return rows
