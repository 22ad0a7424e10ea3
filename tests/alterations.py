"""Every field of every layer kind, optimiser, loss and schedule, altered: found by walking the spec's schema. And what
a job itself says of the computation.

The worker gets the altered job while the reference keeps the original, and the parity gate must fail.
"""

import contextlib
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from orchestrator.shapes import ShapeError, parameter_count, resolve
from tests.jobs import CATEGORICAL, FLAT, IMAGE, STEPS, TOKENS, make_job
from workers import spec
from workers.spec import Job, Recipe

BINARY = {"kind": "binary_cross_entropy"}
SQUARED = {"kind": "mean_squared_error"}
SGD = {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.01}
ADAM = {"kind": "adam", "learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-7, "weight_decay": 0.01}
STEP_DECAY = {"kind": "step", "every_steps": 1, "factor": 0.5}
ADADELTA = {"kind": "adadelta", "learning_rate": 0.9, "rho": 0.8, "epsilon": 1e-4, "weight_decay": 0.01}
RMSPROP = {"kind": "rmsprop", "learning_rate": 0.01, "rho": 0.8, "epsilon": 1e-4, "weight_decay": 0.01}
INVERSE_DECAY = {"kind": "inv", "gamma": 0.5, "power": 0.75}
EPOCH_DECAY = {"kind": "epoch", "after_epochs": 1, "factor": 0.5}  # a step of the gate is an epoch to it
HEAD = {"kind": "dense", "units": 5}

BASES: dict[str, Job] = {
    "mlp": make_job(
        [
            {"kind": "flatten"},
            {"kind": "dense", "units": 14},
            *(
                part
                for function in ("tanh", "relu", "sigmoid", "elu", "softmax", "linear")
                for part in ({"kind": "activation", "function": function}, {"kind": "dense", "units": 12})
            ),
            HEAD,
        ],
        IMAGE,
        SGD,
        CATEGORICAL,
        schedule=STEP_DECAY,
        clip_norm=0.2,
    ),
    "cnn": make_job(
        [
            {"kind": "conv2d", "filters": 6, "kernel_size": [3, 2], "strides": [1, 2], "padding": "same"},
            {"kind": "activation", "function": "tanh"},
            {"kind": "maxpool2d", "pool_size": [2, 2], "strides": [2, 1], "padding": "same"},
            {"kind": "dropout", "rate": 0.25},
            {"kind": "conv2d", "filters": 4, "kernel_size": [2, 2]},
            {"kind": "maxpool2d"},
            {"kind": "flatten"},
            {"kind": "dropout", "rate": 0.5},
            HEAD,
        ],
        IMAGE,
        ADAM,
        BINARY,
    ),
    "lstm": make_job(
        [
            {"kind": "lstm", "units": 7, "output": "sequence"},
            {"kind": "lstm", "units": 6, "output": "sequence", "gate_order": "ifog"},
            {"kind": "flatten"},
            HEAD,
        ],
        STEPS,
        ADAM | {"epsilon_form": "uncorrected"},
        SQUARED,
    ),
    "tokens": make_job(
        [
            {"kind": "embedding", "vocabulary_size": 11, "units": 4},
            {"kind": "lstm", "units": 6, "bias": False},
            {"kind": "flatten"},  # no change of shape, but it could take a sequence
            HEAD,
        ],
        TOKENS,
        SGD | {"velocity": "gradient", "weight_decay_on": "all"},
        SQUARED | {"over_outputs": "sum"},
    ),
    "steps": make_job(
        [
            {"kind": "conv1d", "filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"},
            {"kind": "activation", "function": "elu"},
            {"kind": "lstm", "units": 6, "output": "sequence", "stateful": True},
            {"kind": "dense", "units": 7},
            {"kind": "globalmaxpool1d"},
            HEAD,
        ],
        STEPS,
        RMSPROP,
        SQUARED,
        schedule=INVERSE_DECAY,
    ),
    "images": make_job(
        [
            {"kind": "reshape", "shape": [12, 4, 3]},
            {"kind": "batchnorm", "momentum": 0.8, "epsilon": 0.05},
            {"kind": "conv2d", "filters": 4, "kernel_size": [2, 2]},
            {"kind": "averagepool2d", "pool_size": [3, 2], "strides": [2, 1], "padding": "same"},
            {"kind": "batchnorm", "momentum": 0.9, "epsilon": 0.01},
            {"kind": "flatten"},
            HEAD,
        ],
        IMAGE,
        ADADELTA,
        CATEGORICAL,
        schedule=EPOCH_DECAY,
    ),
    "language": make_job(
        [
            {"kind": "embedding", "vocabulary_size": 11, "units": 4},
            {"kind": "lstm", "units": 6, "output": "sequence", "stateful": True},
            {"kind": "dense", "units": 11},
        ],
        TOKENS,
        SGD,
        CATEGORICAL | {"over_steps": "sum"},
        clip_norm=0.5,
    ),
    "flat": make_job(
        [{"kind": "dense", "units": 8, "bias": False}, HEAD], FLAT, ADAM, BINARY | {"over_outputs": "sum"}
    ),
}
"""Between them they hold every layer kind, optimiser, loss and schedule, with every field in effect."""

EXCEPTIONS = {
    ("layer", "kind"): "names the class; a layer of another kind has other fields, each altered on its own",
    ("recipe", "batch_size"): "the gate sets its own; batches are cut by the harness from the same job",
    ("recipe", "epochs"): "counted by the harness, never by a worker",
    ("recipe", "evaluation_batch_size"): "prediction is row by row; how many at once changes no result",
    ("constant", "kind"): "has no further fields; the other schedules are altered field by field",
}


OF_A_JOB = {"dropout_in_prediction": "cnn"}
"""Fields of a job beside its model and recipe that say what is computed, each with a base in which it has effect."""


class Alteration(NamedTuple):
    """``job`` is the base with one field of a record of ``model`` altered."""

    base: str
    model: type[BaseModel]
    place: str
    field: str
    job: Job

    @property
    def name(self) -> str:
        return f"{self.base}: {self.place}.{self.field}"


def altered_value(annotation: Any, value: Any) -> Any:
    """Return the next allowed value, or the value times 1.1 (times 0.9 where that is not allowed)."""
    if typing.get_origin(annotation) is typing.Literal:
        allowed = typing.get_args(annotation)
        return allowed[(allowed.index(value) + 1) % len(allowed)]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return value[::-1]
    if isinstance(value, tuple):
        return (value[0] + 1, *value[1:])
    if isinstance(value, float):
        return value * 1.1 if value else 0.1
    raise AssertionError(f"no alteration for {value!r}")


def alterations() -> Iterator[Alteration]:
    """Yield every field of every part of every base, altered."""
    for base, job in BASES.items():
        for place, item in enumerate(job.model.layers):
            for field, layer in _altered(item.layer, "layer"):
                layers = [other.layer for other in job.model.layers]
                layers[place] = layer
                with contextlib.suppress(ShapeError):  # refused by the plan; another base holds it
                    altered = with_layers(job, layers)
                    if _outputs(altered) == _outputs(job):  # else no target fits, and the plan refuses that too
                        yield Alteration(base, type(layer), item.name, field, altered)
        recipe = job.recipe
        for field, changed_recipe in _altered(recipe, "recipe"):
            yield Alteration(base, Recipe, "recipe", field, job.model_copy(update={"recipe": changed_recipe}))
        for part in ("optimiser", "loss", "schedule"):
            for field, changed_part in _altered(getattr(recipe, part), part):
                if field == "over_steps" and _outputs(job) == 1:
                    continue  # of one step it is the same
                own = getattr(recipe, part)
                changed = job.model_copy(update={"recipe": recipe.model_copy(update={part: changed_part})})
                yield Alteration(base, type(own), f"{part} {own.kind}", field, changed)
    for field, base in OF_A_JOB.items():
        value = altered_value(Job.model_fields[field].annotation, getattr(BASES[base], field))
        yield Alteration(base, Job, "job", field, BASES[base].model_copy(update={field: value}))


def _outputs(job: Job) -> int:
    """Return how many axes an output has: one, or one more for its steps."""
    return len(job.model.layers[-1].output_shape)


def with_layers(job: Job, layers: list[Any]) -> Job:
    resolved = resolve(layers, job.inputs)
    model = job.model.model_copy(update={"layers": resolved, "parameter_count": parameter_count(resolved)})
    return job.model_copy(update={"model": model})


OTHER_KIND = {
    "sgd": spec.Adam(kind="adam", learning_rate=0.05),
    "adam": spec.SGD(kind="sgd", learning_rate=0.01),
    "adadelta": spec.RMSprop(kind="rmsprop", learning_rate=0.01),
    "rmsprop": spec.AdaDelta(kind="adadelta"),
    "categorical_cross_entropy": spec.BinaryCrossEntropy(kind="binary_cross_entropy"),
    "binary_cross_entropy": spec.MeanSquaredError(kind="mean_squared_error"),
    "mean_squared_error": spec.BinaryCrossEntropy(kind="binary_cross_entropy"),
    "step": spec.Constant(kind="constant"),
    "inv": spec.Constant(kind="constant"),
    "epoch": spec.Constant(kind="constant"),
}


def _altered(record: Any, part: str) -> Iterator[tuple[str, Any]]:
    for field, info in type(record).model_fields.items():
        value = getattr(record, field)
        kind = getattr(record, "kind", part)
        if (part, field) in EXCEPTIONS or (kind, field) in EXCEPTIONS or isinstance(value, BaseModel) or value is None:
            continue
        if field == "kind":
            yield field, OTHER_KIND[value]
        else:
            data = record.model_dump() | {field: altered_value(info.annotation, value)}
            yield field, type(record).model_validate(data)


def all_fields() -> set[tuple[type[BaseModel], str]]:
    """Return every field that an alteration is owed for."""
    owed: set[tuple[type[BaseModel], str]] = {(Job, field) for field in OF_A_JOB}
    for union, part in ((spec.Layer, "layer"), (spec.Optimiser, ""), (spec.Loss, ""), (spec.Schedule, "")):
        for model in typing.get_args(typing.get_args(union)[0]):
            (kind,) = typing.get_args(model.model_fields["kind"].annotation)
            owed |= {(model, f) for f in model.model_fields if not {(part, f), (kind, f)} & set(EXCEPTIONS)}
    return owed
