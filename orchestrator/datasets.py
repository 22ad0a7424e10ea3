"""The canonical arrays of a dataset, verified by checksum, in a cache.

A dataset is four arrays: ``train_x``, ``train_y``, ``test_x``, ``test_y``; images (rows, height, width,
channels) in their natural type, classes int32. Their one checksum identifies the data in every job.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from orchestrator.downloads import FileSet, RemoteFile, read_files
from orchestrator.errors import DataError
from workers.spec import Input, arrays_sha256

Arrays = dict[str, np.ndarray]
NAMES = ("train_x", "train_y", "test_x", "test_y")
CLASS_TYPE = np.dtype("<i4")


@dataclass(frozen=True)
class Source:
    """Where a loader finds files: the folder for downloads, the user's own folder; and whether to show progress."""

    downloads: Path
    data_dir: Path | None
    progress: bool


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset. ``outputs``: how many numbers a model puts out per row; ``checksum``: arrays_sha256 of its arrays."""

    name: str
    title: str
    inputs: tuple[Input, ...]
    outputs: int
    train_rows: int
    test_rows: int
    checksum: str
    load: Callable[[Source], Arrays]
    targets: Literal["classes", "numbers", "words"] = "classes"
    views: tuple[str, ...] = ()
    synthetic: bool = False


def load_digits(source: Source) -> Arrays:
    """Return scikit-learn's bundled digits, split by a fixed permutation (RandomState's never changes)."""
    from sklearn.datasets import load_digits as bundled  # takes a second to import

    digits = bundled()
    order = np.random.RandomState(0).permutation(len(digits.target))
    x = digits.images[order, :, :, np.newaxis].astype(np.uint8)
    y = digits.target[order].astype(CLASS_TYPE)
    train = 1437
    return {"train_x": x[:train], "train_y": y[:train], "test_x": x[train:], "test_y": y[train:]}


MNIST_FILES = FileSet(
    name="mnist",
    files=(
        RemoteFile(
            "train-images-idx3-ubyte",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "d53e105ee54ea40749a09fcbcd1e9432",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "9fb629c4189551a2d022fa330f9573f3",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    mirrors=("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
)


def load_mnist(source: Source, wanted: FileSet = MNIST_FILES) -> Arrays:
    """Return MNIST as published, from its four IDX files (named in the order of the four arrays)."""
    contents = read_files(wanted, source.downloads, source.data_dir, source.progress)
    train_x, train_y, test_x, test_y = [parse_idx(contents[file.name]) for file in wanted.files]
    return {
        "train_x": train_x[..., np.newaxis],
        "train_y": train_y.astype(CLASS_TYPE),
        "test_x": test_x[..., np.newaxis],
        "test_y": test_y.astype(CLASS_TYPE),
    }


def parse_idx(content: bytes) -> np.ndarray:
    """Return the array of an IDX file of bytes: 0, 0, 8, the number of axes; each axis (big-endian); the numbers."""
    axes = content[3]
    shape = np.frombuffer(content, ">u4", count=axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


DATASETS = {
    "digits": DatasetInfo(
        name="digits",
        title="Handwritten digits of scikit-learn, 8 x 8, 10 classes",
        inputs=(Input(name="image", shape=[8, 8, 1], dtype="uint8", scale=1 / 16),),
        outputs=10,
        train_rows=1437,
        test_rows=360,
        checksum="99052206fe62a4dca857966369b9f6a412da36b0d0e0f4b5c6c7130e786657d4",
        load=load_digits,
    ),
    "mnist": DatasetInfo(
        name="mnist",
        title="MNIST handwritten digits, 28 x 28, 10 classes",
        inputs=(Input(name="image", shape=[28, 28, 1], dtype="uint8", scale=1 / 255),),
        outputs=10,
        train_rows=60000,
        test_rows=10000,
        checksum="e7df2466598677479afa4708d04950dcca6bf1f85f014ae0b8a3d10f847f6c86",
        load=load_mnist,
    ),
}


def find(name: str) -> DatasetInfo | None:
    """Return a dataset's description."""
    return DATASETS.get(name)


def names() -> list[str]:
    """Return the names of all datasets."""
    return list(DATASETS)


def why_no_stand_in(old: DatasetInfo, new: DatasetInfo) -> str | None:
    """Return why a set cannot take the place of another, or None."""
    same = (old.inputs, old.outputs, old.targets, old.views) == (new.inputs, new.outputs, new.targets, new.views)
    return None if same else "its rows are others"


def make_synthetic(name: str, train_rows: int, test_rows: int) -> str:
    raise NotImplementedError(name)


def describe(name: str) -> DatasetInfo:
    """Return a dataset's description; ``plan`` has checked the name."""
    return DATASETS[name]


def find_data_dir(option: Path | None) -> Path | None:
    """Return the user's folder of data files: --data-dir, else BENCH_DATA_DIR, else None.

    Raises DataError where it is no folder.
    """
    setting, folder = "--data-dir", option
    if folder is None and os.environ.get("BENCH_DATA_DIR"):
        setting, folder = "BENCH_DATA_DIR", Path(os.environ["BENCH_DATA_DIR"])
    if folder is not None and not folder.is_dir():
        raise DataError(
            f"{folder}: {setting} names it, but it is no folder. Name the folder that holds the datasets' files, "
            f"or leave {setting} out to download them."
        )
    return folder


def prepare(name: str, cache: Path, data_dir: Path | None, progress: bool) -> Path:
    """Return the folder that holds a dataset's arrays, train_x.npy and so on, made now if need be.

    What is in the cache is verified each time and made anew if it was altered. Raises DataError.
    """
    info = describe(name)
    folder = cache / "datasets" / f"{name}-{info.checksum[:12]}"
    if _checksum(folder) == info.checksum:
        return folder
    arrays = info.load(Source(cache / "downloads" / name, data_dir, progress))
    found = arrays_sha256(arrays)
    if found != info.checksum:
        raise DataError(
            f"{name}: the arrays that were made have the checksum {found}; expected is {info.checksum}. "
            f"Its source has changed: install another version of what bundles it (scikit-learn), and report this."
        )
    _write(folder, arrays)
    return folder


def _checksum(folder: Path) -> str | None:
    """Return the checksum of the arrays in a folder, or None where they cannot be read."""
    try:
        return arrays_sha256({name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in NAMES})
    except (OSError, ValueError, EOFError):
        return None


def _write(folder: Path, arrays: Arrays) -> None:
    """Write the arrays beside ``folder`` and then give them its name, so that it is whole or not there."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(part / f"{name}.npy", array, allow_pickle=False)
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror or error}). Free space, or choose another cache folder "
            f"with BENCH_CACHE_DIR."
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
