"""Bad input: one clear message per mistake, all of them at once, exit code 2, before anything is built."""

import gc
from pathlib import Path

import pytest

from orchestrator import session
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.local import LocalEngine
from orchestrator.gpu import gpu_names
from tests.commands import bench

IMPOSSIBLE = """
suite: mine
title: Two mistakes
workloads:
  - name: cnn
    dataset: digits
    layers:
      - {kind: conv2d, filters: 4, kernel_size: [9, 3]}
      - {kind: flatten}
      - {kind: dense, units: 10}
    recipe: &recipe
      optimiser: {kind: sgd, learning_rate: 0.1}
      loss: {kind: categorical_cross_entropy}
      batch_size: 32
      epochs: 1
  - name: mlp
    dataset: digits
    layers: [{kind: dense, units: 10}]
    recipe: *recipe
"""


def test_every_mistake_of_the_command_line_at_once(tmp_path: Path) -> None:
    arguments = ("--frameworks", "tf,pytorhc", "--suite", "quikc", "--threads", "0", "--engine", "dokcer")
    run = bench("orchestrate", *arguments, folder=tmp_path)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    for words in ("'pytorhc'", "'pytorch'", "'quikc'", "'quick'", "--threads is 0", "'dokcer'", "'docker'"):
        assert words in run.stderr
    assert run.stdout == ""
    assert list(tmp_path.iterdir()) == [], "nothing was made"


def test_a_misspelt_field_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    suite = tmp_path / "mine.yaml"
    suite.write_text(IMPOSSIBLE.replace("kernel_size: [9, 3]", "kernel_sise: [3, 3]"))
    run = bench("orchestrate", "--frameworks", "tf", "--suite", suite, folder=tmp_path)
    assert run.returncode == 2
    assert "workloads[0] (cnn).layers[0]" in run.stderr
    assert "'kernel_sise'" in run.stderr
    assert "'kernel_size'" in run.stderr


def test_impossible_shapes_name_the_layer_and_the_numbers(tmp_path: Path) -> None:
    suite = tmp_path / "mine.yaml"
    suite.write_text(IMPOSSIBLE)
    run = bench("orchestrate", "--frameworks", "tf", "--suite", suite, folder=tmp_path)
    assert run.returncode == 2
    assert "layer 1 (conv2d_1) has a window of 9 x 3 that does not fit its input of 8 x 8" in run.stderr
    assert "layer 1 (dense_1) needs an input of shape (features,), but gets (8, 8, 1)" in run.stderr


def test_an_unknown_workload_and_document_and_format(tmp_path: Path) -> None:
    run = bench("orchestrate", "--frameworks", "tf", "--workloads", "mlpp", folder=tmp_path)
    assert (run.returncode, "'mlp'" in run.stderr) == (2, True)
    assert bench("schema", "jobb", folder=tmp_path).returncode == 2
    assert bench("show", "nothing", "--format", "xlm", folder=tmp_path).returncode == 2


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    run = bench("show", tmp_path, folder=tmp_path)
    assert run.returncode == 5
    assert "is not a run" in run.stderr


def test_a_data_folder_that_is_not_there(tmp_path: Path) -> None:
    run = bench("orchestrate", "--frameworks", "numpy", "--data-dir", tmp_path / "nowhere", folder=tmp_path)
    assert run.returncode == 4
    assert "nowhere: --data-dir names it, but it is no folder" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_gpu_without_a_gpu_says_so_and_what_to_do(tmp_path: Path) -> None:
    if gpu_names():
        pytest.skip("this machine has a GPU")
    run = bench("orchestrate", "--frameworks", "tf,torch,theano", "--gpu", "--engine", "local", folder=tmp_path)
    assert run.returncode == 3
    assert "no NVIDIA GPU is visible" in run.stderr
    assert "leave --gpu out" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_docker_that_is_not_there(tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/nothing.sock"}
    run = bench("orchestrate", "--frameworks", "numpy", "--engine", "docker", folder=tmp_path, **nowhere)
    assert run.returncode == 3
    assert "no Docker daemon answers" in run.stderr
    assert "--engine local" in run.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK leaks its refused socket
def test_auto_takes_docker_where_it_answers_else_local_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DockerEngine, "why_not", lambda self: None)
    engine, why = session.choose_engine("auto")
    assert (engine.name, why) == ("docker", "auto: a Docker daemon answers")
    monkeypatch.undo()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    engine, why = session.choose_engine("auto")
    assert isinstance(engine, LocalEngine)
    assert why.startswith("auto: no Docker daemon answers")
    gc.collect()


@pytest.mark.parametrize("document", ["job", "result", "suite", "summary"])
def test_schema(document: str, tmp_path: Path) -> None:
    run = bench("schema", document, folder=tmp_path)
    assert run.returncode == 0
    assert '"additionalProperties": false' in run.stdout


def test_frameworks_lists_the_pinned_versions(tmp_path: Path) -> None:
    run = bench("frameworks", folder=tmp_path)
    assert run.returncode == 0
    for words in ("tf", "tensorflow", "2.21.0", "torch", "pytorch", "2.13.0", "theano", "1.1.2", "numpy"):
        assert words in run.stdout
