"""The main job in real containers: TensorFlow, PyTorch and Theano on the quick suite, and on real MNIST."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.engines.docker import DockerEngine
from orchestrator.store import RunStore
from orchestrator.summary import Summary
from tests.commands import bench
from workers.spec import Job, Result

FRAMEWORKS = ("tf", "torch", "theano")


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def measured(run: Path) -> list[tuple[Job, Result]]:
    return [(job, result) for job, result in RunStore(run).jobs() if job.kind == "train" and result is not None]


@pytest.fixture(scope="module")
def quick(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder of `bench orchestrate --frameworks tf,torch,theano --suite quick --engine docker`."""
    folder = tmp_path_factory.mktemp("quick")
    arguments = ("--frameworks", "tf,torch,theano", "--suite", "quick", "--engine", "docker")
    run = bench("orchestrate", *arguments, folder=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Engine: docker (as asked)." in run.stdout
    assert "Traceback" not in run.stderr
    return only_run(folder)


def test_every_job_is_ok_and_every_gate_passed(quick: Path) -> None:
    pairs = measured(quick)
    assert len(pairs) == 3 * 3 * 3
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
            "predictions.npz",
            "result.json",
        ]
        with np.load(folder / "predictions.npz") as archive:
            assert archive["scores"].shape == (job.dataset.test_rows, 10)
            np.testing.assert_allclose(archive["scores"].sum(axis=1), 1, rtol=1e-4)


def test_repeats_start_from_the_same_weights_in_every_framework(quick: Path) -> None:
    weights: dict[tuple[str, int], set[str]] = {}
    for job, _ in measured(quick):
        weights.setdefault((job.workload, job.repeat), set()).add(job.model.weights_sha256)
    assert all(len(found) == 1 for found in weights.values())
    assert len({next(iter(found)) for found in weights.values()}) == 9


def test_show_prints_the_run_in_every_format(quick: Path) -> None:
    outputs = {}
    for name in ("table", "json", "csv", "markdown", "latex"):
        run = bench("show", quick, "--format", name, folder=quick)
        assert run.returncode == 0, run.stderr
        outputs[name] = run.stdout
    summary = Summary.model_validate(json.loads(outputs["json"]))
    assert len(summary.cells) == len(list(csv.DictReader(io.StringIO(outputs["csv"])))) == 9
    assert all(cell.comparable for cell in summary.cells)
    assert all(framework in outputs["table"] for framework in FRAMEWORKS)


def test_a_second_run_uses_the_cached_verdicts(quick: Path, docker_engine: DockerEngine) -> None:
    run = bench("orchestrate", "--frameworks", "tf,torch,theano", "--run", quick, "--engine", "docker", folder=quick)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("(cached)") == 9
    assert run.stdout.count("(done before)") == 27


MNIST = """
suite: mnist
title: One epoch on MNIST, without dropout
repeats: 1
workloads:
  - name: mlp
    dataset: mnist
    layers:
      - {kind: flatten}
      - {kind: dense, units: 100}
      - {kind: activation, function: tanh}
      - {kind: dense, units: 10}
    recipe: &recipe
      optimiser: {kind: sgd, learning_rate: 0.05, momentum: 0.9, nesterov: true}
      loss: {kind: categorical_cross_entropy}
      batch_size: 128
      epochs: 1
  - name: cnn
    dataset: mnist
    layers:
      - {kind: conv2d, filters: 8, kernel_size: [5, 5]}
      - {kind: activation, function: relu}
      - {kind: maxpool2d}
      - {kind: conv2d, filters: 16, kernel_size: [3, 3], padding: same}
      - {kind: activation, function: relu}
      - {kind: maxpool2d}
      - {kind: flatten}
      - {kind: dense, units: 10}
    recipe: *recipe
"""


def test_mnist_agrees_between_the_frameworks(docker_engine: DockerEngine, data_dir: Path, tmp_path: Path) -> None:
    suite = tmp_path / "mnist.yaml"
    suite.write_text(MNIST)
    arguments = ("--frameworks", "tf,torch,theano", "--suite", suite, "--engine", "docker", "--data-dir", data_dir)
    run = bench("orchestrate", *arguments, folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    for workload in ("mlp", "cnn"):
        epochs = {
            job.framework.name: result.epochs[0]
            for job, result in measured(only_run(tmp_path))
            if job.workload == workload and result.status == "ok"
        }
        assert set(epochs) == set(FRAMEWORKS)
        accuracies = [epoch.accuracy for epoch in epochs.values() if epoch.accuracy is not None]
        losses = [epoch.train_loss for epoch in epochs.values()]
        assert len(accuracies) == 3
        assert min(accuracies) > 0.9
        assert max(accuracies) - min(accuracies) <= 0.01
        assert max(losses) / min(losses) <= 1.01
