"""Lint and types are part of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.catalogue import ROOT

TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_clean(command: list[str]) -> None:
    run = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
