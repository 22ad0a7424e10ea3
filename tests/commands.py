"""Runs the command ``bench`` as a user does: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

BENCH = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
ROOT = Path(__file__).resolve().parent.parent


def bench(
    *arguments: str | Path, folder: Path, timeout: float = 1800, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run ``bench`` in a folder and return the finished process, its output as text."""
    return subprocess.run(
        [*BENCH, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
