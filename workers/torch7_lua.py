"""Lua in this process: lupa on the system's LuaJIT, Torch7's packages in it, and arrays that cross by their address."""

import os
import re
import sys
from pathlib import Path

import numpy as np

# OpenMP's idle threads must not take a CPU from OpenBLAS' (a loaded machine was seen to train fifty times slower).
os.environ["OMP_WAIT_POLICY"] = "passive"
flags = sys.getdlopenflags()
sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)  # Torch7's libraries take Lua's functions from the process
import lupa  # noqa: E402

sys.setdlopenflags(flags)
os.environ.setdefault("TERM", "dumb")  # xlua asks how wide the terminal is
lua = lupa.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
torch, nn = lua.require("torch"), lua.require("nn")
lua.require("optim")
# rnn asks for torchx, and uses it in modules that no job has.
lua.execute("if not pcall(require, 'torchx') then package.preload.torchx = function() return {version = 1} end end")
lua.require("rnn")

TENSORS = {"float32": "FloatTensor", "float64": "DoubleTensor", "int64": "LongTensor"}
_from_address = lua.eval(
    "function(kind, sizes, address, bytes)"
    " local tensor = torch[kind]():resize(torch.LongStorage(sizes))"  # LongTensor(sizes) would hold these numbers
    " require('ffi').copy(tensor:data(), require('ffi').cast('void *', address), bytes)"
    " return tensor end"
)
_to_address = lua.eval(
    "function(tensor, address, bytes)"
    " require('ffi').copy(require('ffi').cast('void *', address), tensor:contiguous():data(), bytes) end"
)
# Compiled code calls no hook.
_trace = lua.eval(
    "function(note)"
    " if note == nil then debug.sethook() jit.on() return end"
    " jit.off() jit.flush()"
    " debug.sethook(function(_, line) note(debug.getinfo(2, 'S').source:sub(2), line) end, 'l') end"
)
NO_STATEMENT = re.compile(r"\s*(end|else|function|local function|return function|[)}]|--|$)")
STATEMENTS = {
    str(path): {number for number, text in enumerate(path.read_text().splitlines(), 1) if not NO_STATEMENT.match(text)}
    for path in Path(__file__).resolve().parent.glob("torch7_*.lua")
}
_sizes = lua.eval("function(tensor) return torch.type(tensor), table.unpack(tensor:size():totable()) end")


def load(name):
    """Run a Lua file that lies here and return its module."""
    return lua.globals().dofile(str(Path(__file__).resolve().with_name(name)))


def call(thing, method, *arguments):
    """Return ``thing:method(...)``."""
    return thing[method](thing, *arguments)


def to_tensor(array):
    """Return a tensor with a copy of an array."""
    array = np.ascontiguousarray(array)
    sizes = lua.table_from(array.shape)
    return _from_address(TENSORS[array.dtype.name], sizes, array.ctypes.data, array.nbytes)


def to_numpy(tensor):
    """Return an array with a copy of a tensor of floating-point numbers."""
    kind, *shape = _sizes(tensor)
    array = np.empty(shape, "float32" if kind == "torch.FloatTensor" else "float64")
    _to_address(tensor, array.ctypes.data, array.nbytes)
    return array


def trace_lines(note):
    """Call ``note(file, line)`` for each line with a statement that runs of the Lua files here; None: no more."""
    _trace(note and (lambda name, line: name in STATEMENTS and line in STATEMENTS[name] and note(name, line)))


def versions():
    """Return the versions of what can tell its own; Torch7 has none."""
    found = {"luajit": lua.eval("jit.version").replace("LuaJIT ", ""), "lupa": lupa.__version__}
    config = lua.eval(
        "function() local ffi = require 'ffi'; ffi.cdef 'char *openblas_get_config(void);'"
        " local found, text = pcall(function() return ffi.string(ffi.C.openblas_get_config()) end)"
        " return found and text or '' end"
    )().split()
    return dict(found, openblas=config[1]) if config[:1] == ["OpenBLAS"] else found
