"""Engine docker: a run whose bench was killed goes on, and the container that was left behind is gone."""

from pathlib import Path

from orchestrator.engines.docker import RUN_LABEL, DockerEngine
from tests.resume import check_killed_and_continued


def test_a_run_killed_half_way_goes_on_with_each_job_once(docker_engine: DockerEngine, tmp_path: Path) -> None:
    run = check_killed_and_continued(tmp_path, "docker")
    mine = {"label": f"{RUN_LABEL}={run.resolve()}"}
    assert docker_engine.client.containers.list(all=True, filters=mine) == []
