"""A workload: dataset, model and recipe, as suites state it; and as a study had it, framework by framework."""

from typing import Any

from orchestrator.datasets import DatasetInfo, describe
from orchestrator.shapes import resolve
from workers.compat import Count, Field, Flag, Fraction, Index, Literal, Positive, Real, Text
from workers.spec import (
    Function,
    Initialiser,
    Input,
    Layer,
    Optimiser,
    Recipe,
    Record,
    ResolvedLayer,
    Schedule,
    Target,
    View,
)
from workers.views import rows_in


class Workload(Record):
    """A dataset, a model and a recipe.

    ``input_shape`` gives each row another shape with as many numbers; ``input_pad`` puts so many zeros around each
    image; ``input_scale`` multiplies raw values, in place of the dataset's own factor, ``input_offset`` is then added.
    ``view``: how rows are made of a dataset of words. ``read_at_epochs``: one training is read after each of these
    epochs, since its first epochs are a shorter training; empty: after the last. ``target``: it is trained until the
    test rows reach that, at most for its epochs. ``validation_split``: the last share of the training rows is scored
    after each epoch and not trained on. ``source``: the table, figure or section of the suite's study; ``ours``: in
    words, what that study does not give.
    """

    name: Text
    source: Text | None = None
    ours: list[Text] = []
    dataset: Text
    view: View | None = None
    input_shape: list[Count] | None = None
    input_pad: Index = 0
    input_scale: Positive | None = None
    input_offset: Real | None = None
    layers: list[Layer]
    initialisers: dict[str, Initialiser] = {}
    recipe: Recipe
    train_rows: Count | None = None
    test_rows: Count | None = None
    validation_split: Fraction = 0.0
    read_at_epochs: list[Count] = []
    target: Target | None = None


class Changes(Record):
    """What a study had otherwise in one framework. What is left out is as in the workload.

    ``differs``: in words, all that is not as in the matched variant; ``not_replayed``: what of the study's code cannot
    be had here. ``functions``: activation function -> the one in its place. ``trains_on``: a repeat's model is that of
    the repeat before it, trained on. ``dropout``: where the study's code had it wrong, how.
    """

    differs: list[Text] = []
    not_replayed: list[Text] = []
    train_rows: Count | None = None
    input_pad: Index = 0
    input_scale: Positive | None = None
    input_offset: Real | None = None
    functions: dict[Function, Function] = {}
    initialisers: dict[str, Initialiser] = {}
    optimiser: Optimiser | None = None
    schedule: Schedule | None = None
    evaluation_batch_size: Count | None = None
    trains_on: Flag = False
    dropout: Literal["off_in_training", "on_in_prediction"] | None = None


class ChangesOn(Changes):
    """What a study had otherwise on some workloads alone."""

    workloads: list[Text] = Field(min_length=1)


class AsPublished(Changes):
    """How a study had one framework: variant ``paper``.

    ``stands_for``: the study's own name for it. ``only``: what holds on some workloads alone, besides the rest.
    """

    stands_for: Text
    only: list[ChangesOn] = []


def study_on(study: AsPublished, workload: str) -> AsPublished:
    """Return how a study had one framework on one workload: words and initialisers add up, a later value wins."""
    for part in study.only:
        if workload in part.workloads:
            fields = part.model_fields_set - {"workloads"}
            study = study.model_copy(
                update={name: _added(getattr(study, name), getattr(part, name)) for name in fields}
            )
    return study.model_copy(update={"only": []})


def _added(old: Any, new: Any) -> Any:
    if isinstance(new, list):
        return [*old, *new]
    return {**old, **new} if isinstance(new, dict) else new


def as_published(workload: Workload, study: AsPublished) -> Workload:
    """Return the workload as a study had it in one framework."""
    study = study_on(study, workload.name)
    layers = [_layer_as_published(layer, study) for layer in workload.layers]
    fields = ("optimiser", "schedule", "evaluation_batch_size")
    recipe = {name: getattr(study, name) for name in fields if getattr(study, name) is not None}
    return workload.model_copy(
        update={
            "layers": layers,
            "recipe": workload.recipe.model_copy(update=recipe),
            "initialisers": {**workload.initialisers, **study.initialisers},
            "train_rows": study.train_rows or workload.train_rows,
            "input_pad": study.input_pad or workload.input_pad,
            "input_scale": study.input_scale or workload.input_scale,
            "input_offset": workload.input_offset if study.input_offset is None else study.input_offset,
            # A repeat that trains on begins where another ended: its first epochs are no shorter training.
            "read_at_epochs": [] if study.trains_on else workload.read_at_epochs,
        }
    )


def _layer_as_published(layer: Layer, study: AsPublished) -> Layer:
    if layer.kind == "activation":
        return layer.model_copy(update={"function": study.functions.get(layer.function, layer.function)})
    if layer.kind == "dropout" and study.dropout == "off_in_training":
        return layer.model_copy(update={"rate": 0.0})
    return layer


def dataset_of(workload: Workload) -> DatasetInfo:
    """Return a workload's dataset; ``mistakes_in`` has checked the name."""
    return describe(workload.dataset)


def workload_input(workload: Workload) -> Input:
    """Return the one input of a workload's model: the dataset's, padded, scaled and in the workload's own shape."""
    (source,) = dataset_of(workload).inputs
    changes = {
        "shape": list(workload.input_shape or natural_shape(workload)),
        "scale": workload.input_scale or source.scale,
        "offset": source.offset if workload.input_offset is None else workload.input_offset,
        "pad": workload.input_pad,
        "view": workload.view,
    }
    return source.model_copy(update=changes)


def natural_shape(workload: Workload) -> list[int]:
    """Return the shape of a row as the dataset, the view and the padding have it."""
    (source,) = dataset_of(workload).inputs
    if workload.view is not None:
        return [workload.view.length if workload.view.kind == "reviews" else workload.view.steps]
    if not workload.input_pad:
        return list(source.shape)
    height, width, channels = source.shape
    return [height + 2 * workload.input_pad, width + 2 * workload.input_pad, channels]


def rows_there(workload: Workload) -> tuple[int, int]:
    """Return how many training and test rows there are: of a text, those that the view makes of it."""
    dataset, view, recipe = dataset_of(workload), workload.view, workload.recipe
    if view is None or view.kind == "reviews":
        return dataset.train_rows, dataset.test_rows
    return (
        rows_in(view, dataset.train_rows, recipe.batch_size),
        rows_in(view, dataset.test_rows, recipe.evaluation_batch_size),
    )


def resolved_layers(workload: Workload) -> list[ResolvedLayer]:
    """Return the workload's layers with names and shapes. Raises ShapeError."""
    return resolve(workload.layers, [workload_input(workload)])
