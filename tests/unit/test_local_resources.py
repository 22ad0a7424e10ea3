"""What the local engine reads of a job's processes, held to what the job says of itself."""

import sys
from pathlib import Path

import pytest

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines import Prepared
from orchestrator.engines.local import LocalEngine
from tests.burning import PROGRAM, burning_job, by_phase, check_burning, check_hanging


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """An environment whose interpreter burns instead of working."""
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!{sys.executable}\n{PROGRAM}")
    interpreter.chmod(0o755)
    return Prepared(FRAMEWORKS["numpy"], "cpu", "hash", str(interpreter))


def test_a_jobs_use_is_read_from_its_tree_of_processes(prepared: Prepared, tmp_path: Path) -> None:
    job, folder = burning_job(tmp_path)
    result = LocalEngine(tmp_path).run(prepared, job, folder, None)
    check_burning(job, folder, result)
    assert by_phase(result)["train"].throttled_seconds is None, "no file says so of a tree of processes"


def test_a_job_that_is_stopped_has_what_was_read_until_then(prepared: Prepared, tmp_path: Path) -> None:
    job, folder = burning_job(tmp_path, "hangs", timeout_seconds=8.0)
    check_hanging(folder, LocalEngine(tmp_path).run(prepared, job, folder, None))


def test_sampling_can_be_switched_off(prepared: Prepared, tmp_path: Path) -> None:
    job, folder = burning_job(tmp_path)
    result = LocalEngine(tmp_path, sample_seconds=0).run(prepared, job, folder, None)
    assert (result.status, result.resources) == ("lost", None)
    assert not (folder / "samples.csv").exists()
