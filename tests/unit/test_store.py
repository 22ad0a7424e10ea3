"""A run's folder: files written whole, nothing done written over, and what was altered by hand refused by name."""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.documents import RunInfo
from orchestrator.errors import StoreError
from orchestrator.store import WARM, RunStore, cache_dir, link_or_copy, write_text
from tests.unit.made_runs import FAILED, INFO, made_job, made_result
from workers.spec import Job, Result, arrays_sha256, pretty_json


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refuse(number: int) -> Any:
    """Return a function that fails as the operating system does."""

    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


# ---------------------------------------------------------------------------- atomic writes


def test_a_text_is_written_with_its_folders_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.json", "né\n")
    assert (tmp_path / "a" / "b.json").read_bytes() == "né\n".encode()
    assert everything(tmp_path) == ["a/b.json"]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_write_that_fails_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "run.json"
    write_text(path, "old")
    monkeypatch.setattr(Path, step, refuse(errno.ENOSPC))
    with pytest.raises(StoreError) as caught:
        write_text(path, "new")
    assert str(caught.value) == (
        f"{path}: cannot be written (No space left on device). Free space or choose another folder with --output."
    )
    assert caught.value.exit_code == 5
    assert path.read_bytes() == b"old"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=f"{tmp_path}/file/run.json: cannot be written"):
        write_text(tmp_path / "file" / "run.json", "text")


def with_value(document: Job | Result | RunInfo, name: str, value: Any) -> str:
    """Return a document's JSON with one of its first fields altered; NaN is written as Python's json writes it."""
    return json.dumps({**document.model_dump(mode="json"), name: value})


def without(document: Job | Result | RunInfo, name: str) -> str:
    return json.dumps({key: value for key, value in document.model_dump(mode="json").items() if key != name})


# ---------------------------------------------------------------------------- the run


def test_a_run_is_read_back(store: RunStore) -> None:
    store.write_info(INFO)
    assert store.read_info() == INFO


def test_a_folder_that_is_no_run(store: RunStore) -> None:
    with pytest.raises(StoreError) as caught:
        store.read_info()
    assert str(caught.value) == (
        f"{store.folder} is not a run: it has no run.json. Give a folder that `bench orchestrate` made."
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "cannot be read: Expecting property name"),
        ("[]", "is not valid: Input should be a valid dictionary"),
        ('{"name": "x"}', "is not valid: suite: Field required"),
        (with_value(INFO, "repeats", "many"), "is not valid: repeats: Input should be a valid integer"),
        (with_value(INFO, "extra", 1), "is not valid: extra: Extra inputs are not permitted"),
        (with_value(INFO, "schema_version", 1), "has the schema 1; this version of bench reads 2. Read that run with"),
    ],
)
def test_a_description_of_a_run_that_is_not_one(store: RunStore, text: str, complaint: str) -> None:
    store.folder.mkdir()
    (store.folder / "run.json").write_text(text)
    with pytest.raises(StoreError) as caught:
        store.read_info()
    assert str(caught.value).startswith(f"{store.folder / 'run.json'} {complaint}")


# ---------------------------------------------------------------------------- jobs and results

JOB = made_job("mlp", "tf")
RESULT = made_result(JOB, 2.0)


def test_jobs_are_read_back_in_the_order_of_their_ids_with_the_results_there_are(store: RunStore) -> None:
    other = made_job("cnn", "tf")
    store.add_job(JOB)
    store.add_job(other)
    store.write_result(RESULT)
    assert list(store.jobs()) == [(other, None), (JOB, RESULT)]
    assert store.read_result(JOB) == RESULT
    assert store.read_result(other) is None
    assert everything(store.folder) == [
        "jobs/cnn-tf-r0/job.json",
        "jobs/mlp-tf-r0/job.json",
        "jobs/mlp-tf-r0/result.json",
    ]


def test_a_run_without_jobs(store: RunStore) -> None:
    assert list(store.jobs()) == []


def test_adding_a_job_writes_nothing_over(store: RunStore) -> None:
    store.write_job(JOB.model_copy(update={"parity": FAILED}))
    store.write_result(RESULT)
    store.add_job(JOB)
    ((job, result),) = store.jobs()
    assert job.parity == FAILED
    assert result == RESULT


def test_writing_a_job_again_clears_what_an_earlier_attempt_left(store: RunStore) -> None:
    folder = store.write_job(JOB)
    store.write_result(RESULT)
    (folder / "log.txt").write_text("old")
    assert store.write_job(JOB) == folder
    assert everything(store.folder) == ["jobs/mlp-tf-r0/job.json"]


def test_replacing_a_job_keeps_its_result(store: RunStore) -> None:
    store.write_job(JOB)
    store.write_result(RESULT)
    store.replace_job(JOB.model_copy(update={"parity": FAILED}))
    assert list(store.jobs()) == [(JOB.model_copy(update={"parity": FAILED}), RESULT)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (with_value(RESULT, "predict_seconds", [0.1, float("nan")]), "cannot be read: NaN is not a number that JSON"),
        (with_value(RESULT, "predict_seconds", [-float("inf")]), "cannot be read: -Infinity is not a number that JSON"),
        (
            with_value(RESULT, "predict_seconds", ["0.1"]),
            "is not valid: predict_seconds.0: Input should be a valid num",
        ),
        (with_value(RESULT, "predict_seconds", [-1]), "is not valid: predict_seconds.0: Input should be greater than"),
        (with_value(RESULT, "status", "fine"), "is not valid: status: Input should be 'ok', 'unsupported'"),
        (with_value(RESULT, "stat", "ok"), "is not valid: stat: Extra inputs are not permitted"),
        (
            with_value(RESULT, "schema_version", 2),
            "has the schema 2; this version of bench reads 1. Read that run with",
        ),
        (without(RESULT, "status"), "is not valid: status: Field required"),
        ("[]", "is not valid: Input should be a valid dictionary"),
        (pretty_json(RESULT)[:100], "cannot be read: "),
        ("", "cannot be read: "),
    ],
)
def test_an_altered_result_is_refused_by_name(store: RunStore, text: str, complaint: str) -> None:
    path = store.write_job(JOB) / "result.json"
    path.write_text(text)
    for read in (lambda: store.read_result(JOB), lambda: list(store.jobs())):
        with pytest.raises(StoreError) as caught:
            read()
        assert str(caught.value).startswith(f"{path} {complaint}")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (with_value(JOB, "threads", 1.5), "is not valid: threads: Input should be a valid integer"),
        (with_value(JOB, "threads", True), "is not valid: threads: Input should be a valid integer"),
        (without(JOB, "dataset"), "is not valid: dataset: Field required"),
        ("not JSON", "cannot be read: "),
    ],
)
def test_an_altered_job_is_refused_by_name(store: RunStore, text: str, complaint: str) -> None:
    path = store.write_job(JOB) / "job.json"
    path.write_text(text)
    with pytest.raises(StoreError) as caught:
        list(store.jobs())
    assert str(caught.value).startswith(f"{path} {complaint}")


# ---------------------------------------------------------------------------- inputs

ARRAYS = {"dense_1/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "dense_1/bias": np.zeros(3, np.float32)}


def test_arrays_are_named_by_their_hash(store: RunStore) -> None:
    digest = store.add_arrays("weights", ARRAYS)
    assert digest == arrays_sha256(ARRAYS)
    assert everything(store.folder) == [f"inputs/weights-{digest[:12]}.npz"]
    with np.load(store.inputs / f"weights-{digest[:12]}.npz", allow_pickle=False) as archive:
        found = dict(archive)
    assert arrays_sha256(found) == digest  # exactly these arrays, no more


def test_arrays_that_are_there_are_not_written_again(store: RunStore) -> None:
    path = store.inputs / f"reference-{store.add_arrays('reference', ARRAYS)[:12]}.npz"
    before = path.stat().st_ino
    store.add_arrays("reference", ARRAYS)
    assert path.stat().st_ino == before


def test_a_dataset_is_linked_into_the_inputs_once(store: RunStore, tmp_path: Path) -> None:
    source = tmp_path / "cache"
    source.mkdir()
    np.save(source / "train_x.npy", np.arange(3))
    (source / "notes.txt").write_text("")
    store.add_data(source, "0123456789abcdef")
    store.add_data(source, "0123456789abcdef")
    assert everything(store.folder) == ["inputs/data-0123456789ab/train_x.npy"]
    assert (store.inputs / "data-0123456789ab" / "train_x.npy").samefile(source / "train_x.npy")


def test_a_link_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").samefile(tmp_path / "a")


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_where_no_link_can_be_a_copy_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    (tmp_path / "a").write_text("content")
    monkeypatch.setattr(os, "link", refuse(number))
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "content"
    assert not (tmp_path / "b").samefile(tmp_path / "a")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_is_full_or_read_only_is_said(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    source = tmp_path / "cache"
    source.mkdir()
    np.save(source / "train_x.npy", np.arange(3))
    monkeypatch.setattr(os, "link", refuse(number))
    monkeypatch.setattr(shutil, "copyfile", refuse(number))
    with pytest.raises(StoreError, match=rf"inputs/data-0123: cannot be written \({os.strerror(number)}\)"):
        store.add_data(source, "0123")


def test_what_a_killed_warm_up_left_is_no_job_of_the_run(store: RunStore) -> None:
    store.add_job(JOB)
    store.add_job(JOB.model_copy(update={"id": JOB.id + WARM}))
    store.clear_warm_jobs()
    assert [job.id for job, _ in store.jobs()] == [JOB.id]


def test_a_run_is_used_by_one_process_at_a_time(store: RunStore) -> None:
    other = RunStore(store.folder)
    with (
        store.in_use(),
        pytest.raises(StoreError, match=rf"in use by another process \({os.getpid()}\)"),
        other.in_use(),
    ):
        pass
    with other.in_use():
        pass


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", "/some/where")
    assert cache_dir() == Path("/some/where")
    monkeypatch.setenv("BENCH_CACHE_DIR", "")
    assert cache_dir().name == "bakeoff"
