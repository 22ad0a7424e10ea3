"""What a dataset is to the rest of the host: a description, its arrays, and how it is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from workers.spec import Input

Arrays = dict[str, np.ndarray]
Targets = Literal["classes", "numbers", "words"]
CLASS_TYPE = np.dtype("<i4")
WORD_TYPE = np.dtype("<i4")
END_TYPE = np.dtype("<i8")


@dataclass(frozen=True)
class Source:
    """Where a loader finds files: the folder for downloads, the user's own folder; and whether to show progress."""

    downloads: Path
    data_dir: Path | None
    progress: bool


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset. ``checksum``: arrays_sha256 of its arrays; empty until its files were first read on this machine.

    ``outputs``: the classes, the numbers per row or the vocabulary, by ``targets``. ``views``: which kinds of
    Input.view make rows of it; empty where its rows are rows already. Rows of a text (``words``) are its words.
    ``like``: the built-in set whose format it has; for a built-in one its own name.
    """

    name: str
    title: str
    inputs: tuple[Input, ...]
    outputs: int
    train_rows: int
    test_rows: int
    checksum: str
    load: Callable[[Source], Arrays]
    targets: Targets = "classes"
    views: tuple[str, ...] = ()
    synthetic: bool = False
    like: str = ""
