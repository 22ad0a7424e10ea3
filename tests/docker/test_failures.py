"""Engine docker: a failure is a result."""

from pathlib import Path

import pytest

from orchestrator.engines.docker import DockerEngine
from tests.failures import check_failures


def test_every_failure_is_a_result_and_the_rest_goes_on(
    docker_engine: DockerEngine, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_failures(docker_engine, tmp_path, cache, monkeypatch)
    left = docker_engine.client.containers.list(all=True, filters={"label": "bakeoff.job"})
    # Another run may be measuring on the same machine.
    mine = [container for container in left if "-faulty-" in container.labels["bakeoff.job"]]
    assert mine == [], "no container outlives its job"
