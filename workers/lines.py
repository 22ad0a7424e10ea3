"""Counts the logical lines of a worker's own code that a job really runs: lines of code as Kovalev et al. 2016
(Table 1) meant them, made reproducible.

A logical line is a statement, or a lambda, of the framework's own modules (``NAME_*.py``), on however many lines it is
written. Imports, definitions and docstrings are none, and neither is a branch that the job does not take.
"""

import ast
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, Iterable, Optional, Set, Tuple, Type

Line = Tuple[str, int, int]  # a file, and where in it a logical line starts
Note = Callable[[str, int], None]


class LineTrace:
    """Inside its block, notes which lines of these files run; ``logical`` are the logical ones so far.

    ``trace_foreign``: a worker's ``trace_foreign_lines``, for what it runs in another language.
    """

    def __init__(
        self, files: Iterable[Path], trace_foreign: Callable[[Optional[Note]], None] = lambda note: None
    ) -> None:
        self._trace_foreign = trace_foreign
        self._owners = {str(path): owners(path.read_text(encoding="utf-8")) for path in files}
        self.logical: Set[Line] = set()

    def __enter__(self) -> "LineTrace":
        self._before = sys.gettrace()
        self._trace_foreign(lambda name, line: self.logical.add((name, line, 0)))
        sys.settrace(self._enter_function)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        sys.settrace(self._before)
        self._trace_foreign(None)

    def _enter_function(self, frame: Any, event: str, argument: Any) -> Any:
        return self._note if frame.f_code.co_filename in self._owners else None

    def _note(self, frame: Any, event: str, argument: Any) -> Any:
        if event == "line":
            name = frame.f_code.co_filename
            owner = self._owners[name].get(frame.f_lineno)
            if owner is not None:
                self.logical.add((name, *owner))
        return self._note


def owners(source: str) -> Dict[int, Tuple[int, int]]:
    """Return {line of a file: (line, column) at which the innermost statement or lambda that it is of starts}."""
    found: Dict[int, Tuple[int, int]] = {}

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.stmt, ast.Lambda)) and not _is_docstring(child):
                for line in range(child.lineno, _last_line(child) + 1):
                    found[line] = child.lineno, child.col_offset
            visit(child)

    visit(ast.parse(source))
    return found


def _last_line(node: ast.AST) -> int:
    """Return the last line that something of a node starts on; Python 3.6 does not know where a node ends."""
    return max(getattr(part, "lineno", 0) for part in ast.walk(node))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and type(node.value).__name__ in ("Str", "Constant")  # Str before Python 3.8
