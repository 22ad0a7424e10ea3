"""What workers of several modes share: a mode that is not theirs is refused, and the sizes of batches are known."""

import pytest

from tests.jobs import FLAT, make_job
from workers.spec import Dataset, Framework, Job
from workers.worker import Unsupported, batch_sizes, checked_mode


def job_of(train_rows: int, test_rows: int, mode: str | None = None) -> Job:
    job = make_job([{"kind": "dense", "units": 2}], FLAT, batch_size=128, evaluation_batch_size=512)
    dataset = Dataset(name="none", checksum="none", train_rows=train_rows, test_rows=test_rows)
    return job.model_copy(
        update={"dataset": dataset, "framework": Framework(name="torch", version="0", mode=mode), "kind": "train"}
    )


def test_a_mode_that_the_worker_does_not_have_is_refused() -> None:
    assert checked_mode(job_of(1, 1), (None, "compile")) is None
    assert checked_mode(job_of(1, 1, "compile"), (None, "compile")) == "compile"
    with pytest.raises(Unsupported, match=r"^the torch worker has no mode xla; it has compile$"):
        checked_mode(job_of(1, 1, "xla"), (None, "compile"))


@pytest.mark.parametrize(
    ("train_rows", "test_rows", "expected"),
    [
        (60000, 10000, ([128, 96], [512, 272, 1])),
        (256, 512, ([128], [512, 1])),
        (100, 1, ([100], [1])),
    ],
)
def test_the_sizes_of_batches_are_whole_last_and_one(
    train_rows: int, test_rows: int, expected: tuple[list[int], list[int]]
) -> None:
    assert batch_sizes(job_of(train_rows, test_rows)) == expected


def test_a_gates_job_brings_its_own_sizes() -> None:
    assert batch_sizes(job_of(60000, 10000).model_copy(update={"kind": "parity"})) == ([], [])
