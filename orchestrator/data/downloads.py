"""Downloads: a file from the first mirror that has the right one, going on where an earlier download broke off."""

import hashlib
import logging
import os
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
class Download:
    """A file on the mirrors, its digest as it lies there ("md5:..." or "sha256:..."), and which files it holds."""

    name: str
    digest: str
    holds: tuple[str, ...]


class NotDownloadedError(DataError):
    """No mirror has the file; says why for each."""


def fetch(wanted: Download, mirrors: Sequence[str], downloads: Path, progress: bool) -> Path:
    """Return the path of a file, downloaded unless it is there already. Raises DataError."""
    name = wanted.name
    pooch.get_logger().setLevel(logging.WARNING)  # the progress bar says what is going on

    def download(url: str, output_file: object, _pooch: object, *, check_only: bool | None = None) -> None:
        _resume(url, downloads / f"{name}.part", Path(str(output_file)), progress)

    causes = []
    for mirror in mirrors:
        # One retry: a partial file that turns out to be wrong is gone by then.
        store = pooch.create(downloads, mirror, registry={name: wanted.digest}, retry_if_failed=1)
        try:
            return Path(store.fetch(name, downloader=download))
        except requests.RequestException as error:
            causes.append(f"  {mirror}{name}: {_cause(error)}")
        except ValueError:
            kind, _, digest = wanted.digest.partition(":")
            causes.append(f"  {mirror}{name}: another file is there; its {kind} is not {digest}")
        except OSError as error:  # after RequestException, which is one
            raise DataError(
                f"{downloads / name}: cannot be written ({error.strerror or error}). Free space, or choose another "
                f"cache folder with BENCH_CACHE_DIR."
            ) from None
    raise NotDownloadedError(f"{name} could not be downloaded:\n" + "\n".join(causes))


def file_digest(path: Path, like: str) -> str:
    """Return the digest of a file as it lies there, of the kind of another: "md5:..." or "sha256:..."."""
    kind = like.partition(":")[0]
    with path.open("rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


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
