"""A workload as a suite states it, and as a study had it: what an override changes, and nothing else."""

from typing import Any

import pytest

from orchestrator.mistakes import mistakes_in, mistakes_in_study
from orchestrator.suite import Suite, load_suite
from orchestrator.workload import (
    AsPublished,
    ChangesOn,
    Workload,
    as_published,
    resolved_layers,
    study_on,
    workload_input,
)

FLAT_MLP: dict[str, Any] = {
    "name": "mlp",
    "dataset": "mnist",
    "layers": [
        {"kind": "flatten"},
        {"kind": "dense", "units": 100},
        {"kind": "activation", "function": "tanh"},
        {"kind": "dense", "units": 10},
    ],
    "recipe": {
        "optimiser": {"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True},
        "loss": {"kind": "categorical_cross_entropy"},
        "batch_size": 128,
        "epochs": 10,
    },
    "read_at_epochs": [1, 5, 10],
}
STUDY: dict[str, Any] = {"stands_for": "Torch", "differs": ["something"]}


def workload(**changes: Any) -> Workload:
    return Workload.model_validate({**FLAT_MLP, **changes})


def published(**changes: Any) -> Workload:
    return as_published(workload(), AsPublished.model_validate({**STUDY, **changes}))


def test_a_study_that_says_nothing_changes_nothing() -> None:
    assert published() == workload()


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ({"train_rows": 55000}, "train_rows"),
        ({"input_scale": 1.0}, "input_scale"),
        ({"input_offset": -0.5}, "input_offset"),
        ({"input_pad": 2}, "input_pad"),
        ({"initialisers": {"kernel": {"kind": "normal", "value": 1.0}}}, "initialisers"),
        ({"functions": {"tanh": "sigmoid"}}, "layers"),
        ({"optimiser": {"kind": "adam", "learning_rate": 0.01}}, "recipe"),
        ({"schedule": {"kind": "step", "every_steps": 2, "factor": 0.5}}, "recipe"),
        ({"evaluation_batch_size": 1}, "recipe"),
        ({"trains_on": True}, "read_at_epochs"),
    ],
)
def test_an_override_changes_its_own_field_alone(override: dict[str, Any], field: str) -> None:
    before, after = workload().model_dump(), published(**override).model_dump()
    assert {name for name in before if before[name] != after[name]} == {field}


def test_every_override_of_a_study_is_tried_above() -> None:
    tried = set(STUDY) | {"not_replayed", "dropout", "only"}
    (cases,) = [mark.args[1] for mark in test_an_override_changes_its_own_field_alone.pytestmark]  # type: ignore[attr-defined]
    for override, _ in cases:
        tried |= set(override)
    assert tried == set(AsPublished.model_fields)


def test_what_holds_on_some_workloads_alone_is_added_there_and_nowhere_else() -> None:
    part = {
        "workloads": ["mlp", "wide"],
        "differs": ["a half"],
        "not_replayed": ["Lua"],
        "initialisers": {"bias": {"kind": "normal"}},
        "evaluation_batch_size": 1,
    }
    elsewhere = {"workloads": ["cnn"], "differs": ["no"], "optimiser": {"kind": "adam", "learning_rate": 0.01}}
    study = AsPublished.model_validate(
        {
            **STUDY,
            "train_rows": 100,
            "evaluation_batch_size": 2,
            "initialisers": {"kernel": {"kind": "normal"}},
            "only": [part, elsewhere],
        }
    )
    here = study_on(study, "mlp")
    assert (here.differs, here.not_replayed, here.only) == (["something", "a half"], ["Lua"], [])
    assert (here.train_rows, here.evaluation_batch_size, here.optimiser) == (100, 1, None)
    assert set(here.initialisers) == {"kernel", "bias"}
    other = study_on(study, "deep")
    assert (other.differs, other.evaluation_batch_size, set(other.initialisers)) == (["something"], 2, {"kernel"})
    assert as_published(workload(), study).recipe.evaluation_batch_size == 1
    assert as_published(workload(name="deep"), study).recipe.evaluation_batch_size == 2


def test_a_study_names_workloads_that_are_there_and_says_what_differs() -> None:
    study = AsPublished(stands_for="Torch", only=[ChangesOn(workloads=["mlp", "wid"], not_replayed=["Lua"])])
    assert mistakes_in_study("torch", study, ["mlp", "wide"]) == [
        "torch: nothing differs. Say in differs, in words, what is not as in the matched variant.",
        "torch.only: unknown workload 'wid'. Did you mean 'wide'? Allowed: mlp, wide.",
    ]
    said = AsPublished(stands_for="Torch", only=[ChangesOn(workloads=["mlp"], differs=["Lua"])])
    assert mistakes_in_study("torch", said, ["mlp"]) == []


def test_a_study_that_never_dropped_has_every_rate_at_zero_and_one_that_always_did_has_its_rates() -> None:
    dropping = workload(layers=[FLAT_MLP["layers"][0], {"kind": "dropout", "rate": 0.25}, *FLAT_MLP["layers"][1:]])

    def rates(dropout: str) -> list[float]:
        study = AsPublished.model_validate({**STUDY, "dropout": dropout})
        return [layer.rate for layer in as_published(dropping, study).layers if layer.kind == "dropout"]

    assert (rates("off_in_training"), rates("on_in_prediction")) == ([0.0], [0.25])


def test_sigmoid_takes_the_place_of_tanh_and_of_nothing_else() -> None:
    layers = published(functions={"tanh": "sigmoid"}).layers
    assert [getattr(layer, "function", None) for layer in layers] == [None, None, "sigmoid", None]
    assert published(functions={"relu": "sigmoid"}).layers == workload().layers


def test_padded_images_have_padded_shapes() -> None:
    padded = published(input_pad=2)
    assert workload_input(padded).shape == [32, 32, 1]
    assert resolved_layers(padded)[1].parameters["kernel"] == [1024, 100]
    assert workload_input(workload()).shape == [28, 28, 1]


def test_a_scale_takes_the_place_of_the_datasets_own() -> None:
    assert workload_input(published(input_scale=1.0)).scale == 1.0
    assert workload_input(workload()).scale == pytest.approx(1 / 255)


def test_a_reading_after_the_last_epoch_is_a_mistake() -> None:
    assert mistakes_in(workload(read_at_epochs=[1, 11])) == ["read_at_epochs has 11, but the recipe trains for 10."]


# ---------------------------------------------------------------------------- the suite of Kovalev et al.


@pytest.fixture(scope="module")
def kovalev() -> Suite:
    return load_suite("kovalev2016")


def test_depth_and_width_are_those_of_the_study(kovalev: Suite) -> None:
    shapes = {
        (name, tuple(layer.units for layer in item.layers if layer.kind == "dense"))
        for item in kovalev.workloads
        for name in {layer.function for layer in item.layers if layer.kind == "activation"}
    }
    depth = {(function, (*[100] * count, 10)) for function in ("tanh", "relu") for count in (1, 2, 3, 4)}
    width = {(function, (units, 10)) for function in ("tanh", "relu") for units in (64, 128, 512, 1024)}
    assert shapes == depth | width


def test_the_matched_recipe_is_one_for_all(kovalev: Suite) -> None:
    (recipe,) = {item.recipe.model_dump_json() for item in kovalev.workloads}
    found = kovalev.workloads[0].recipe
    assert recipe == found.model_dump_json()
    assert found.optimiser.model_dump() == {
        "kind": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "nesterov": True,
        "velocity": "step",
        "weight_decay": 0.0,
        "weight_decay_on": "kernels",
    }
    assert (found.batch_size, found.epochs) == (128, 10)
    assert {tuple(item.read_at_epochs) for item in kovalev.workloads} == {(1, 5, 10)}
    assert {item.train_rows for item in kovalev.workloads} == {None}


def test_the_defects_of_the_study_are_in_the_suite(kovalev: Suite) -> None:
    tf, keras, torch = kovalev.paper["tf"], kovalev.paper["keras"], kovalev.paper["torch"]
    assert tf.optimiser is not None
    assert (tf.optimiser.kind, tf.optimiser.learning_rate, tf.train_rows) == ("adam", 0.01, 55000)
    assert {(item.kind, item.value) for item in tf.initialisers.values()} == {("normal", 1.0)}
    assert (keras.trains_on, keras.train_rows) == (True, 55000)
    assert torch.functions == {"tanh": "sigmoid"}
    assert (torch.input_pad, torch.input_scale, torch.evaluation_batch_size) == (2, 1.0, 1)
    assert all(study.differs for study in kovalev.paper.values())
