"""The two runs of a comparison are read whole, or refused with all that is wrong with either."""

from pathlib import Path

import pytest

from orchestrator.errors import StoreError, UsageError
from orchestrator.sides import read_sides
from orchestrator.store import RunStore
from tests.unit.made_runs import INFO, made_gate, made_run

TORCH = {("mlp", "torch"): (1.0, 1.1, 1.2)}


def stored(folder: Path, without: str = "nothing") -> Path:
    """Return the folder of a finished run; of the named job the result is not there."""
    store = RunStore(folder)
    store.write_info(INFO)
    for job, result in made_run(TORCH):
        store.add_job(job)
        if result is not None and job.id != without:
            store.write_result(result)
    return folder


def test_runs_are_read_in_the_order_in_which_they_are_given(tmp_path: Path) -> None:
    a, b = read_sides(stored(tmp_path / "a"), stored(tmp_path / "b"))
    assert len(a.pairs) == len(b.pairs) == 4
    assert [job.kind for job, _ in a.measured] == ["train"] * 3


def test_all_that_is_wrong_with_both_is_said_at_once(tmp_path: Path) -> None:
    unfinished = stored(tmp_path / "b", without="mlp-torch-r1")
    with pytest.raises(StoreError) as caught:
        read_sides(tmp_path, unfinished)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{tmp_path} is not a run")
    assert second.startswith(f"{unfinished} is not finished: 1 of its 3 jobs have no result")
    assert f"bench orchestrate --run {unfinished}" in second


def test_a_folder_that_is_wrong_and_given_twice_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        read_sides(tmp_path, tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_other_mistakes_come_first_and_make_it_bad_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_sides(tmp_path, stored(tmp_path / "b"), ["Another mistake."])
    assert caught.value.mistakes[0] == "Another mistake."
    assert len(caught.value.mistakes) == 2
    with pytest.raises(UsageError):
        read_sides(tmp_path / "b", tmp_path / "b", ["Another mistake."])


def test_a_run_without_a_measured_job_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "gates")
    store.write_info(INFO)
    job, result = made_gate("mlp", "torch")
    assert result is not None
    store.add_job(job)
    store.write_result(result)
    with pytest.raises(StoreError, match="holds no measured job"):
        read_sides(store.folder, stored(tmp_path / "b"))
