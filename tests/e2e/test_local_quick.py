"""The main job on the local engine: one environment per framework, made by uv from the pinned files."""

from pathlib import Path

from orchestrator.store import RunStore
from tests.commands import bench


def test_three_frameworks_agree_and_leave_their_results(tmp_path: Path) -> None:
    names = ("--frameworks", "tensorflow,pytorch,theano", "--suite", "quick", "--workloads", "mlp,cnn")
    run = bench("orchestrate", *names, "--repeats", "1", "--engine", "local", folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no interval and no winner" in run.stdout, "one round says little, and the table says so"
    (folder,) = (tmp_path / "runs").iterdir()
    measured = [(job, result) for job, result in RunStore(folder).jobs() if job.kind == "train"]
    assert len(measured) == 6
    for job, result in measured:
        assert result is not None
        assert result.status == "ok", result.reason
        assert job.parity is not None
        assert job.parity.passed
        assert result.environment.engine == "local"
        assert result.environment.image_id is None
        assert result.environment.versions
        assert result.environment.compile_cache == ("warm" if job.framework.name == "theano" else None)
    accuracies = {
        workload: [r.epochs[-1].accuracy for j, r in measured if r is not None and j.workload == workload]
        for workload in ("mlp", "cnn")
    }
    assert all(accuracy is not None and accuracy > 0.9 for values in accuracies.values() for accuracy in values)
