"""Every framework against the reference: all layer kinds, optimisers, losses; and the gate closes on each of them."""

import functools
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from orchestrator.capabilities import capabilities
from orchestrator.catalogue import find, spellings
from tests.alterations import (
    ADADELTA,
    ADAM,
    BASES,
    BINARY,
    EPOCH_DECAY,
    HEAD,
    INVERSE_DECAY,
    RMSPROP,
    SGD,
    SQUARED,
    STEP_DECAY,
    alterations,
)
from tests.contract.environments import run_script
from tests.contract.in_parts import predict_in_parts
from tests.jobs import CATEGORICAL, FLAT, IMAGE, STEPS, TOKENS, make_batch, make_job, make_weights
from workers.numpy_reference import make_reference
from workers.numpy_worker import NumpyWorker
from workers.parity import ROWS
from workers.spec import Dataset, Job, Recipe, Verdict

SMALL = [{"kind": "dense", "units": 8}, {"kind": "activation", "function": "tanh"}, HEAD]

# Every optimiser, in each of its forms, and every schedule on one small model.
OPTIMISED: dict[str, Job] = {
    "sgd": make_job(SMALL, FLAT, {**SGD, "nesterov": False, "momentum": 0.0}, schedule=STEP_DECAY),
    "sgd momentum": make_job(SMALL, FLAT, {**SGD, "nesterov": False, "momentum": 0.9}, schedule=INVERSE_DECAY),
    "sgd momentum gradient": make_job(SMALL, FLAT, {**SGD, "nesterov": False, "velocity": "gradient"}),
    "sgd nesterov": make_job(SMALL, FLAT, {**SGD, "momentum": 0.9}, schedule=EPOCH_DECAY),
    "sgd nesterov gradient": make_job(SMALL, FLAT, {**SGD, "momentum": 0.9, "velocity": "gradient"}),
    "adam": make_job(SMALL, FLAT, ADAM, schedule=STEP_DECAY),
    "adam uncorrected, all decayed, clipped": make_job(
        SMALL, FLAT, {**ADAM, "epsilon_form": "uncorrected", "weight_decay_on": "all"}, clip_norm=0.1
    ),
    "rmsprop": make_job(SMALL, FLAT, RMSPROP, schedule=INVERSE_DECAY),
    "rmsprop inside": make_job(SMALL, FLAT, {**RMSPROP, "epsilon_form": "inside"}),
    "adadelta": make_job(SMALL, FLAT, ADADELTA, schedule=EPOCH_DECAY),
    "adadelta, all decayed, clipped": make_job(SMALL, FLAT, {**ADADELTA, "weight_decay_on": "all"}, clip_norm=0.1),
}

# The bases of the alterations hold every layer kind; these add what they leave out.
CASES: dict[str, Job] = {
    **BASES,
    "stacked lstm": make_job(
        [
            {"kind": "lstm", "units": 7, "output": "sequence"},
            {"kind": "dropout", "rate": 0.25},
            {"kind": "lstm", "units": 6},
            HEAD,
        ],
        STEPS,
        ADAM,
    ),
    # Where a framework's LSTM always has a bias, one that is held must be no part of the norm either.
    "lstm without a bias, clipped": make_job(
        [{"kind": "lstm", "units": 7, "bias": False}, HEAD], STEPS, SGD, clip_norm=0.1
    ),
    "flatten in its order": make_job(
        [
            {"kind": "conv2d", "filters": 3, "kernel_size": [2, 2]},
            {"kind": "flatten"},
            {"kind": "activation", "function": "tanh"},
            {"kind": "flatten"},
            {"kind": "activation", "function": "softmax"},
            {"kind": "dense", "units": 7},
            HEAD,
        ],
        IMAGE,
        SGD,
    ),
    "uneven same padding": make_job(
        [
            {"kind": "conv2d", "filters": 4, "kernel_size": [2, 3], "strides": [2, 3], "padding": "same"},
            {"kind": "maxpool2d", "pool_size": [3, 2], "strides": [3, 2], "padding": "same"},
            {"kind": "activation", "function": "softmax"},
            {"kind": "flatten"},
            HEAD,
        ],
        IMAGE,
        SGD,
    ),
    "image smaller than its kernel": make_job(
        [
            {"kind": "reshape", "shape": [2, 2, 36]},
            {"kind": "conv2d", "filters": 4, "kernel_size": [3, 3], "padding": "same"},
            {"kind": "flatten"},
            HEAD,
        ],
        IMAGE,
        SGD,
    ),
    "image rows as steps": make_job(
        [{"kind": "reshape", "shape": [9, 16]}, {"kind": "lstm", "units": 6}, {"kind": "batchnorm"}, HEAD], IMAGE, SGD
    ),
    "images of steps": make_job(
        [{"kind": "reshape", "shape": [6, 2, 2]}, {"kind": "averagepool2d"}, {"kind": "reshape", "shape": [6]}, HEAD],
        STEPS,
        SGD,
    ),
    "convolved tokens": make_job(
        [
            {"kind": "embedding", "vocabulary_size": 11, "units": 4},
            {"kind": "conv1d", "filters": 5, "kernel_size": 2, "padding": "same"},
            {"kind": "batchnorm"},
            {"kind": "activation", "function": "relu"},
            {"kind": "conv1d", "filters": 6, "kernel_size": 3, "strides": 2, "bias": False},
            {"kind": "globalmaxpool1d"},
            HEAD,
        ],
        TOKENS,
        ADAM,
    ),
    **{
        f"{name} with sgd": BASES[name].model_copy(
            update={"recipe": BASES[name].recipe.model_copy(update={"optimiser": BASES["mlp"].recipe.optimiser})}
        )
        for name in ("cnn", "lstm", "steps", "images")
    },
    **OPTIMISED,
    **{
        f"{loss['kind']} {over}": make_job(SMALL, FLAT, SGD, {**loss, "over_outputs": over})
        for loss in (BINARY, SQUARED)
        for over in ("mean", "sum")
    },
    "one output": make_job([*SMALL[:2], {"kind": "dense", "units": 1}], FLAT, ADAM, BINARY),
    "categorical, predicted in batches": make_job(SMALL, FLAT, ADAM, CATEGORICAL, evaluation_batch_size=5),
    "cnn with dropout in prediction": BASES["cnn"].model_copy(update={"dropout_in_prediction": True}),
}  # fmt: skip

SAMPLE = {
    ("mlp", "dense_1", "bias"), ("mlp", "activation_1", "function"), ("mlp", "activation_3", "function"),
    ("mlp", "optimiser sgd", "momentum"), ("mlp", "optimiser sgd", "nesterov"), ("mlp", "optimiser sgd", "velocity"),
    ("mlp", "optimiser sgd", "weight_decay"), ("mlp", "optimiser sgd", "weight_decay_on"),
    ("mlp", "recipe", "clip_norm"), ("mlp", "schedule step", "factor"),
    ("cnn", "dropout_1", "rate"), ("cnn", "dropout_2", "rate"), ("cnn", "conv2d_1", "strides"),
    ("cnn", "maxpool2d_1", "pool_size"), ("cnn", "optimiser adam", "beta_2"), ("cnn", "optimiser adam", "epsilon"),
    ("cnn", "optimiser adam", "epsilon_form"), ("cnn", "loss binary_cross_entropy", "over_outputs"),
    ("steps", "lstm_1", "stateful"), ("steps", "conv1d_1", "strides"), ("steps", "optimiser rmsprop", "epsilon_form"),
    ("images", "averagepool2d_1", "pool_size"), ("images", "batchnorm_1", "epsilon"),
    ("images", "batchnorm_2", "momentum"), ("images", "optimiser adadelta", "rho"),
    ("language", "loss categorical_cross_entropy", "over_steps"),
    ("lstm", "lstm_1", "gate_order"), ("lstm", "lstm_1", "bias"),
}  # fmt: skip
# Each case compiles for seconds there, so they run every layer kind with SGD, and every optimiser and schedule on one
# small model, and alter two bases only. Keras on Theano has a worker that another label holds to all, and so have
# versions: what runs at all in them is to be shown.
COMPILING = {"theano", "jax", "keras", "keras:jax", "tf:xla", "torch:compile"}
COMPILING |= {"keras:cntk", "keras:tf2.2"}
LAYERS_WITH_SGD = {"mlp", "cnn with sgd", "lstm with sgd", "steps with sgd", "images with sgd", "language"}
CHEAP = {"mlp", "lstm"}
DEFECTS = {  # published ones: the base that shows them, the pass and the tensor in which the gate sees them first
    "second_bias": ("lstm", "gradient", "lstm_1/bias"),
    "dropout_always": ("cnn", "dropout", "outputs"),
    "dropout_never": ("cnn", "dropout", "dropout_1/mask"),
    "own_weights": ("mlp", "gradient", "dense_1/kernel"),
    "normal_weights": ("mlp", "gradient", "dense_1/kernel"),
    "sigmoid_for_tanh": ("mlp", "gradient", "outputs"),
    "keeps_training": ("mlp", "recipe", "dense_1/kernel"),
    "rate_decay_for_weight_decay": ("mlp", "recipe", "loss of step 2"),
}
LABELS = sorted(set(spellings().values()) - {"numpy"})
PARTS = [8, 4, 6]  # rows: two batches, one, and one with a shorter one behind it
LANGUAGE = make_job(
    [
        {"kind": "embedding", "vocabulary_size": 11, "units": 4},
        {"kind": "lstm", "units": 6, "output": "sequence", "stateful": True},
        {"kind": "lstm", "units": 5, "output": "sequence", "stateful": True},
        {"kind": "dense", "units": 11},
    ],
    TOKENS,
    batch_size=4,
    evaluation_batch_size=4,
    dataset=Dataset(name="none", checksum="none", train_rows=8, test_rows=sum(PARTS)),
)


@functools.cache
def record(case: str) -> dict[str, np.ndarray]:
    return make_reference(CASES[case], make_weights(CASES[case]))


def run_cases(label: str, cases: list[dict[str, Any]], folder: Path, cache: Path) -> dict[str, Any]:
    """Run the cases in one process of the framework's environment; return {name: verdict, or what crashed}."""
    for item in cases:
        item["job"]["dataset"] |= {"train_rows": ROWS, "test_rows": ROWS}  # what the gate runs, so no more is compiled
        item["job"] |= of_framework(label)
    for name in {case["record"] for case in cases}:
        np.savez(folder / f"{name}.npz", **record(name))  # type: ignore[arg-type]
    (folder / "cases.json").write_text(json.dumps(cases))
    run_script(label, Path(__file__).with_name("in_environment.py"), folder, cache)
    verdicts: dict[str, Any] = json.loads((folder / "verdicts.json").read_text())
    return verdicts


def of_framework(label: str) -> dict[str, Any]:
    entry = find(label)
    return {"framework": {"name": entry.name, "version": entry.version, "mode": entry.mode}, "kind": "parity"}


def add_parts(label: str, folder: Path) -> None:
    """Have the process that runs the cases predict a language model's rows in parts too."""
    task = {"job": LANGUAGE.model_dump(mode="json") | of_framework(label), "rows": PARTS}
    (folder / "parts.json").write_text(json.dumps(task))
    x, y = make_batch(LANGUAGE, sum(PARTS))
    weights = {name.replace("/", "|"): value for name, value in make_weights(LANGUAGE).items()}
    np.savez(folder / "parts.npz", x=x, y=y, **weights)  # type: ignore[arg-type]


def check_parts(folder: Path) -> None:
    """Predicted in parts, the rows have the outputs of one prediction if the states are carried, and only then."""
    with np.load(folder / "predicted.npz") as archive:
        found = dict(archive)
    for number, part in enumerate(np.split(found["at_once"], np.cumsum(PARTS)[:-1])):
        np.testing.assert_allclose(found[f"carried/{number}"], part, rtol=1e-5, atol=1e-5)
        from_zero = np.allclose(found[f"anew/{number}"], part, rtol=1e-5, atol=1e-5)
        assert from_zero == (number == 0)


def case(name: str, base: str, job: Job, change: str | None = None) -> dict[str, Any]:
    return {"name": name, "record": base, "job": job.model_dump(mode="json"), "change": change}


@pytest.mark.parametrize("label", LABELS)
def test_the_gate_passes_on_every_case_and_closes_on_the_altered_ones(label: str, tmp_path: Path, cache: Path) -> None:
    """The right cases run with NumPy's arithmetic forbidden during training. Besides, the process predicts in parts:
    a container more for that would take minutes."""
    chosen, altered = set(CASES), set(BASES)
    if find(label).chosen_version:
        chosen, altered = {"language", "images with sgd", "adam"}, set()
    elif label == "keras:theano":
        chosen, altered = LAYERS_WITH_SGD | {"adam"}, set()
    elif label in COMPILING:
        chosen, altered = LAYERS_WITH_SGD | set(OPTIMISED), CHEAP
    right = [case(f"right: {name}", name, job, "without_numpy") for name, job in CASES.items() if name in chosen]
    wrong = [
        case(item.name, item.base, item.job)
        for item in alterations()
        if item.base in altered and (item.base, item.place, item.field) in SAMPLE
    ]
    wrong.append(case("defect: own_weights", "mlp", BASES["mlp"], "own_weights"))
    able, drops = capabilities(find(label).name), "cnn with dropout in prediction"
    if able.can_drop_in_prediction:
        wrong.append(case("prediction that does not drop", drops, BASES["cnn"]))
        wrong.append(case("prediction that drops", "cnn", CASES[drops]))
    add_parts(label, tmp_path)
    verdicts = run_cases(label, right + wrong, tmp_path, cache)
    crashed = {name: found["crashed"] for name, found in verdicts.items() if "crashed" in found}
    assert not crashed, "\n".join(f"{name}:\n{text}" for name, text in crashed.items())
    refused = {reason.split(": ")[0] for found in verdicts.values() for reason in found.get("refused", [])}
    cannot = {"dropout_in_prediction"} if drops in chosen and not able.can_drop_in_prediction else set()
    assert refused == set(able.unsupported) | cannot  # nothing else, and all of it was tried
    wrong = [item for item in wrong if "refused" not in verdicts[item["name"]]]
    found = {name: Verdict.model_validate(found) for name, found in verdicts.items() if "refused" not in found}
    failed = {
        name: verdict.reason for name, verdict in found.items() if name.startswith("right") and not verdict.passed
    }
    assert not failed
    open_gates = [name for name, verdict in found.items() if not name.startswith("right") and verdict.passed]
    assert not open_gates
    assert all(found[item["name"]].first_difference for item in wrong)
    check_parts(tmp_path)


class Forgetful(NumpyWorker):
    def reset_unless_carried(self) -> None:
        self.reset_states()


class Unforgetting(NumpyWorker):
    def reset_unless_carried(self) -> None:
        """Not even where each prediction is to start at zero."""


@pytest.mark.parametrize("defect", [Forgetful, Unforgetting])
def test_a_worker_that_carries_no_states_or_always_does_is_found(defect: type[NumpyWorker], tmp_path: Path) -> None:
    add_parts("numpy", tmp_path)
    predict_in_parts(NumpyWorker(), tmp_path)
    check_parts(tmp_path)
    predict_in_parts(defect(), tmp_path)
    with pytest.raises(AssertionError):
        check_parts(tmp_path)


@pytest.mark.parametrize("change", ["without_numpy", "own_numpy"])
def test_a_worker_that_leans_on_numpy_is_found(change: str, tmp_path: Path, cache: Path) -> None:
    """The NumPy worker itself: what the test above forbids does show, whatever the worker declares."""
    (found,) = run_cases("numpy", [case("lstm", "lstm", BASES["lstm"], change)], tmp_path, cache).values()
    assert "NumPy's arithmetic was used inside train_epoch" in found["crashed"]


def test_a_layer_in_numpy_is_found_in_a_framework_that_computes_with_numpy(tmp_path: Path, cache: Path) -> None:
    job = CASES["one output"]
    (found,) = run_cases("chainer", [case("layer", "one output", job, "numpy_in_a_layer")], tmp_path, cache).values()
    assert "NumPy's arithmetic was used inside train_epoch" in found["crashed"]


def test_published_defects_put_back_into_a_framework_are_caught(tmp_path: Path, cache: Path) -> None:
    cases = [case(defect, base, BASES[base], defect) for defect, (base, *_) in DEFECTS.items()]
    verdicts = run_cases("torch", cases, tmp_path, cache)
    found = {name: Verdict.model_validate(verdict).first_difference for name, verdict in verdicts.items()}
    first = {name: (where.pass_name, where.tensor) for name, where in found.items() if where}
    assert first == {name: tuple(where) for name, (_, *where) in DEFECTS.items()}


def test_the_cases_hold_every_layer_kind() -> None:
    kinds = {item.layer.kind for job in CASES.values() for item in job.model.layers}
    assert kinds == set(NumpyWorker.layers)
    with_sgd = [CASES[name] for name in LAYERS_WITH_SGD]
    assert {job.recipe.optimiser.kind for job in with_sgd} == {"sgd"}
    assert {item.layer.kind for job in with_sgd for item in job.model.layers} == kinds


@pytest.mark.parametrize("part", ["optimiser", "schedule"])
def test_the_small_model_has_every_optimiser_and_schedule(part: str) -> None:
    known = set(get_args(Recipe.model_fields[part].annotation))
    assert {type(getattr(job.recipe, part)) for job in OPTIMISED.values()} == known
