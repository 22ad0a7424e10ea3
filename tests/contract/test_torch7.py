"""Torch7 besides the gate: last batches that are shorter, and the image that is built on one of the user's own."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from orchestrator import session
from orchestrator.catalogue import find
from orchestrator.engines.docker import BASE_LABEL, DockerEngine
from tests.alterations import ADAM, BASES, HEAD
from tests.contract.environments import prepare, run_script, skip_if_ungiven
from tests.jobs import FLAT, IMAGE, STEPS, make_batch, make_job, make_weights
from workers.numpy_worker import NumpyWorker
from workers.spec import Dataset, Framework, Job

NORMAL = {"kind": "batchnorm", "momentum": 0.8, "epsilon": 0.05}
JOBS = {  # no bias before a batch normalisation: its gradient is rounding alone
    "a row of one number per feature": make_job(
        [{"kind": "dense", "units": 6, "bias": False}, NORMAL, HEAD], FLAT, ADAM
    ),
    "a row of one position": make_job(
        [{"kind": "conv2d", "filters": 6, "kernel_size": [9, 8], "bias": False}, NORMAL, {"kind": "flatten"}, HEAD],
        IMAGE,
        ADAM,
    ),
    "a row of one line": make_job(
        [{"kind": "conv2d", "filters": 3, "kernel_size": [9, 2], "bias": False}, NORMAL, {"kind": "flatten"}, HEAD],
        IMAGE,
        ADAM,
    ),
    "an image": make_job([NORMAL, {"kind": "flatten"}, HEAD], IMAGE, ADAM),
    "steps": make_job([NORMAL, {"kind": "lstm", "units": 5, "bias": False}, HEAD], STEPS, ADAM),
    "a state that fewer rows go on from": BASES["steps"],
    "a convolution without a bias": make_job(
        [
            {"kind": "conv1d", "filters": 4, "kernel_size": 3, "padding": "same", "bias": False},
            {"kind": "activation", "function": "softmax"},
            {"kind": "flatten"},
            HEAD,
        ],
        STEPS,
        ADAM | {"weight_decay_on": "all"},
    ),
}


def test_a_last_batch_of_one_row_is_trained_as_the_reference_trains_it(tmp_path: Path, cache: Path) -> None:
    """nn normalises a batch of one row by the running statistics; nn.SeqLSTM forgets where a batch has fewer rows."""
    batches = {name: make_batch(job, 9) for name, job in JOBS.items()}
    for name, job in JOBS.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "job.json").write_text(json.dumps(in_short_batches(job).model_dump(mode="json")))
        x, y = batches[name]
        np.savez(folder / "data.npz", x=x, y=y)
        weights = {tensor.replace("/", "|"): value for tensor, value in make_weights(job).items()}
        np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type]
    run_script("torch7", Path(__file__).with_name("built.py"), tmp_path, cache)
    for name, job in JOBS.items():
        with np.load(tmp_path / name / "parameters.npz") as archive:
            found = dict(archive)
        for tensor, value in trained_by_the_reference(in_short_batches(job), *batches[name]).items():
            np.testing.assert_allclose(
                found[f"compiled/end/{tensor}"], value, rtol=1e-3, atol=1e-5, err_msg=f"{name}: {tensor}"
            )
            assert not np.array_equal(value, found[f"compiled/start/{tensor}"])


def in_short_batches(job: Job) -> Job:
    changes = {
        "framework": Framework(name="torch7", version="0"),
        "dataset": Dataset(name="none", checksum="none", train_rows=9, test_rows=5),
        "recipe": job.recipe.model_copy(update={"batch_size": 4, "evaluation_batch_size": 3}),
    }
    return job.model_copy(update=changes)


def trained_by_the_reference(job: Job, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return the parameters after what built.py does."""
    reference = NumpyWorker()
    reference.build(job.model_copy(update={"precision": "float64"}), make_weights(job))
    for _ in range(2):
        reference.train_epoch(reference.stage({"x": x}, y), np.full(3, 0.01))
        for count in (5, 1):
            reference.predict(reference.stage({"x": x[:count]}, y[:count]))
    parameters: dict[str, np.ndarray] = reference.parameters()
    return parameters


def test_a_later_run_finds_what_was_built_without_being_told_the_base(
    cache: Path, monkeypatch: pytest.MonkeyPatch, docker_engine: DockerEngine
) -> None:
    built = prepare("torch7", cache)
    labels = docker_engine.client.images.get(built.image_id).labels
    base = docker_engine.client.images.get(os.environ["BENCH_TORCH7_BASE"])
    assert (labels[BASE_LABEL], labels["bakeoff.recipe_hash"]) == (base.id, built.recipe_hash)
    monkeypatch.delenv("BENCH_TORCH7_BASE")
    again = docker_engine.prepare(find("torch7"), "cpu", pytest.fail)
    assert again.image_id == built.image_id


def test_the_lines_of_the_loop_in_lua_count(data_dir: Path, docker_engine: DockerEngine) -> None:
    """Each of them once, and those alone that run: the optimiser of mlp and that of lstm have lines of their own."""
    skip_if_ungiven("torch7")
    found = session.count_lines(
        {"frameworks": "torch7,torch", "workloads": "mlp,lstm"}, "docker", data_dir, None, Console(quiet=True)
    )
    lines = {(job.workload, job.framework.name): result.code_lines for job, result in found}
    for workload in ("mlp", "lstm"):
        ours, theirs = lines[workload, "torch7"], lines[workload, "torch"]
        assert 0.5 * theirs["train"] < ours["train"] < 3 * theirs["train"]
        assert ours["build"] < ours["both"] < ours["build"] + ours["train"]
    assert lines["mlp", "torch7"] != lines["lstm", "torch7"]
