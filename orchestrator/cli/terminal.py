"""What all commands share: the terminal that they print to, and how their help ends."""

import os
import sys

from rich.console import Console

# A pipe or a file has no width of its own; COLUMNS, where it is set, holds for it too.
out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 132)
err = Console(stderr=True)


def examples(*lines: str) -> str:
    """Return lines as the end of a help text; the first character keeps them from being wrapped."""
    return "\b\n" + "\n".join(("Examples:", *(f"  {line}" for line in lines)))
