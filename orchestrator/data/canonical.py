"""The published files of a dataset: found in the user's folder or downloaded, and refused unless canonical."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.data.downloads import Download, NotDownloadedError, fetch
from orchestrator.data.files import Files
from orchestrator.errors import DataError


@dataclass(frozen=True)
class FileSet:
    """The files of a dataset: {name: digest}, where people keep them, and where to download them.

    ``folders``: the usual names of their folder below the user's, besides the dataset's own; ``loose``: they may lie in
    the user's folder itself. ``archive``: one download that holds them all, below ``archive_folder``.
    """

    name: str
    files: dict[str, str]
    mirrors: tuple[str, ...]
    downloads: tuple[Download, ...] = ()
    folders: tuple[str, ...] = ()
    loose: bool = True
    archive: str = ""
    archive_folder: str = ""

    def places(self, data_dir: Path | None) -> list[Path]:
        """Return where in the user's folder the files may lie."""
        if data_dir is None:
            return []
        return [data_dir / self.name, *(data_dir / name for name in self.folders), *([data_dir] if self.loose else [])]

    def members(self) -> dict[str, str]:
        return {name: self.archive_folder + name for name in self.files}

    def listed(self) -> str:
        """Return the names of the files, for a message."""
        archive = f", or {self.archive} with them" if self.archive else ""
        return f"{', '.join(self.files)}, each with or without .gz{archive}"


def find_files(wanted: FileSet, downloads: Path, data_dir: Path | None, progress: bool) -> Files:
    """Return the canonical files, from ``data_dir`` if any of them is there, else downloaded. Raises DataError."""
    local = local_files(wanted, data_dir)
    if local is not None:
        return local
    try:
        paths = {item.name: fetch(item, wanted.mirrors, downloads, progress) for item in wanted.downloads}
    except NotDownloadedError as error:
        looked = "" if data_dir is None else f" None of its files is in {_listed(wanted.places(data_dir))} either."
        raise DataError(
            f"{wanted.name}: {error}\nCheck the network and run again; what has arrived is kept. Or get the files "
            f"elsewhere ({wanted.listed()}) and name their folder with --data-dir or BENCH_DATA_DIR.{looked}"
        ) from None
    found = {name: paths[download.name] for download in wanted.downloads for name in download.holds}
    return Files(found, wanted.files, "Delete that file and run again.", members=wanted.members())


def local_files(wanted: FileSet, data_dir: Path | None) -> Files | None:
    """Return the files in the user's folder, or None where it has none of them. Raises DataError for a part of them."""
    advice = (
        "Get that file again, or leave out --data-dir and BENCH_DATA_DIR to download it. Another version of the data "
        f"can be used under a name of its own: bench data import DIR --like {wanted.name}"
    )
    missing = {}
    for folder in wanted.places(data_dir):
        found = files_in(folder, wanted.files)
        if len(found) == len(wanted.files):
            return Files(found, wanted.files, advice)
        if found:
            missing[folder] = [name for name in wanted.files if name not in found]
    if data_dir is not None and wanted.archive:
        for path in (place / wanted.archive for place in (*wanted.places(data_dir), data_dir)):
            if path.is_file():
                return Files(dict.fromkeys(wanted.files, path), wanted.files, advice, members=wanted.members())
    if not missing:
        return None
    folder = min(missing, key=lambda place: len(missing[place]))
    raise DataError(
        f"{wanted.name}: {folder} lacks {', '.join(missing[folder])} (each with or without .gz; "
        f"looked in {_listed(wanted.places(data_dir))}). All {len(wanted.files)} files must lie in one folder. "
        f"Add what is missing, or leave out --data-dir and BENCH_DATA_DIR to download them all. A part of the data can "
        f"be used under a name of its own: bench data import {folder} --like {wanted.name}"
    )


def files_in(folder: Path, names: Sequence[str] | dict[str, str]) -> dict[str, Path]:
    """Return {name: path} of those files that a folder has, plain or gzipped."""
    found: dict[str, Path] = {}
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                found.setdefault(name, path)
    return found


def _listed(paths: Sequence[Path]) -> str:
    return " and ".join(str(path) for path in paths)
