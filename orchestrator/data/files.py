"""The files of one dataset in one place: each read whole, within a bound, and held to its digest where it has one.

What counts is the uncompressed content, since the same file is compressed differently by different people: NAME may
lie there as NAME.gz, or in the archive as it was downloaded, from which only the expected members are read.
"""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import DataError

MOST_MEMBERS = 1000  # of an archive that are looked at; the published ones have ten or fewer
MOST_FILE_BYTES = 1 << 31
ARCHIVES = (".tar.gz", ".tgz")
GZ_MD5 = "gz-md5"  # a digest of NAME.gz as published, where nobody states one of its content


class Files:
    """Reads files by name: from ``paths`` (a file, NAME.gz, or an archive), else below ``root`` if there is one.

    ``digests`` are what each must have, as "sha256:...", "md5:..." or "gz-md5:..."; None: anything is read, and
    ``sha256`` tells afterwards what it was. ``members``: {name: its path in the archive}.
    ``expected``: which file is expected, in a word, for messages.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        digests: Mapping[str, str] | None = None,
        advice: str = "Get that file again.",
        root: Path | None = None,
        members: Mapping[str, str] | None = None,
        expected: str = "canonical",
    ) -> None:
        self.paths = dict(paths)
        self.digests = digests
        self.advice = advice
        self.root = root
        self.members = dict(members or {})
        self.expected = expected
        self.sha256: dict[str, str] = {}
        self._unpacked: dict[str, bytes] = {}

    def names(self) -> list[str]:
        return sorted(self.paths)

    def path(self, name: str) -> Path:
        """Return where a file lies. Raises DataError where it is not there, or not inside the folder."""
        if name in self.paths:
            return self.paths[name]
        if self.root is None:
            raise DataError(f"{name}: is not among the files of this dataset. {self.advice}")
        path = self.root / name
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise DataError(
                f"{path}: leads out of {self.root}, to {path.resolve()}. Only files inside that folder are read; "
                f"put the file itself there."
            )
        if not path.is_file():
            raise DataError(f"{path}: is not there. {self.advice}")
        return path

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return a file's uncompressed content. Raises DataError for one that is broken, too large, or another."""
        path = self.path(name)
        if path.name.endswith(ARCHIVES):
            if name not in self._unpacked:
                self._unpacked.update(self._unpack(path, most_bytes))
            content = self._unpacked.pop(name)
        else:
            content = read_bounded(path, most_bytes, self.advice)
        self.sha256[name] = hashlib.sha256(content).hexdigest()
        if self.digests is not None:
            self._check(name, path, content)
        return content

    def read_all(self) -> None:
        """Read every file that has a digest and hold it to it. Raises DataError for the first that is another."""
        for name in self.digests or {}:
            self.read(name, MOST_FILE_BYTES)

    def _unpack(self, path: Path, most_bytes: int) -> dict[str, bytes]:
        """Return all wanted members of an archive in one pass over it."""
        wanted = {self.members[name]: name for name, place in self.paths.items() if place == path}
        contents = read_members(path, list(wanted), most_bytes, self.advice)
        return {wanted[member]: content for member, content in contents.items()}

    def _check(self, name: str, path: Path, content: bytes) -> None:
        assert self.digests is not None
        if name not in self.digests:
            raise DataError(f"{path}: is not among the files of this dataset. {self.advice}")
        if self.digests[name].startswith(GZ_MD5) and path.suffix != ".gz":
            raise DataError(
                f"{path}: cannot be told from other data, since only {name}.gz as published has a published digest. "
                f"Put that there instead. {self.advice}"
            )
        found = digest_of(content, self.digests[name], path)
        if found != self.digests[name]:
            kind, _, expected = self.digests[name].partition(":")
            what = "md5 of it, gzipped as published," if kind == GZ_MD5 else f"{kind} of its uncompressed bytes"
            raise DataError(
                f"{path}: is not the {self.expected} {Path(name).name}. The {what} is {found.partition(':')[2]}; "
                f"expected is {expected}. {self.advice}"
            )


def digest_of(content: bytes, like: str, path: Path) -> str:
    """Return the digest of a file's content, of the kind of another; "gz-md5" is that of the file as it lies there."""
    kind = like.partition(":")[0]
    if kind == GZ_MD5:
        content = path.read_bytes() if path.suffix == ".gz" else b""
    digest = hashlib.sha256(content) if kind == "sha256" else hashlib.md5(content, usedforsecurity=False)
    return f"{kind}:{digest.hexdigest()}"


def read_bounded(path: Path, most_bytes: int, advice: str) -> bytes:
    """Return what a file holds, unzipped if its name ends in .gz, if that is at most so much. Raises DataError."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = bytes(file.read(most_bytes + 1))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: is no complete gzip file ({error}). {advice}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). {advice}") from None
    if len(content) > most_bytes:
        raise DataError(
            f"{path}: holds more than {most_bytes:,} bytes{' once uncompressed' * (path.suffix == '.gz')}, "
            f"which is more than such a file can have. {advice}"
        )
    return content


def read_members(path: Path, wanted: list[str], most_bytes: int, advice: str) -> dict[str, bytes]:
    """Return {member: content} of an archive; nothing is written, and no other member is read. Raises DataError."""
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for place, member in enumerate(archive):
                if place >= MOST_MEMBERS or member.size > most_bytes:
                    raise DataError(
                        f"{path}: its member {member.name!r} is number {place + 1} and has {member.size:,} bytes; at "
                        f"most {MOST_MEMBERS} members of {most_bytes:,} bytes are looked at. {advice}"
                    )
                if member.name not in wanted:
                    continue
                file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if file is None or member.name in contents:
                    raise DataError(
                        f"{path}: its member {member.name!r} is no plain file, or there more than once. {advice}"
                    )
                contents[member.name] = file.read()
    except (EOFError, tarfile.TarError, zlib.error, OSError, ValueError) as error:
        raise DataError(f"{path}: is no complete archive ({error}). {advice}") from None
    missing = [member for member in wanted if member not in contents]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}. {advice}")
    return contents
