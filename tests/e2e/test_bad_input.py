"""Bad input: one clear message per mistake, all of them at once, exit code 2, before anything is built."""

import gc
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import session
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.local import LocalEngine
from orchestrator.gpu import gpu_names
from tests.commands import BENCH, ROOT, bench

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
    assert (
        "layer 1 (dense_1) needs an input of shape (features,) or (steps, features), but gets (8, 8, 1)" in run.stderr
    )


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


@pytest.mark.parametrize("document", ["job", "result", "suite", "summary", "comparison"])
def test_schema(document: str, tmp_path: Path) -> None:
    run = bench("schema", document, folder=tmp_path)
    assert run.returncode == 0
    assert '"additionalProperties": false' in run.stdout


def test_frameworks_lists_the_pinned_versions(tmp_path: Path) -> None:
    run = bench("frameworks", folder=tmp_path)
    assert run.returncode == 0
    for words in ("tf", "tensorflow", "2.21.0", "torch", "pytorch", "2.13.0", "theano", "1.1.2", "numpy"):
        assert words in run.stdout


# ---------------------------------------------------------------------------- files and folders that are not right

SMALL = ("--frameworks", "numpy", "--workloads", "mlp", "--epochs", "1", "--limit-rows", "200", "--engine", "local")


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went well."""
    folder = tmp_path_factory.mktemp("small")
    run = bench("orchestrate", *SMALL, "--repeats", "1", "--output", folder, folder=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    (found,) = folder.iterdir()
    return found


def result_of(run: Path) -> Path:
    (path,) = run.glob("jobs/*-r0-*/result.json")
    return path


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda data: {**data, "predict_seconds": ["fast"]}, "predict_seconds.0: Input should be a valid number"),
        (lambda data: {**data, "predict_seconds": [float("nan")]}, "NaN is not a number"),
        (lambda data: {name: value for name, value in data.items() if name != "status"}, "status: Field required"),
        (lambda data: {**data, "epochs": []}, "says ok, but holds 0 of the job's 1 epochs"),
        (lambda data: {**data, "job_id": "another"}, "is the result of another job (another)"),
        (lambda data: {**data, "schema_version": 9}, "has the schema 9; this version of bench reads 1"),
        (lambda data: [data], "Input should be a valid dictionary"),
    ],
)
def test_a_result_edited_by_hand_is_refused_by_its_name(
    small_run: Path, tmp_path: Path, edit: Callable[[Any], Any], words: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    path = result_of(run)
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    for command in (("show", run), ("report", run), ("orchestrate", "--run", run)):
        refused = bench(*command, folder=tmp_path)
        assert refused.returncode == 5, refused.stdout + refused.stderr
        assert words in refused.stderr
        assert str(path) in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_run_of_another_schema(small_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "schema_version": 1}))
    for command in (("show", run), ("orchestrate", "--run", run)):
        refused = bench(*command, folder=tmp_path)
        assert refused.returncode == 5
        assert "run.json has the schema 1; this version of bench reads 2" in refused.stderr
        assert "make a new one" in refused.stderr


def mounted(options: str, folder: Path, script: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command with a small file system of its own mounted on ``folder``."""
    inside = f'mount -t tmpfs -o {options} tmpfs "{folder}" && exec "$@"'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", inside, "sh", *script],
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=300k", "No space left on device"),
        ("size=36k", "No space left on device"),
        ("ro", "Read-only file system"),
    ],
)
def test_a_disk_that_is_full_or_read_only(tmp_path: Path, options: str, words: str) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    if mounted("size=1m", folder, ["true"]).returncode:
        pytest.skip("this user may not mount a file system, not even in a namespace of its own")
    run = mounted(options, folder, [*BENCH, "orchestrate", *SMALL, "--repeats", "9", "--output", str(folder)])
    assert run.returncode == 5, run.stdout + run.stderr
    assert words in run.stderr
    assert str(folder) in run.stderr
    assert "--output" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_data_file_that_is_truncated_or_altered(data_dir: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(data_dir / "mnist", tmp_path / "data" / "mnist")
    path = tmp_path / "data" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    path.chmod(0o644)
    content = gzip.decompress(path.read_bytes())
    altered = content[:100] + bytes([content[100] ^ 1]) + content[101:]
    path.write_bytes(path.read_bytes()[:2000] if damage == "truncated" else gzip.compress(altered))
    arguments = (
        "--suite",
        "kovalev2016",
        "--frameworks",
        "numpy",
        "--engine",
        "local",
        "--data-dir",
        tmp_path / "data",
    )
    run = bench("orchestrate", *arguments, folder=tmp_path, BENCH_CACHE_DIR=str(tmp_path / "cache"))
    assert run.returncode == 4, run.stdout + run.stderr
    assert str(path) in run.stderr
    assert ("no complete gzip file" if damage == "truncated" else "is not the canonical") in run.stderr
    assert "Traceback" not in run.stderr


def test_an_interpreter_that_cannot_be_had(tmp_path: Path) -> None:
    """In a copy of the project whose numpy wants a Python that there is not."""
    project = tmp_path / "project"
    for name in ("orchestrator", "workers", "docker"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    catalogue = project / "orchestrator" / "catalogue.py"
    text = catalogue.read_text()
    assert text.count('package="numpy",\n            python="3.11"') == 1
    catalogue.write_text(
        text.replace('package="numpy",\n            python="3.11"', 'package="numpy",\n            python="3.99"')
    )
    environment = {"PYTHONPATH": str(project), "BENCH_CACHE_DIR": str(tmp_path / "cache")}
    run = bench("orchestrate", *SMALL, folder=tmp_path, **environment)
    assert run.returncode == 3
    assert "Cannot get a Python 3.99 for numpy" in run.stderr
    assert "install that interpreter" in run.stderr
    assert "Traceback" not in run.stderr


def test_numbers_that_are_none(tmp_path: Path) -> None:
    run = bench(
        "orchestrate", "--threads", "1,two", "--epochs", "many", "--memory", "8", "--limit-rows", "0", folder=tmp_path
    )
    assert run.returncode == 2
    for words in ("--threads is '1,two'", "--epochs is 'many'", "--memory is 8 bytes", "--limit-rows is 0"):
        assert words in run.stderr
