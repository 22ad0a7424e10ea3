"""A user's own files in a known format, as a dataset under a name of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.data import driving
from orchestrator.data.arrays import arrays_folder, rows_of, write_arrays
from orchestrator.data.builtin import BUILTIN, FILES
from orchestrator.data.canonical import files_in
from orchestrator.data.files import Files, digest_of
from orchestrator.data.formats import FORMATS, told_by_files
from orchestrator.data.info import Arrays, DatasetInfo, Source
from orchestrator.data.registry import NAME, Manifest, manifest_path, write_manifest
from orchestrator.errors import DataError, UsageError
from workers.spec import arrays_sha256

SYNTHETIC = "synthetic-"


@dataclass(frozen=True)
class Imported:
    """What came of an import. ``canonical``: the files are the published ones, so that no name was registered."""

    name: str
    like: str
    train_rows: int
    test_rows: int
    files: int
    canonical: bool


def import_folder(folder: Path, like: str | None, name: str | None, cache: Path) -> Imported:
    """Read a folder's files, register them and put their arrays into the cache. Raises DataError or UsageError."""
    folder = folder.absolute()
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder. Name the one that holds the files to import.")
    like = _format(folder, like)
    if name is not None:
        _check_name(name, cache)
    files = Files(FORMATS[like].found(folder), root=folder, advice="Get that file again.")
    arrays = FORMATS[like].read(files)
    rows = rows_of(arrays, "train"), rows_of(arrays, "test")
    canonical = _is_canonical(like, files, arrays)
    if canonical:
        name = like
    elif name is None:
        name = f"imported-{like}-{rows[0]}x{rows[1]}"
        _check_name(name, cache)
    manifest = Manifest(
        name=name,
        like=like,
        kind="canonical" if canonical else "imported",
        checksum=arrays_sha256(arrays),
        train_rows=rows[0],
        test_rows=rows[1],
        folder=None if canonical else str(folder),
        files={} if canonical else files.sha256,
        decoder=driving.decoder() if like == "driving" else None,
    )
    keep(cache, manifest, arrays)
    return Imported(name, like, *rows, files=len(files.sha256), canonical=canonical)


def keep(cache: Path, manifest: Manifest, arrays: Arrays) -> Path:
    """Put a set's arrays into the cache, and then its manifest; a built-in set whose arrays are known needs none."""
    folder = arrays_folder(cache, manifest.name, manifest.checksum)
    write_arrays(folder, arrays)
    if manifest.kind != "canonical" or not BUILTIN[manifest.name].checksum:
        write_manifest(cache, manifest)
    return folder


def registered_info(manifest: Manifest, base: DatasetInfo, load: Callable[[Source], Arrays]) -> DatasetInfo:
    """Return the description of a registered set: that of the set whose format it has, with its own rows."""
    synthetic = manifest.kind == "synthetic"
    title = f"Random numbers in the shapes of {manifest.like}" if synthetic else f"As {manifest.like}, imported"
    return replace(
        base,
        name=manifest.name,
        title=base.title if manifest.kind == "canonical" else title,
        train_rows=manifest.train_rows,
        test_rows=manifest.test_rows,
        checksum=manifest.checksum,
        load=base.load if manifest.kind == "canonical" else load,
        synthetic=synthetic,
    )


def load_imported(source: Source, manifest: Manifest) -> Arrays:
    """Return the arrays of an imported set from its folder again. Raises DataError unless its files are the same."""
    folder = Path(str(manifest.folder))
    if not folder.is_dir():
        raise DataError(
            f"{manifest.name}: its arrays are not in the cache any more, and {folder}, from which it was imported, is "
            f"gone. Bring the folder back, or import it from where it is now under another name."
        )
    return FORMATS[manifest.like].read(registered_files(manifest))


def registered_files(manifest: Manifest) -> Files:
    """Return the files that an imported set was made of; each is refused unless it is the same as then."""
    folder = Path(str(manifest.folder))
    digests = {name: f"sha256:{digest}" for name, digest in manifest.files.items()}
    advice = f"Bring back the file that {manifest.name} was imported from, or import the folder under another name."
    return Files(files_in(folder, list(digests)), digests, advice, root=folder, expected="imported")


def _format(folder: Path, like: str | None) -> str:
    """Return the format of a folder's files: the one that was named, or the one that they tell."""
    if like is None:
        told = told_by_files(folder)
        if len(told) == 1:
            return told[0]
        if told:
            raise UsageError([f"{folder}: its files can be those of {' or of '.join(told)}. Say which with --like."])
        forms = "; ".join(f"{name}: {', '.join(item.needed)}" for name, item in FORMATS.items())
        raise DataError(f"{folder}: has the files of no known format. Those are {forms}.")
    if like not in FORMATS:
        raise UsageError([f"Unknown format {like!r} for --like. Allowed: {', '.join(FORMATS)}."])
    missing = FORMATS[like].missing(folder)
    if missing:
        raise DataError(f"{folder}: lacks {', '.join(missing)}, which {like} has (each with or without .gz).")
    return like


def _check_name(name: str, cache: Path) -> None:
    if not NAME.fullmatch(name) or name.startswith(SYNTHETIC):
        raise UsageError(
            [
                f"Name {name!r}: names become files; allowed: at most 64 letters, digits, '.', '_' and '-', a letter "
                f"or digit first, and not {SYNTHETIC!r} at the beginning. Choose another with --name."
            ]
        )
    path = manifest_path(cache, name)
    if name in BUILTIN or path.exists():
        what = "of a built-in dataset" if name in BUILTIN else f"registered already: {path}"
        raise UsageError([f"Name {name!r}: is {what}. Choose another with --name."])


def _is_canonical(like: str, files: Files, arrays: Arrays) -> bool:
    """Say whether the files that were read are all of the published ones, or make the same arrays."""
    if arrays_sha256(arrays) == BUILTIN[like].checksum:
        return True
    if like not in FILES or set(files.sha256) != set(FILES[like].files):
        return False
    for name, digest in FILES[like].files.items():
        kind = digest.partition(":")[0]
        found = (
            f"sha256:{files.sha256[name]}"
            if kind == "sha256"
            else digest_of(Files(files.paths).read(name, 1 << 31), digest, files.path(name))
        )
        if found != digest:
            return False
    return True
