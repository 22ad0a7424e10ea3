"""Clipping by the global norm asks for a norm of millions of numbers, which float32 sums can miss."""

import json
from pathlib import Path

import pytest

from tests.contract.environments import run_script


@pytest.mark.parametrize("label", ["torch", "torch@1.6.0"])
def test_pytorch_sums_norms_carelessly_and_its_worker_does_not(label: str, tmp_path: Path, cache: Path) -> None:
    """Where the first of the two has become exact, row_norms has no more reason to be."""
    run_script(label, Path(__file__).with_name("torch_norms.py"), tmp_path, cache)
    errors = json.loads((tmp_path / "errors.json").read_text())
    assert errors["whole"] > 1e-5
    assert errors["worker"] < 1e-6
