"""The gzipped files of a dataset: read from the user's folder or downloaded, and refused unless canonical.

What is canonical is decided by the uncompressed bytes, since the same file is compressed differently by
different people. A download goes on where an earlier one broke off.
"""

import gzip
import hashlib
import logging
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from orchestrator.errors import DataError

CHUNK_BYTES = 1 << 13  # what has arrived of a chunk is lost when the connection breaks
TIMEOUT_SECONDS = (10, 60)  # to connect, between two packets


@dataclass(frozen=True)
class RemoteFile:
    """One file. ``sha256`` is that of the uncompressed bytes, ``gz_md5`` that of NAME.gz on the mirrors."""

    name: str
    sha256: str
    gz_md5: str


@dataclass(frozen=True)
class FileSet:
    """The files of a dataset, the folder that they may lie in below the user's, and where to download NAME.gz."""

    name: str
    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]


def read_files(wanted: FileSet, downloads: Path, data_dir: Path | None, progress: bool) -> dict[str, bytes]:
    """Return {file name: uncompressed canonical bytes}, from ``data_dir`` if any of them is there, else downloaded.

    Raises DataError, with nothing written but what may be resumed.
    """
    paths = _local_files(wanted, data_dir)
    if paths is not None:
        advice = "Get that file again, or leave out --data-dir and BENCH_DATA_DIR to download it."
    else:
        paths = {file.name: _download(wanted, file, downloads, data_dir, progress) for file in wanted.files}
        advice = "Delete that file and run again."
    return {file.name: _read(paths[file.name], file, advice) for file in wanted.files}


def _local_files(wanted: FileSet, data_dir: Path | None) -> dict[str, Path] | None:
    """Return {file name: path} in the user's folder, or None where it has none of them."""
    missing = {}
    for folder in _places(wanted, data_dir):
        found: dict[str, Path] = {}
        for file in wanted.files:
            for path in (folder / file.name, folder / f"{file.name}.gz"):
                if path.is_file():
                    found.setdefault(file.name, path)
        if len(found) == len(wanted.files):
            return found
        if found:
            missing[folder] = [file.name for file in wanted.files if file.name not in found]
    if not missing:
        return None
    folder = min(missing, key=lambda place: len(missing[place]))
    raise DataError(
        f"{wanted.name}: {folder} lacks {', '.join(missing[folder])} (each with or without .gz; "
        f"looked in {_listed(_places(wanted, data_dir))}). All {len(wanted.files)} files must lie in one folder. "
        f"Add what is missing, or leave out --data-dir and BENCH_DATA_DIR to download them all."
    )


def _places(wanted: FileSet, data_dir: Path | None) -> list[Path]:
    return [] if data_dir is None else [data_dir / wanted.name, data_dir]


def _listed(paths: Sequence[Path]) -> str:
    return " and ".join(str(path) for path in paths)


def _read(path: Path, file: RemoteFile, advice: str) -> bytes:
    """Return the canonical bytes of a file. Raises DataError for any others."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path}: is no complete gzip file ({error}). Expected is {file.name}, gzipped, "
            f"with the sha256 {file.sha256} once uncompressed. {advice}"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). {advice}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(
            f"{path}: is not the canonical {file.name}. The sha256 of its uncompressed bytes is {found}; "
            f"expected is {file.sha256}. {advice}"
        )
    return content


def _download(wanted: FileSet, file: RemoteFile, downloads: Path, data_dir: Path | None, progress: bool) -> Path:
    """Return the path of NAME.gz, downloaded from the first mirror that has the right one."""
    name = f"{file.name}.gz"
    pooch.get_logger().setLevel(logging.WARNING)  # the progress bar says what is going on

    def fetch(url: str, output_file: object, _pooch: object, *, check_only: bool | None = None) -> None:
        _resume(url, downloads / f"{name}.part", Path(str(output_file)), progress)

    causes = []
    for mirror in wanted.mirrors:
        # One retry: a partial file that turns out to be wrong is gone by then.
        store = pooch.create(downloads, mirror, registry={name: f"md5:{file.gz_md5}"}, retry_if_failed=1)
        try:
            return Path(store.fetch(name, downloader=fetch))
        except requests.RequestException as error:
            causes.append(f"  {mirror}{name}: {_cause(error)}")
        except ValueError:
            causes.append(f"  {mirror}{name}: another file is there; its md5 is not {file.gz_md5}")
        except OSError as error:  # after RequestException, which is one
            raise DataError(
                f"{downloads / name}: cannot be written ({error.strerror or error}). Free space, or choose another "
                f"cache folder with BENCH_CACHE_DIR."
            ) from None
    looked = "" if data_dir is None else f" None of its files is in {_listed(_places(wanted, data_dir))} either."
    raise DataError(
        f"{wanted.name}: {name} could not be downloaded:\n"
        + "\n".join(causes)
        + "\nCheck the network and run again; what has arrived is kept. Or get the files elsewhere "
        f"({', '.join(each.name for each in wanted.files)}, each with or without .gz) and name their folder "
        f"with --data-dir or BENCH_DATA_DIR.{looked}"
    )


def _resume(url: str, part: Path, target: Path, progress: bool) -> None:
    """Download ``url``, beginning where ``part`` ends, and move it to ``target``; a break leaves ``part`` behind."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # the bytes as they are stored, so that they can be counted
    if done:
        headers["Range"] = f"bytes={done}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.replace(target)  # nothing is left to send: complete, or wrong, which the checksum tells
            return
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            done = 0  # the server sends all of it again
        size = int(response.headers.get("Content-Length", 0))
        bar = tqdm(
            desc=target.parent.name + " " + part.stem,
            initial=done,
            total=done + size if size else None,
            unit="B",
            unit_scale=True,
            disable=None if progress else True,  # None: only on a terminal
        )
        with bar, part.open("r+b" if done else "wb") as file:
            file.seek(done)
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
    os.replace(part, target)


def _cause(error: requests.RequestException) -> str:
    """Return in a few words why a request failed."""
    if error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return f"{type(error).__name__}: {error}"
