"""What of the datasets is on this machine: where each is, and whether it still is what it was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.cache import cache_dir
from orchestrator.data.arrays import arrays_folder, checksum_in
from orchestrator.data.builtin import FILES
from orchestrator.data.canonical import local_files
from orchestrator.data.downloads import file_digest
from orchestrator.data.files import MOST_FILE_BYTES, Files
from orchestrator.data.importing import registered_files
from orchestrator.data.info import DatasetInfo
from orchestrator.data.registry import read_manifest
from orchestrator.datasets import find_data_dir, find_in, names, prepare, where
from orchestrator.errors import BenchError, DataError, UsageError
from orchestrator.explain import nearest


@dataclass(frozen=True)
class Holding:
    """One dataset: where it is from, and its state on this machine, in words."""

    info: DatasetInfo
    source: str
    state: str


@dataclass(frozen=True)
class Check:
    """What was found of one thing of a dataset; ``wrong`` says what is, and what to do."""

    name: str
    thing: str
    wrong: str | None


def holding(info: DatasetInfo, cache: Path, data_dir: Path | None) -> Holding:
    """Return where a dataset is, by a look at what is there: nothing is hashed or downloaded."""
    manifest = read_manifest(cache, info.name)
    folder = manifest.folder if manifest is not None and manifest.kind == "imported" else None
    cached = bool(info.checksum) and arrays_folder(cache, info.name, info.checksum).is_dir()
    if info.synthetic:
        return Holding(info, "random", "synthetic")
    if folder is not None:
        there = "imported" if Path(folder).is_dir() else "gone: import it again"
        return Holding(info, f"imported from {folder}", "cached" if cached else there)
    if info.name == "driving":
        return Holding(info, "a recording of yours", "import needed")
    if info.name not in FILES:
        return Holding(info, "scikit-learn", "cached" if cached else "bundled")
    source = urlsplit(FILES[info.name].mirrors[0]).netloc
    return Holding(info, source, "cached" if cached else _local(info, data_dir))


def _local(info: DatasetInfo, data_dir: Path | None) -> str:
    try:
        files = local_files(FILES[info.name], data_dir)
    except DataError:
        return f"incomplete in {data_dir}"
    return "to download" if files is None else f"found in {data_dir}"


def check(name: str, cache: Path, data_dir: Path | None) -> list[Check]:
    """Return what is right and wrong with what this machine has of a dataset: arrays, and files where they are there.

    Raises DataError for a manifest that cannot be read.
    """
    info = find_in(cache, name)
    if info is None:
        return []
    found = []
    folder = arrays_folder(cache, name, info.checksum)
    if info.checksum and folder.is_dir():
        right = checksum_in(folder) == info.checksum
        advice = f"its arrays are not those with the checksum {info.checksum}. Make them anew: bench data fetch {name}"
        found.append(Check(name, f"arrays in {folder}", None if right else advice))
    manifest = read_manifest(cache, name)
    if manifest is not None and manifest.kind == "imported" and Path(str(manifest.folder)).is_dir():
        found += _each(name, registered_files(manifest), f"of {len(manifest.files)} in {manifest.folder}")
    if name in FILES:
        found += _downloads(name, cache / "downloads" / name)
        try:
            files = local_files(FILES[name], data_dir)
        except DataError as error:
            return [*found, Check(name, f"files in {data_dir}", str(error))]
        if files is not None:
            found += _each(name, files, f"of {len(FILES[name].files)} in {data_dir}")
    return found


def _each(name: str, files: Files, where: str) -> list[Check]:
    """Return a check for each file that is wrong, and one for all the others."""
    wrong = []
    for file in files.digests or {}:
        try:
            files.read(file, MOST_FILE_BYTES)
        except DataError as error:
            wrong.append(Check(name, f"file {file}", str(error)))
    right = len(files.digests or {}) - len(wrong)
    return [*wrong, *([Check(name, f"{right} files {where}", None)] if right else [])]


def _downloads(name: str, folder: Path) -> list[Check]:
    found = []
    for item in FILES[name].downloads:
        path = folder / item.name
        if path.is_file():
            right = file_digest(path, item.digest) == item.digest
            advice = f"its digest is not {item.digest}. Delete {path}; it is downloaded again when it is needed."
            found.append(Check(name, f"download {path}", None if right else advice))
    return found


def fetch(asked: Sequence[str], data_dir: Path | None, progress: bool) -> Iterator[tuple[str, str | None]]:
    """Prepare datasets, or ``all`` that can be had; yield a line for each, and what went wrong. Raises UsageError."""
    place = find_data_dir(data_dir)
    chosen = names() if "all" in asked else known(asked)
    for name in chosen:
        reason = where(name, place) if "all" in asked else None
        if reason is not None and name not in asked:
            yield f"left out: {reason}", None
            continue
        try:
            yield f"{name}: {prepare(name, cache_dir(), place, progress)}", None
        except DataError as error:
            yield f"{name}: failed", str(error)


def verify(asked: Sequence[str], data_dir: Path | None) -> Iterator[Check]:
    """Yield what is right and wrong with datasets, with none named all of them. Raises UsageError."""
    place = find_data_dir(data_dir)
    for name in known(asked) if asked else names():
        try:
            yield from check(name, cache_dir(), place)
        except BenchError as error:
            yield Check(name, "manifest", str(error))


def known(asked: Sequence[str]) -> list[str]:
    """Return the names, each once. Raises UsageError with all that are none."""
    mistakes = [f"Unknown dataset {name!r}. {nearest(name, names())}" for name in asked if name not in names()]
    if mistakes:
        raise UsageError(mistakes)
    return list(dict.fromkeys(asked))
