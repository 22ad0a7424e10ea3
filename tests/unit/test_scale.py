"""A workload as a request alters it: scaled, limited, on other data; and that nothing scaled looks like the whole."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from orchestrator import datasets
from orchestrator.data.builtin import BUILTIN
from orchestrator.errors import UsageError
from orchestrator.mistakes import mistakes_in
from orchestrator.plan import Plan, make_plan
from orchestrator.request import Request
from orchestrator.scale import altered, rows_of
from orchestrator.workload import Workload, resolved_layers, workload_input

DENSE = [{"kind": "flatten"}, {"kind": "dense", "units": 10}]
PLAIN: dict[str, Any] = {
    "optimiser": {"kind": "sgd", "learning_rate": 0.1},
    "loss": {"kind": "categorical_cross_entropy"},
    "batch_size": 100,
    "epochs": 20,
}
IMAGES: dict[str, Any] = {"name": "images", "dataset": "mnist", "layers": DENSE, "recipe": PLAIN}
LANGUAGE: dict[str, Any] = {
    "name": "language",
    "dataset": "ptb",
    "view": {"kind": "streams", "steps": 20},
    "layers": [
        {"kind": "embedding", "vocabulary_size": 10000, "units": 8},
        {"kind": "lstm", "units": 8, "output": "sequence", "stateful": True},
        {"kind": "dense", "units": 10000},
    ],
    "recipe": {**PLAIN, "batch_size": 20, "evaluation_batch_size": 10},
}
REVIEWS: dict[str, Any] = {
    "name": "reviews",
    "dataset": "imdb",
    "view": {"kind": "reviews", "vocabulary_size": 50, "length": 30},
    "layers": [
        {"kind": "embedding", "vocabulary_size": 50, "units": 4},
        {"kind": "globalmaxpool1d"},
        {"kind": "dense", "units": 1},
    ],
    "recipe": {**PLAIN, "loss": {"kind": "binary_cross_entropy"}},
}
DRIVING: dict[str, Any] = {
    "name": "driving",
    "dataset": "driving",
    "layers": [{"kind": "flatten"}, {"kind": "dense", "units": 1}],
    "recipe": {**PLAIN, "loss": {"kind": "mean_squared_error"}},
}
EVERY = [IMAGES, LANGUAGE, REVIEWS, DRIVING]


def workload(base: dict[str, Any], **changes: Any) -> Workload:
    return Workload.model_validate({**base, **changes})


def asked(base: Workload, **options: Any) -> Workload:
    return altered(base, Request(**options), None)


# ---------------------------------------------------------------------------- scaled and limited


def test_a_scale_shrinks_rows_and_epochs_by_itself() -> None:
    small = asked(workload(IMAGES, read_at_epochs=[5, 10, 20]), scale=0.1)
    assert rows_of(small) == (6000, 0, 1000)
    assert (small.recipe.epochs, small.read_at_epochs) == (2, [1, 2])  # half an epoch is rounded up


def test_a_scale_leaves_at_least_a_batch_and_an_epoch() -> None:
    small = asked(workload(IMAGES), scale=0.0001)
    assert rows_of(small) == (100, 0, 100)
    assert small.recipe.epochs == 1


def test_epochs_that_are_asked_for_are_not_scaled() -> None:
    assert asked(workload(IMAGES), scale=0.1, epochs=[7]).recipe.epochs == 7


def test_a_schedule_by_epochs_shrinks_with_them() -> None:
    decaying = workload(IMAGES, recipe={**PLAIN, "schedule": {"kind": "epoch", "after_epochs": 10, "factor": 0.5}})
    small = asked(decaying, scale=0.2)
    assert small.recipe.schedule.model_dump() == {"kind": "epoch", "after_epochs": 2, "factor": 0.5}


@pytest.mark.parametrize("options", [{"scale": 0.01}, {"limit_rows": 1234}, {"limit_rows": 7}, {}])
def test_streams_are_whole_batches_whatever_is_asked(options: dict[str, Any]) -> None:
    train, _, test = rows_of(asked(workload(LANGUAGE), **options))
    assert (train % 20, test % 10) == (0, 0)
    assert train > 0
    assert test > 0


def test_the_last_share_of_the_training_rows_validates() -> None:
    split = workload(IMAGES, validation_split=0.2)
    assert rows_of(split) == (48000, 12000, 10000)
    assert rows_of(asked(split, limit_rows=1000)) == (800, 200, 1000)
    assert rows_of(asked(split, scale=0.1)) == (4800, 1200, 1000)


def test_a_part_of_a_dataset_has_fewer_rows_than_the_workload_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILTIN, "mnist", replace(BUILTIN["mnist"], train_rows=500, test_rows=90))
    assert rows_of(asked(workload(IMAGES, train_rows=55000))) == (500, 0, 90)


# ---------------------------------------------------------------------------- the new kinds of workload


@pytest.mark.parametrize("base", EVERY, ids=lambda base: base["name"])
def test_each_kind_of_data_makes_a_model(base: dict[str, Any]) -> None:
    assert mistakes_in(workload(base)) == []
    assert resolved_layers(workload(base))


def test_the_view_gives_the_shape_of_a_row() -> None:
    assert workload_input(workload(LANGUAGE)).shape == [20]
    assert workload_input(workload(REVIEWS)).shape == [30]
    assert workload_input(workload(DRIVING)).shape == [66, 200, 3]


@pytest.mark.parametrize(
    ("base", "changes", "words"),
    [
        (IMAGES, {"view": {"kind": "streams", "steps": 5}}, "view of kind streams does not fit mnist: it has rows"),
        (LANGUAGE, {"view": None}, "it has no view, which makes the rows of ptb; allowed: streams or windows"),
        (REVIEWS, {"view": {"kind": "streams", "steps": 5}}, "does not fit imdb: it takes reviews"),
        (LANGUAGE, {"view": {"kind": "streams", "steps": 99999}}, "its view makes no row of ptb"),
        (LANGUAGE, {"train_rows": 30}, "train_rows is 30, but streams fill whole batches: a multiple of 20"),
        (LANGUAGE, {"validation_split": 0.5}, "validation_split cuts the streams of a model that keeps its state"),
        (REVIEWS, {"view": {"kind": "reviews", "vocabulary_size": 51, "length": 30}},
         "layer 1 (embedding_1) has 50 words, but its rows hold tokens below 51"),
        (DRIVING, {"recipe": PLAIN}, "loss categorical_cross_entropy does not fit driving, whose targets are numbers"),
        (IMAGES, {"recipe": {**PLAIN, "loss": {"kind": "binary_cross_entropy"}}}, "whose targets are 10 classes"),
        (IMAGES, {"target": {"metric": "perplexity", "value": 3.0}}, "mnist is measured by accuracy"),
        (IMAGES, {"target": {"metric": "accuracy", "value": 0.9}, "read_at_epochs": [1]}, "target and read_at_epochs"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(base: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    assert any(words in text for text in mistakes_in(workload(base, **changes))), mistakes_in(workload(base, **changes))


# ---------------------------------------------------------------------------- in a plan


def planned(tmp_path: Path, **options: Any) -> Plan:
    suite = tmp_path / "mine.yaml"
    with suite.open("w") as file:
        content = {"suite": "mine", "title": "t", "threads": [1, 2], "frameworks": ["torch"], "workloads": [IMAGES]}
        YAML().dump(content, file)
    return make_plan(Request(suite=str(suite), repeats=1, **options), [0])


def test_a_suite_says_which_frameworks_and_threads_where_nobody_else_does(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert (plan.frameworks, plan.threads) == (["torch"], [1, 2])
    assert {job.threads: job.limits.cpu_set for job in plan.train} == {1: [0], 2: [0]}, "more threads than CPUs are run"
    plan = planned(tmp_path, frameworks="tf", threads=[1])
    assert (plan.frameworks, plan.threads) == (["tf"], [1])


def test_a_scaled_job_is_another_job_and_says_so(tmp_path: Path) -> None:
    whole, small = planned(tmp_path).train[0], planned(tmp_path, scale=0.5).train[0]
    assert (whole.scale, small.scale) == (1.0, 0.5)
    assert whole.id != small.id
    # Even where its rows and epochs are those of another run, a scaled run is told from it.
    same = planned(tmp_path, limit_rows=30000, epochs=[10]).train[0]
    assert small.dataset.train_rows == same.dataset.train_rows
    assert small.id != same.id


def test_data_in_the_place_of_others_must_fit(tmp_path: Path) -> None:
    plan = planned(tmp_path, datasets={"mnist": "fashion-mnist"})
    assert {job.dataset.name for job in plan.train + plan.parity} == {"fashion-mnist"}
    with pytest.raises(UsageError, match="Unknown dataset 'nothing' in place of mnist"):
        planned(tmp_path, datasets={"mnist": "nothing"})
    with pytest.raises(UsageError, match="Dataset 'digits' cannot stand in for mnist"):
        planned(tmp_path, datasets={"mnist": "digits"})


def test_a_replacement_for_a_set_that_no_workload_has_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cifar10"):
        planned(tmp_path, datasets={"cifar10": "cifar100"})


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_a_scale_is_a_share(tmp_path: Path, scale: float) -> None:
    with pytest.raises(UsageError, match=r"--scale is .* it must be more than 0 and at most 1"):
        planned(tmp_path, scale=scale)


def test_synthetic_data_stand_in_under_a_name_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    name = datasets.make_synthetic("mnist", 300, 200)
    plan = planned(tmp_path, datasets={"mnist": name}, synthetic=True)
    assert {(job.dataset.name, job.dataset.synthetic) for job in plan.train} == {(name, True)}
    assert name.startswith("synthetic-mnist")
    assert rows_of(plan.workloads[0].model_copy(update={"train_rows": None})) == (300, 0, 200)
