"""Engine local: a failure is a result."""

from pathlib import Path

import pytest

from orchestrator.engines.local import LocalEngine
from tests.failures import check_failures


def test_every_failure_is_a_result_and_the_rest_goes_on(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_failures(LocalEngine(cache), tmp_path, cache, monkeypatch)
