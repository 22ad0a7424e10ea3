"""The contract between the two sides: strict records that survive JSON unchanged, and hashes that tell arrays apart."""

import json
import math
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.alterations import BASES
from workers import spec
from workers.numpy_worker import NumpyWorker
from workers.spec import Framework, Job, Record, Result, ValidationError, arrays_sha256, canonical_json, pretty_json

ERROR = {"pass_name": "gradient", "tensor": "dense_1/kernel", "error": 0.5, "bound": 0.25}
VERDICT = {
    "passed": False,
    "reason": "dense_1/kernel is off by 0.5",
    "first_difference": ERROR,
    "worst": [ERROR],
    "ill_conditioned": ["dense_1/bias"],
    "ill_conditioned_in": {"gradient": ["dense_1/bias"]},
    "declared_differences": ["maxpool2d: ties share the gradient"],
}
EPOCH = {
    "stage_seconds": 0.1,
    "train_seconds": 1.5,
    "evaluate_seconds": 0.2,
    "train_loss": 2.3,
    "test_loss": 2.2,
    "accuracy": 0.5,
    "perplexity": 9.0,
    "squared_error": 0.3,
    "absolute_error": 0.4,
    "validate_seconds": 0.1,
    "validation_loss": 2.1,
    "validation_accuracy": 0.6,
}
RESOURCES = {
    "phase": "train",
    "seconds": 2.0,
    "samples": 20,
    "cpu_percent": 98.5,
    "mean_rss_bytes": 900.0,
    "peak_rss_bytes": 1000.0,
    "memory_percent": 12.5,
    "voluntary_switches": 3,
    "involuntary_switches": 4,
    "throttled_seconds": 0.25,
    "energy_joules": 30.0,
    "gpu_percent": 40.0,
    "gpu_memory_bytes": 2000.0,
    "gpu_watts": 70.0,
    "gpu_celsius": 55.0,
    "gpu_clock_mhz": 1400.0,
}
RESULT = Result.model_validate(
    {
        "job_id": "mlp-torch-cpu-t1-r0-0123456789ab",
        "status": "ok",
        "reason": "none",
        "log_tail": "last line",
        "environment": {
            "engine": "local",
            "recipe_hash": "ab12",
            "image_id": "sha256:cd34",
            "python": "3.11.7",
            "versions": {"torch": "2.0"},
            "cpu_model": "A CPU",
            "cpu_count": 2,
            "gpu_model": "A GPU",
            "gpu_driver": "1.0",
            "compile_cache": "warm",
            "threads_seen": 1,
            "other_cpus_busy": 0.25,
        },
        "phases": {
            "import_seconds": 1.0,
            "open_device_seconds": 0.1,
            "data_seconds": 0.2,
            "warm_up_seconds": 0.3,
            "build_seconds": 0.3,
            "first_step_seconds": 0.4,
        },
        "staging": "resident",
        "epochs": [EPOCH, {**EPOCH, "train_seconds": 1.25}],
        "predict_seconds": [0.1, 0.2],
        "latency_seconds": [0.01],
        "peak_rss_bytes": 1000,
        "composed": ["lstm: of matrix products"],
        "parity": VERDICT,
        "reference_sha256": "ef56",
        "code_lines": {"build": 3, "train": 5, "both": 8},
        "epochs_to_target": 2,
        "constant_errors": {"squared_error": 0.5},
        "resources": [RESOURCES],
    }
)
FRAMEWORK = Framework(name="torch", version="2.0", mode="compile")


VIEWS = [
    {"kind": "reviews", "vocabulary_size": 50, "length": 6},
    {"kind": "streams", "steps": 6},
    {"kind": "windows", "steps": 6, "every": 2},
]


def whole(place: int, job: Job) -> Job:
    """Return the job with every field filled."""
    data = job.model_dump(mode="json")
    initialisers = {"kernel": {"kind": "normal", "value": 0.5}}
    return Job.model_validate(
        {
            **data,
            "inputs": [{**item, "view": VIEWS[place % len(VIEWS)]} for item in data["inputs"]],
            "target": {"metric": "accuracy", "value": 0.5},
            "framework": FRAMEWORK.model_dump(),
            "model": {**data["model"], "initialisers": initialisers},
            "recipe": {**data["recipe"], "clip_norm": 1.5},
            "read_at_epochs": [1, 2],
            "differs": ["55,000 rows"],
            "limits": {**data["limits"], "cpu_set": [0, 1]},
            "reference_sha256": "ef56",
            "parity": VERDICT,
        }
    )


JOBS = {name: whole(place, job) for place, (name, job) in enumerate(BASES.items())}


def records(value: Any) -> Iterator[Record]:
    """Yield every record inside a record."""
    if isinstance(value, Record):
        yield value
        for name in type(value).model_fields:
            yield from records(getattr(value, name))
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from records(item)


def fullest(examples: list[Record]) -> Record:
    return max(examples, key=lambda record: len(canonical_json(record)))


FOUND = [record for document in (RESULT, *JOBS.values()) for record in records(document)]
EXAMPLES = {model: fullest([item for item in FOUND if type(item) is model]) for model in {type(r) for r in FOUND}}
MODELS = sorted(EXAMPLES, key=lambda model: model.__name__)


def each_record(test: Any) -> Any:
    return pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)(test)


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield (place, value) of everything in JSON data that is no list and no object."""
    if isinstance(value, list | dict):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*place, key))
    else:
        yield place, value


def replaced(data: Any, place: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(data))
    here = copy
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    return copy


def refuses(model: type[Record], data: Any) -> bool:
    try:
        model.model_validate(data)
    except ValidationError:
        return True
    return False


# ---------------------------------------------------------------------------- strictness


def test_every_record_of_the_spec_has_an_example_here() -> None:
    classes = {m for m in vars(spec).values() if isinstance(m, type) and issubclass(m, Record) and m is not Record}
    assert set(EXAMPLES) == classes


@each_record
def test_the_examples_leave_no_field_empty(model: type[Record]) -> None:
    """Else the walks below would not meet every field."""
    sometimes_empty = {("ResolvedLayer", "parameters")}
    empty = {name for name in model.model_fields if getattr(EXAMPLES[model], name) in (None, [], {})}
    assert {(model.__name__, name) for name in empty} <= sometimes_empty


@each_record
def test_an_unknown_field_is_refused(model: type[Record]) -> None:
    data = EXAMPLES[model].model_dump(mode="json")
    assert model.model_validate(data) == EXAMPLES[model]
    with pytest.raises(ValidationError) as caught:
        model.model_validate({**data, "surprise": 1})
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [("extra_forbidden", ("surprise",))]


@each_record
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, True, "1", None], ids=repr)
def test_nothing_but_a_finite_number_is_a_number(model: type[Record], bad: Any) -> None:
    data = EXAMPLES[model].model_dump(mode="json")
    places = [place for place, value in leaves(data) if type(value) in (int, float) and place != ("schema_version",)]
    taken = {place for place in places if not refuses(model, replaced(data, place, bad))}
    assert taken == {place for place in places if bad is None and nullable(model, place)}


def nullable(model: type[Record], place: tuple[Any, ...]) -> bool:
    """Return whether the field at a place may be null, following the example down."""
    here: Any = EXAMPLES[model]
    for key in place[:-1]:
        here = getattr(here, key) if isinstance(here, Record) else here[key]
    return isinstance(here, Record) and allows_none(type(here).model_fields[place[-1]].annotation)


@each_record
@pytest.mark.parametrize("bad", [0, 1, "true", None], ids=repr)
def test_nothing_but_true_and_false_is_a_flag(model: type[Record], bad: Any) -> None:
    data = EXAMPLES[model].model_dump(mode="json")
    places = [place for place, value in leaves(data) if isinstance(value, bool)]
    assert [place for place in places if not refuses(model, replaced(data, place, bad))] == []


def test_a_text_is_never_empty() -> None:
    assert refuses(Framework, {"name": "", "version": "1"})
    assert refuses(Framework, {"name": 3, "version": "1"})


def allows_none(annotation: Any) -> bool:
    return type(None) in typing.get_args(annotation)


@each_record
def test_every_optional_field_is_null_by_default(model: type[Record]) -> None:
    optional = {name: info for name, info in model.model_fields.items() if allows_none(info.annotation)}
    assert {name: info.get_default() for name, info in optional.items()} == dict.fromkeys(optional)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (spec.Dense, {"kind": "dense", "units": 0}),
        (spec.Dropout, {"kind": "dropout", "rate": 1.0}),
        (spec.Dropout, {"kind": "dropout", "rate": -0.1}),
        (spec.SGD, {"kind": "sgd", "learning_rate": 0.0}),
        (spec.SGD, {"kind": "sgd", "learning_rate": 1e30}),
        (spec.Adam, {"kind": "adam", "learning_rate": 0.1, "weight_decay": -0.1}),
        (spec.Conv2D, {"kind": "conv2d", "filters": 1, "kernel_size": [3]}),
        (spec.Conv2D, {"kind": "conv2d", "filters": 1, "kernel_size": [3, 3, 3]}),
    ],
)
def test_numbers_have_bounds(model: type[Record], data: dict[str, Any]) -> None:
    assert refuses(model, data)


def test_a_whole_number_may_stand_for_a_real_one() -> None:
    assert spec.SGD.model_validate({"kind": "sgd", "learning_rate": 1}).learning_rate == 1.0


def test_an_unknown_kind_is_refused() -> None:
    data = BASES["mlp"].model_dump(mode="json")
    assert refuses(Job, replaced(data, ("model", "layers", 0, "layer", "kind"), "dnse"))
    assert refuses(Job, replaced(data, ("recipe", "optimiser", "kind"), "sdg"))


# ---------------------------------------------------------------------------- as JSON


@pytest.mark.parametrize("document", [RESULT, *JOBS.values()], ids=["result", *JOBS])
@pytest.mark.parametrize("to_text", [canonical_json, pretty_json])
def test_a_document_survives_json(document: Record, to_text: Any) -> None:
    again = type(document).model_validate(json.loads(to_text(document)))
    assert again == document
    assert to_text(again) == to_text(document)


def test_canonical_json_is_one_fixed_text() -> None:
    assert canonical_json({"b": [1, 2.5], "a": None}) == '{"a":null,"b":[1,2.5]}'
    assert canonical_json(Framework(version="1", name="tf")) == (
        '{"mode":null,"name":"tf","version":"1","version_chosen":false}'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_canonical_json_refuses_what_json_does_not_have(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": value})


def test_the_numpy_worker_has_every_layer_kind() -> None:
    layers = typing.get_args(typing.get_args(spec.Layer)[0])
    kinds = {typing.get_args(model.model_fields["kind"].annotation)[0] for model in layers}
    assert kinds == set(NumpyWorker.layers)


def test_a_framework_is_labelled_with_its_mode() -> None:
    assert FRAMEWORK.label == "torch:compile"
    assert Framework(name="torch", version="2.0").label == "torch"


def test_training_time_is_the_sum_over_the_epochs() -> None:
    assert RESULT.train_seconds == 2.75


# ---------------------------------------------------------------------------- the hash of arrays

X = np.arange(6, dtype=np.int32).reshape(2, 3)
Y = np.ones(6, dtype=np.int32)


@pytest.mark.parametrize(
    ("what", "arrays"),
    [
        ("name", {"b": X}),
        ("type of the same bytes", {"a": X.view(np.float32)}),
        ("type of the same values", {"a": X.astype(np.int64)}),
        ("byte order", {"a": X.astype(">i4")}),
        ("shape", {"a": X.reshape(3, 2)}),
        ("one value", {"a": X + (X == 5)}),
        ("order of the values", {"a": X[::-1]}),
        ("one more array", {"a": X, "b": Y}),
        ("nothing", {}),
    ],
)
def test_the_hash_of_arrays_differs_with_their(what: str, arrays: dict[str, np.ndarray]) -> None:
    assert arrays_sha256(arrays) != arrays_sha256({"a": X})


def test_the_hash_tells_which_array_has_which_name() -> None:
    assert arrays_sha256({"a": X, "b": X + 1}) != arrays_sha256({"a": X + 1, "b": X})


def test_the_hash_ignores_the_order_of_names_and_the_layout_in_memory() -> None:
    assert arrays_sha256({"a": X, "b": Y}) == arrays_sha256({"b": Y, "a": np.asfortranarray(X)})
