"""What is read of a real container, held to what the job in it says of itself."""

from pathlib import Path

import pytest

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.engines import docker as engine_module
from orchestrator.engines.docker import DockerEngine
from tests.burning import PROGRAM, burning_job, by_phase, check_burning, check_hanging


@pytest.fixture
def burning(docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> DockerEngine:
    """An engine whose containers are a job's in everything, and burn instead of working."""
    container = engine_module._container

    def burns(*arguments: object) -> dict[str, object]:
        settings = container(*arguments)  # type: ignore[arg-type]
        return settings | {"command": ["python", "-c", PROGRAM, settings["command"][-1]]}

    monkeypatch.setattr(engine_module, "_container", burns)
    return docker_engine


def test_a_jobs_use_is_read_from_its_containers_control_groups(burning: DockerEngine, tmp_path: Path) -> None:
    prepared = burning.prepare(FRAMEWORKS["numpy"], "cpu", print)
    job, folder = burning_job(tmp_path)
    result = burning.run(prepared, job, folder, None)
    check_burning(job, folder, result)
    assert by_phase(result)["train"].throttled_seconds == 0.0, "it has no quota, and the kernel says so"


def test_a_job_that_is_stopped_has_what_was_read_until_then(burning: DockerEngine, tmp_path: Path) -> None:
    prepared = burning.prepare(FRAMEWORKS["numpy"], "cpu", print)
    job, folder = burning_job(tmp_path, "hangs", timeout_seconds=9.0)
    check_hanging(folder, burning.run(prepared, job, folder, None))


def test_sampling_can_be_switched_off(burning: DockerEngine, tmp_path: Path) -> None:
    engine = DockerEngine(sample_seconds=0)
    prepared = engine.prepare(FRAMEWORKS["numpy"], "cpu", print)
    job, folder = burning_job(tmp_path)
    result = engine.run(prepared, job, folder, None)
    assert (result.status, result.resources) == ("lost", None)
    assert not (folder / "samples.csv").exists()
