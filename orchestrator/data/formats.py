"""The formats that datasets come in: which files each has, and what reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.data import cifar, driving, idx, imdb, ptb, svhn
from orchestrator.data.canonical import files_in
from orchestrator.data.files import Files
from orchestrator.data.info import Arrays


@dataclass(frozen=True)
class Format:
    """``needed``: the files without which there is no such set; ``more``: those that may be there besides."""

    needed: tuple[str, ...]
    read: Callable[[Files], Arrays]
    more: tuple[str, ...] = ()

    def found(self, folder: Path) -> dict[str, Path]:
        return files_in(folder, self.needed + self.more)

    def missing(self, folder: Path) -> list[str]:
        found = self.found(folder)
        return [name for name in self.needed if name not in found]


FORMATS = {
    "mnist": Format(idx.NAMES, idx.read_idx_set),
    "fashion-mnist": Format(idx.NAMES, idx.read_idx_set),
    "cifar10": Format((cifar.BATCHES[0], "test_batch"), cifar.read_cifar10, cifar.BATCHES[1:]),
    "cifar100": Format(("train", "test"), cifar.read_cifar100),
    "imdb": Format((imdb.NAME,), imdb.read_imdb),
    "ptb": Format(tuple(ptb.NAMES.values()), ptb.read_ptb),
    "driving": Format((driving.LOG,), driving.read_driving),
    "svhn": Format((svhn.TRAIN, svhn.TEST), svhn.read_svhn),
    "svhn-extra": Format((svhn.TRAIN, svhn.TEST, svhn.EXTRA), svhn.read_svhn_extra),
}


def told_by_files(folder: Path) -> list[str]:
    """Return the formats whose files a folder has; not those whose files are only some of another's."""
    able = [name for name, item in FORMATS.items() if not item.missing(folder)]
    return [name for name in able if not any(set(FORMATS[name].needed) < set(FORMATS[other].needed) for other in able)]
