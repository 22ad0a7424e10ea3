"""Datasets: the built-in ones, those that a user imported, and random stand-ins; their arrays, verified, in a cache.

Images are train_x, test_x (rows, height, width, channels) uint8 with train_y, test_y: int32 classes, or (rows, numbers)
float32. Reviews are word ranks in one row, train_x, and where each ends, train_ends (int64). A text is tokens in one
row: train_x, valid_x, test_x. All arrays of a set have one checksum, which identifies the data in every job.
"""

import os
from functools import partial
from pathlib import Path

from orchestrator.cache import cache_dir
from orchestrator.data import synthetic
from orchestrator.data.arrays import arrays_folder, checksum_in, rows_of
from orchestrator.data.builtin import BUILTIN, FILES, WHY_NO_DRIVING
from orchestrator.data.canonical import local_files
from orchestrator.data.formats import FORMATS
from orchestrator.data.importing import SYNTHETIC, Imported, keep, load_imported, registered_info
from orchestrator.data.importing import import_folder as _import_folder
from orchestrator.data.info import Arrays, DatasetInfo, Source
from orchestrator.data.registry import Manifest, manifest_path, read_manifest, registered
from orchestrator.errors import DataError, UsageError
from orchestrator.explain import nearest
from workers.spec import arrays_sha256

__all__ = [
    "FORMATS",
    "DatasetInfo",
    "Imported",
    "cache_dir",
    "describe",
    "find",
    "find_data_dir",
    "import_folder",
    "make_synthetic",
    "names",
    "prepare",
    "where",
    "why_no_stand_in",
]


def find(name: str) -> DatasetInfo | None:
    """Return a dataset by its name, built-in or registered on this machine, or None."""
    return find_in(cache_dir(), name)


def find_in(cache: Path, name: str) -> DatasetInfo | None:
    """As ``find``, with another cache than the user's own."""
    info = BUILTIN.get(name)
    if info is not None and info.checksum:
        return info
    manifest = read_manifest(cache, name)
    if manifest is None or (info is None) == (manifest.kind == "canonical"):
        return info
    base = BUILTIN.get(manifest.like)
    if base is None:
        raise DataError(f"{manifest_path(cache, name)}: has an unknown format, {manifest.like!r}. Delete it.")
    load = partial(_draw_again if manifest.kind == "synthetic" else load_imported, manifest=manifest)
    return registered_info(manifest, base, load)


def names() -> list[str]:
    """Return the names of all datasets: the built-in ones, and behind them those registered on this machine."""
    return [*BUILTIN, *(name for name in registered(cache_dir()) if name not in BUILTIN)]


def describe(name: str) -> DatasetInfo:
    """Return a dataset by its name. Raises UsageError for one that is not there."""
    info = find(name)
    if info is None:
        raise UsageError([f"Unknown dataset {name!r}. {nearest(name, names())}"])
    return info


def why_no_stand_in(old: DatasetInfo, new: DatasetInfo) -> str | None:
    """Return why a workload of ``old`` cannot run on ``new``, or None where it can."""
    facts = [
        ("a row", [(item.shape, item.dtype) for item in old.inputs], [(item.shape, item.dtype) for item in new.inputs]),
        ("a target", old.targets, new.targets),
        ("the number of outputs", old.outputs, new.outputs),
        ("what makes rows of it", old.views, new.views),
    ]
    differ = [f"{what} is {mine} in {old.name}, {other} in {new.name}" for what, mine, other in facts if mine != other]
    return f"{new.name} cannot stand in for {old.name}: {'; '.join(differ)}." if differ else None


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

    What is in the cache is verified each time and made anew if it was altered. Raises DataError. After the first time
    ``find`` knows the checksum of every set.
    """
    info = find_in(cache, name)
    if info is None:
        raise DataError(f"Unknown dataset {name!r}. {nearest(name, names())}")
    if info.checksum:
        folder = arrays_folder(cache, name, info.checksum)
        if checksum_in(folder) == info.checksum:
            return folder
    arrays = info.load(Source(cache / "downloads" / name, data_dir, progress))
    found = arrays_sha256(arrays)
    if info.checksum and found != info.checksum:
        raise DataError(
            f"{name}: the arrays that were made have the checksum {found}; expected is {info.checksum}. "
            f"Its files are the right ones, so that what reads them has changed: {_reader(cache, name)}. "
            f"Install the version from before, or import the data under another name."
        )
    rows = rows_of(arrays, "train"), rows_of(arrays, "test")
    if rows != (info.train_rows, info.test_rows):
        raise DataError(f"{name}: has {rows} rows to train and to test on; {info.train_rows, info.test_rows} expected.")
    manifest = read_manifest(cache, name) or _manifest(name, info, "canonical", found, *rows)
    return keep(cache, manifest, arrays)


def where(name: str, data_dir: Path | None) -> str | None:
    """Return None if a dataset can be had without asking the user, else why not and what to do. Downloads nothing."""
    cache = cache_dir()
    info = find_in(cache, name)
    if info is None:
        return f"Unknown dataset {name!r}. {nearest(name, names())}"
    if info.checksum and arrays_folder(cache, name, info.checksum).is_dir():
        return None
    manifest = read_manifest(cache, name)
    if manifest is not None and manifest.kind == "imported" and not Path(str(manifest.folder)).is_dir():
        return (
            f"{name}: its arrays are not in the cache, and {manifest.folder}, from which it was imported, is gone. "
            f"Import it again under another name: bench data import DIR --like {manifest.like}"
        )
    if name == "driving":
        return WHY_NO_DRIVING
    if name not in FILES:
        return None  # bundled, drawn again, or imported and still there
    try:
        files = local_files(FILES[name], data_dir)
        if files is not None:
            files.read_all()
    except DataError as error:
        return str(error)
    return None


def make_synthetic(name: str, train_rows: int, test_rows: int) -> str:
    """Register random arrays in the shapes of a dataset, at most as many rows as it has; return their set's name."""
    info = describe(name)
    if not (0 < train_rows <= info.train_rows and 0 < test_rows <= info.test_rows):
        raise UsageError(
            [
                f"A synthetic {name} of {train_rows} x {test_rows} rows: allowed are 1 to {info.train_rows} rows to "
                f"train on and 1 to {info.test_rows} to test on."
            ]
        )
    made = f"{SYNTHETIC}{name}-{train_rows}x{test_rows}"
    if read_manifest(cache_dir(), made) is None:
        arrays = synthetic.draw(info, train_rows, test_rows)
        keep(cache_dir(), _manifest(made, info, "synthetic", arrays_sha256(arrays), train_rows, test_rows), arrays)
    return made


def import_folder(folder: Path, like: str | None, name: str | None) -> Imported:
    """Register a folder of files in a known format as a dataset of its own. Raises DataError or UsageError."""
    return _import_folder(folder, like, name, cache_dir())


def _draw_again(source: Source, manifest: Manifest) -> Arrays:
    return synthetic.draw(BUILTIN[manifest.like], manifest.train_rows, manifest.test_rows)


def _manifest(name: str, info: DatasetInfo, kind: str, checksum: str, train_rows: int, test_rows: int) -> Manifest:
    fields = {"name": name, "like": info.like, "kind": kind, "checksum": checksum}
    return Manifest.model_validate({**fields, "train_rows": train_rows, "test_rows": test_rows})


def _reader(cache: Path, name: str) -> str:
    """Return in words what read a dataset's files, then and now."""
    manifest = read_manifest(cache, name)
    if manifest is not None and manifest.decoder:
        from orchestrator.data.driving import decoder

        return f"Pillow {manifest.decoder} decoded them then, {decoder()} now"
    return "scikit-learn bundles it" if name == "digits" else "NumPy, SciPy or Bakeoff itself"
