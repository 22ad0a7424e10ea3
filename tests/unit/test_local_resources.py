"""What the local engine reads of a job's processes, held to what the job says of itself."""

import sys
from pathlib import Path

import pytest

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines import Prepared
from orchestrator.engines.local import LocalEngine
from tests.burning import PROGRAM, burning_job, by_phase, check_burning, check_hanging

# What a sampler may get wrong, and the check must see: (phase, what it would say).
DEFECTS: list[tuple[str, dict[str, float | str | None]]] = [
    ("train", {"gpu_percent": 0.0}),  # zero where nothing was read
    ("stage", {"cpu_percent": 0.0}),
    ("train", {"cpu_percent": None}),
    ("train", {"cpu_percent": 250.0}),
    ("import", {"cpu_percent": 100.0}),
    ("train", {"mean_rss_bytes": 0.0}),
    ("train", {"memory_percent": 0.1}),
    ("evaluate", {"mean_rss_bytes": 300.0 * 2**20}),  # memory that was given back
    ("evaluate", {"voluntary_switches": 0}),
    ("train", {"seconds": 0.9}),  # one occurrence of the two
    ("other", {"phase": "others"}),
]


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
    for phase, planted in DEFECTS:
        changed = [item.model_copy(update=planted if item.phase == phase else {}) for item in result.resources or []]
        with pytest.raises(AssertionError):
            check_burning(job, folder, result.model_copy(update={"resources": changed}))


def test_a_job_that_is_stopped_has_what_was_read_until_then(prepared: Prepared, tmp_path: Path) -> None:
    job, folder = burning_job(tmp_path, "hangs", timeout_seconds=8.0)
    check_hanging(folder, LocalEngine(tmp_path).run(prepared, job, folder, None))


def test_sampling_can_be_switched_off(prepared: Prepared, tmp_path: Path) -> None:
    job, folder = burning_job(tmp_path)
    result = LocalEngine(tmp_path, sample_seconds=0).run(prepared, job, folder, None)
    assert (result.status, result.resources) == ("lost", None)
    assert not (folder / "samples.csv").exists()
