"""What a summary says in words: each warning where it is due, naming the worst case, and not otherwise."""

from typing import Any

import pytest

from orchestrator.summary import Pair, Summary
from tests.unit.made_runs import made_job, made_result, made_run, summary_of
from workers.spec import Environment, Epoch

STEADY = {("mlp", "tf"): (1.0, 1.01, 1.02), ("mlp", "torch"): (2.0, 2.02, 2.04)}


def notes(pairs: list[Pair], **options: Any) -> list[str]:
    return summary_of(pairs, **options).notes


def with_environment(pairs: list[Pair], framework: str, **fields: Any) -> list[Pair]:
    """Return the pairs with what ran one framework's jobs altered; a value may be a function of the repeat."""
    found: list[Pair] = []
    for job, result in pairs:
        if result is not None and job.framework.name == framework and job.kind == "train":
            values = {name: value(job.repeat) if callable(value) else value for name, value in fields.items()}
            result = result.model_copy(update={"environment": Environment(**values)})
        found.append((job, result))
    return found


def test_a_quiet_run_has_none() -> None:
    assert notes(made_run(STEADY)) == []


def test_a_spread_over_ten_percent_is_said_with_its_worst_workload() -> None:
    pairs = made_run({**STEADY, ("cnn", "tf"): (1.0, 1.5, 2.0), ("lstm", "tf"): (1.0, 1.2, 1.3)})
    (found,) = notes(pairs)
    assert found.startswith("tf: training time varies by more than 10% between rounds on 2 workloads (most: ")
    assert ", cnn). Close other programs, or measure more --repeats." in found


def epochs(*seconds: float) -> list[Epoch]:
    fields: dict[str, Any] = {"stage_seconds": 0.0, "evaluate_seconds": 0.0, "train_loss": 1.0, "test_loss": 1.0}
    return [Epoch(train_seconds=value, accuracy=0.9, **fields) for value in seconds]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ((3.0, 1.0, 1.0, 1.0), True),
        ((1.4, 1.0, 1.0, 1.0), False),
        ((0.003, 0.001, 0.001, 0.001), False),  # two milliseconds are no news
    ],
)
def test_a_first_epoch_much_slower_than_the_others_is_said(seconds: tuple[float, ...], said: bool) -> None:
    pairs: list[Pair] = []
    for repeat in range(3):
        job = made_job("mlp", "tf", repeat)
        job = job.model_copy(update={"recipe": job.recipe.model_copy(update={"epochs": len(seconds)})})
        pairs.append((job, made_result(job, epochs=epochs(*seconds))))
    found = [note for note in notes(pairs) if "first epoch" in note]
    assert bool(found) is said
    if said:
        assert "3.0 times" in found[0]


def test_a_loaded_machine_is_said() -> None:
    pairs = with_environment(made_run(STEADY), "torch", other_cpus_busy=lambda repeat: (0.1, 0.9, 0.2)[repeat])
    (found,) = notes(pairs)
    assert found.startswith("torch: the machine was loaded: others kept up to 0.9 CPUs busy while mlp trained")
    assert notes(with_environment(made_run(STEADY), "torch", other_cpus_busy=0.2)) == []


# ---------------------------------------------------------------------------- what has changed since


def recipes(**hashes: str) -> dict[tuple[str, str], str]:
    return {(framework, "cpu"): value for framework, value in hashes.items()}


def summarised(pairs: list[Pair], **hashes: str) -> Summary:
    from orchestrator.summary import summarise
    from tests.unit.made_runs import INFO

    return summarise(INFO, pairs, recipes(**hashes))


def test_a_changed_worker_makes_exactly_its_own_rows_stale() -> None:
    pairs = with_environment(made_run(STEADY), "tf", recipe_hash="aa")
    pairs = with_environment(pairs, "torch", recipe_hash="bb")
    assert [cell.stale for cell in summarised(pairs, tf="aa", torch="bb").cells] == [False, False]
    found = summarised(pairs, tf="aa", torch="cc")
    assert {cell.framework: cell.stale for cell in found.cells} == {"tf": False, "torch": True}
    assert found.notes == [
        "torch: stale: mlp ran with a worker or image that has changed since. "
        "bench orchestrate --run with --frameworks torch measures it anew."
    ]
    assert all(cell.comparable for cell in found.cells), "they were measured side by side"


def test_rounds_of_two_environments_are_never_pooled_into_a_ranking() -> None:
    pairs = with_environment(made_run(STEADY), "torch", recipe_hash=lambda repeat: "bb" if repeat else "aa")
    found = summarised(pairs)
    assert {cell.framework: (cell.mixed, cell.comparable) for cell in found.cells} == {
        "tf": (False, True),
        "torch": (True, False),
    }
    assert any(note.startswith("torch: mixed: rounds of mlp ran in different environments") for note in found.notes)


def test_two_processors_are_never_ranked_against_each_other() -> None:
    pairs = with_environment(made_run(STEADY), "torch", cpu_model="fast")
    pairs = with_environment(pairs, "tf", cpu_model="slow")
    assert [cell.ratio for cell in summarised(pairs).cells] == [None, None]
