"""The main job in real containers: every framework on the quick suite, and one epoch of LeNet on real MNIST."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator import catalogue
from orchestrator.engines.docker import DockerEngine
from orchestrator.store import RunStore
from orchestrator.summary import Summary
from tests.commands import bench
from workers.spec import Job, Result

FRAMEWORKS = [entry for entry in catalogue.FRAMEWORKS.values() if entry.name != "numpy"]

LENET = catalogue.ROOT / "benchmarks" / "lenet.yaml"


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def compared(run: Path) -> set[str]:
    """Return every framework, less those that wait for an image which only the user has."""
    absent = set(RunStore(run).read_info().unavailable)
    assert absent <= {entry.name for entry in FRAMEWORKS if entry.base_argument}
    return {entry.name for entry in FRAMEWORKS} - absent


def measured(run: Path) -> list[tuple[Job, Result]]:
    return [(job, result) for job, result in RunStore(run).jobs() if job.kind == "train" and result is not None]


@pytest.fixture(scope="module")
def quick(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder of `bench orchestrate --frameworks all --suite quick --engine docker`, one round of it."""
    folder = tmp_path_factory.mktemp("quick")
    arguments = ("--frameworks", "all", "--suite", "quick", "--engine", "docker", "--repeats", "1")
    run = bench("orchestrate", *arguments, folder=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Engine: docker (as asked)." in run.stdout
    assert "Traceback" not in run.stderr
    return only_run(folder)


def test_every_job_is_ok_and_every_gate_passed(quick: Path) -> None:
    pairs = measured(quick)
    assert {job.framework.label for job, _ in pairs} == compared(quick)
    assert len(pairs) == 3 * len(compared(quick))
    assert {result.status for _, result in pairs} == {"ok"}
    assert all(job.parity is not None and job.parity.passed for job, _ in pairs)
    assert all(result.environment.image_id and result.environment.recipe_hash for _, result in pairs)
    assert {result.environment.engine for _, result in pairs} == {"docker"}


def test_jobs_are_complete(quick: Path) -> None:
    for job, result in measured(quick):
        phases = result.phases
        assert None not in (phases.import_seconds, phases.data_seconds, phases.build_seconds, phases.first_step_seconds)
        assert len(result.epochs) == job.recipe.epochs
        assert result.epochs[-1].accuracy is not None
        assert result.epochs[-1].accuracy > 0.9, job.id
        assert len(result.predict_seconds) >= 3
        assert len(result.latency_seconds) >= 10
        assert result.environment.compile_cache == ("warm" if job.framework.name == "theano" else None)
        folder = quick / "jobs" / job.id
        assert sorted(path.name for path in folder.iterdir()) == [
            "job.json",
            "log.txt",
            "phases.txt",
            "predictions.npz",
            "result.json",
            "samples.csv",
        ]
        used = {item.phase: item for item in result.resources or []}
        assert {"import", "data", "build", "train", "evaluate", "predict"} <= set(used)
        if used["import"].seconds > 1:  # a shorter phase may hold no two samples, and says nothing then
            assert (used["import"].cpu_percent or 0) > 1
            assert (used["import"].peak_rss_bytes or 0) > 2**20
        assert {item.gpu_percent for item in used.values()} == {None}
        with np.load(folder / "predictions.npz") as archive:
            assert archive["scores"].shape == (job.dataset.test_rows, 10)
            np.testing.assert_allclose(archive["scores"].sum(axis=1), 1, rtol=1e-4)


def test_every_framework_starts_from_the_same_weights_and_learns_the_same(quick: Path) -> None:
    weights: dict[str, set[str]] = {}
    accuracies: dict[str, list[float]] = {}
    for job, result in measured(quick):
        weights.setdefault(job.workload, set()).add(job.model.weights_sha256)
        accuracies.setdefault(job.workload, []).append(result.epochs[-1].accuracy or 0.0)
    assert [len(found) for found in weights.values()] == [1, 1, 1]
    assert all(max(accuracies[name]) - min(accuracies[name]) <= 0.01 for name in ("mlp", "lstm"))  # no dropout in these


def test_show_prints_the_run_in_every_format(quick: Path) -> None:
    outputs = {}
    for name in ("table", "json", "csv", "markdown", "latex"):
        run = bench("show", quick, "--format", name, folder=quick)
        assert run.returncode == 0, run.stderr
        outputs[name] = run.stdout
    summary = Summary.model_validate(json.loads(outputs["json"]))
    assert len(summary.cells) == len(list(csv.DictReader(io.StringIO(outputs["csv"])))) == 3 * len(compared(quick))
    assert all(cell.comparable for cell in summary.cells)
    assert all(framework in outputs["table"] for framework in compared(quick))


def test_a_second_run_uses_the_cached_verdicts(quick: Path, docker_engine: DockerEngine) -> None:
    run = bench("orchestrate", "--frameworks", "all", "--run", quick, "--engine", "docker", folder=quick)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("(cached)") == run.stdout.count("(done before)") == 3 * len(compared(quick))


def test_one_epoch_of_lenet_on_mnist_agrees_between_the_frameworks(
    docker_engine: DockerEngine, data_dir: Path, tmp_path: Path
) -> None:
    """On a sixth of its rows."""
    arguments = ("--frameworks", "all", "--suite", LENET, "--engine", "docker", "--limit-rows", "10000")
    run = bench("orchestrate", *arguments, "--data-dir", data_dir, folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    epochs = {job.framework.label: result.epochs[0] for job, result in measured(only_run(tmp_path))}
    assert set(epochs) == compared(only_run(tmp_path))
    accuracies = [epoch.accuracy or 0.0 for epoch in epochs.values()]
    losses = [epoch.train_loss for epoch in epochs.values()]
    assert min(accuracies) > 0.85
    assert max(accuracies) - min(accuracies) <= 0.01
    assert max(losses) / min(losses) <= 1.01
