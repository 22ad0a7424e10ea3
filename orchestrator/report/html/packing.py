"""Data in a page: compressed JSON in letters that HTML leaves alone, each piece once."""

import base64
import hashlib
import json
import re
import zlib
from functools import cache
from typing import Any


def packed(data: Any) -> str:
    """Return data as compressed JSON; text, such as a program, as it is."""
    text = data if isinstance(data, str) else as_json(data)
    return base64.b64encode(zlib.compress(text.encode("utf-8"), 9)).decode("ascii")


def unpacked(text: str) -> Any:
    """Return what was packed, for those who check a page."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def as_json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Pool:
    """Rows that charts and their tables share, kept once however many use them."""

    def __init__(self) -> None:
        self.packed: dict[str, str] = {}

    def add(self, rows: Any) -> str:
        """Return the rows' key."""
        text = as_json(rows)
        key = "rows-" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
        if key not in self.packed:
            self.packed[key] = packed(text)
        return key


@cache
def slug(*parts: object) -> str:
    """Return an HTML id that says what it is of; different parts of ordinary names give different ids."""
    words = ("-".join(re.findall(r"[A-Za-z0-9_.]+", str(part))) for part in parts)
    return "-".join(filter(None, words)).lower()
