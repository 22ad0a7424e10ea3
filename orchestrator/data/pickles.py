"""Reads the pickles that CIFAR and imdb.npz are made of, as data: nothing that a file names is imported or called.

The standard library's own unpickler in Python, cut down: it builds numbers, texts, lists, tuples and dictionaries, and
NumPy's arrays by stand-ins that only note what the file says of them. Every other instruction is refused.
"""

import io
import pickle
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.errors import DataError

MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and from NumPy 2
PLAIN = ("u1", "i1", "i2", "i4", "i8", "u2", "u4", "u8", "b1")


class _Dtype:
    """What a file says of an element type: its name, and the byte order that follows."""

    def __init__(self, name: Any, *flags: Any) -> None:
        if isinstance(name, bytes):
            name = name.decode("ascii")
        if name not in ("O8", "O4", "O", *PLAIN):
            raise pickle.UnpicklingError(f"an array of the type {name!r:.40}")
        self.name, self.order = name, "|"

    def set(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"the byte order {order!r:.40}")
        self.order = order


class _Array:
    """What a file says of an array, until it says what is in it."""

    def __init__(self, kind: Any, shape: Any, code: Any) -> None:
        if kind is not NDARRAY or shape != (0,):
            raise pickle.UnpicklingError("an array of another class")
        self.values: Any = None

    def set(self, state: Any) -> None:
        _, shape, dtype, by_columns, content = state
        if type(dtype) is not _Dtype or not all(type(size) is int and size >= 0 for size in shape) or by_columns:
            raise pickle.UnpicklingError("an array of an unknown form")
        if dtype.name.startswith("O"):
            if type(content) is not list or len(content) != prod(shape):
                raise pickle.UnpicklingError("an array with another number of elements than its shape")
            self.values = content
            return
        if isinstance(content, str):  # as Python 2 wrote bytes, read in latin1
            content = content.encode("latin1")
        if not isinstance(content, bytes):
            raise pickle.UnpicklingError("an array without content")
        self.values = np.frombuffer(content, np.dtype(dtype.order + dtype.name)).reshape(shape)


NDARRAY = object()


def _encode(text: Any, encoding: Any) -> bytes:
    """Return bytes that a pickle of protocol 2, written by Python 3, keeps as latin1 text."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("a text in an unknown encoding")
    return text.encode("latin1")


GLOBALS: dict[tuple[str, str], Any] = {
    **{(module, "_reconstruct"): _Array for module in MODULES},
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}
CALLED = (_Array, _Dtype, _encode)
REFUSED = (
    *("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"),
    *("EMPTY_SET", "ADDITEMS", "FROZENSET", "BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER"),
)


class _Reader(pickle._Unpickler):
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    append: Callable[[Any], None]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in GLOBALS:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no such file needs; nothing was run")
        return GLOBALS[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside of it")

    def load_reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        if function not in CALLED or type(arguments) is not tuple:
            raise pickle.UnpicklingError("it calls what no such file calls")
        self.stack[-1] = function(*arguments)

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) not in (_Array, _Dtype):
            raise pickle.UnpicklingError("it alters what no such file alters")
        target.set(state)

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._put(list(zip(items[::2], items[1::2], strict=True)))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([(key, value)])

    def _put(self, items: list[tuple[Any, Any]]) -> None:
        """Only names are keys: hashing a nested key can take for ever."""
        if type(self.stack[-1]) is not dict or any(type(key) not in (str, bytes) for key, _ in items):
            raise pickle.UnpicklingError("a dictionary with other keys than names")
        self.stack[-1].update(items)

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._put(list(zip(items[::2], items[1::2], strict=True)))


_REFUSED = [getattr(pickle, name)[0] for name in REFUSED]
_INSTRUCTIONS: dict[int, Any] = {code: load for code, load in _Reader.dispatch.items() if code not in _REFUSED}
_INSTRUCTIONS.update(
    {
        pickle.REDUCE[0]: _Reader.load_reduce,
        pickle.BUILD[0]: _Reader.load_build,
        pickle.SETITEMS[0]: _Reader.load_setitems,
        pickle.SETITEM[0]: _Reader.load_setitem,
        pickle.DICT[0]: _Reader.load_dict,
    }
)
_Reader.dispatch = _INSTRUCTIONS


def read_pickle(content: bytes, place: Path | str, what: str) -> Any:
    """Return what a pickle holds, arrays as NumPy's and arrays of objects as lists. Raises DataError for any other."""
    reader = _Reader(io.BytesIO(content), encoding="latin1")
    try:
        return _plain(reader.load())
    except RecursionError:
        reason = "it is nested too deeply"
    except KeyError as error:
        reason = f"an instruction that no such file has ({error})"
    except Exception as error:  # whatever it holds: a hostile file can make any step fail
        reason = str(error) or type(error).__name__
    raise DataError(
        f"{place}: is no {what} ({reason}). A true one is a pickle of plain NumPy arrays, lists and names. "
        f"Get that file again, from where the dataset is published."
    )


def _plain(value: Any) -> Any:
    """Replace the stand-ins of arrays by what they hold, as deep as true files have them."""
    if type(value) is _Array:
        return _plain(value.values)
    if type(value) is dict:
        return {
            key.decode("latin1") if isinstance(key, bytes) else key: _plain(item) if type(item) is _Array else item
            for key, item in value.items()
        }
    if type(value) is list:
        return [item.values if type(item) is _Array else item for item in value]
    return value
