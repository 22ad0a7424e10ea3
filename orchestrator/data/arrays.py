"""A dataset's arrays in the cache: whole or not there, and known by their checksum."""

import os
import shutil
from pathlib import Path

import numpy as np

from orchestrator.data.info import Arrays
from orchestrator.errors import DataError
from workers.spec import arrays_sha256


def arrays_folder(cache: Path, name: str, checksum: str) -> Path:
    return cache / "datasets" / f"{name}-{checksum[:12]}"


def checksum_in(folder: Path) -> str | None:
    """Return the checksum of the arrays in a folder, or None where they cannot be read."""
    try:
        paths = sorted(folder.iterdir())
        return arrays_sha256({path.stem: np.load(path, allow_pickle=False) for path in paths})
    except (OSError, ValueError, EOFError):
        return None


def write_arrays(folder: Path, arrays: Arrays) -> None:
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
        raise unwritable(folder, error) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path}: cannot be written ({error.strerror or error}). Free space, or choose another cache folder "
        f"with BENCH_CACHE_DIR."
    )


def rows_of(arrays: Arrays, split: str) -> int:
    """Return how many rows a split has; those of a text are its words."""
    return len(arrays.get(f"{split}_y", arrays[f"{split}_x"]))
