"""Manifests: what this machine knows of datasets besides the built-in table. A JSON file each, in the cache."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from orchestrator.data.arrays import unwritable
from orchestrator.errors import DataError
from workers.compat import Count, Field, Text
from workers.spec import Record, ValidationError, pretty_json

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kind = Literal["canonical", "imported", "synthetic"]


class Manifest(Record):
    """A dataset of the format of ``like``: its arrays' checksum, and of what it was made.

    ``canonical``: a built-in set, whose files are known by their digests and whose arrays were first made here.
    ``imported``: from ``folder``, whose ``files`` have those sha256. ``synthetic``: drawn, and means nothing.
    ``decoder``: the version of Pillow that decoded images.
    """

    version: Literal[1] = 1
    name: Text
    like: Text
    kind: Kind
    checksum: Digest
    train_rows: Count
    test_rows: Count
    folder: Text | None = None
    files: dict[str, Digest] = {}
    decoder: Text | None = None


def manifest_path(cache: Path, name: str) -> Path:
    return cache / "datasets" / f"{name}.json"


def read_manifest(cache: Path, name: str) -> Manifest | None:
    """Return what is registered under a name, or None. Raises DataError for a file that is no manifest."""
    if not NAME.fullmatch(name):
        return None
    path = manifest_path(cache, name)
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: is no manifest of a dataset ({reason:.200}). Delete it and import again.") from None
    if manifest.name != name:
        raise DataError(f"{path}: is the manifest of {manifest.name!r}. Delete it and import again.")
    return manifest


def registered(cache: Path) -> list[str]:
    return sorted(path.stem for path in (cache / "datasets").glob("*.json") if NAME.fullmatch(path.stem))


def write_manifest(cache: Path, manifest: Manifest) -> None:
    """Write a manifest whole, then give it its name."""
    path = manifest_path(cache, manifest.name)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(pretty_json(manifest), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        part.unlink(missing_ok=True)
