"""A workload: dataset, model and recipe, as suites state it; and as a study had it, framework by framework."""

from math import prod

from orchestrator.catalogue import spellings
from orchestrator.datasets import DATASETS
from orchestrator.explain import nearest
from orchestrator.shapes import ShapeError, resolve
from workers.compat import Count, Field, Flag, Index, Positive, Text
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
)


class Workload(Record):
    """A dataset, a model and a recipe.

    ``input_shape`` gives each row another shape with as many numbers; ``input_pad`` puts so many zeros around each
    image; ``input_scale`` multiplies raw values, in place of the dataset's own factor. ``read_at_epochs``: one
    training is read after each of these epochs, since its first epochs are a shorter training; empty: after the last.
    """

    name: Text
    dataset: Text
    input_shape: list[Count] | None = None
    input_pad: Index = 0
    input_scale: Positive | None = None
    layers: list[Layer]
    initialisers: dict[str, Initialiser] = {}
    recipe: Recipe
    train_rows: Count | None = None
    test_rows: Count | None = None
    read_at_epochs: list[Count] = []


class AsPublished(Record):
    """How a study had one framework: variant ``paper``. What is left out is as in the workload.

    ``stands_for``: the study's own name for it. ``differs``: in words, all that is not as in the matched variant;
    ``not_replayed``: what of the study's code cannot be had here. ``functions``: activation function -> the one in
    its place. ``trains_on``: a repeat's model is that of the repeat before it, trained on.
    """

    stands_for: Text
    differs: list[Text] = Field(min_length=1)
    not_replayed: list[Text] = []
    train_rows: Count | None = None
    input_pad: Index = 0
    input_scale: Positive | None = None
    functions: dict[Function, Function] = {}
    initialisers: dict[str, Initialiser] = {}
    optimiser: Optimiser | None = None
    schedule: Schedule | None = None
    evaluation_batch_size: Count | None = None
    trains_on: Flag = False


def as_published(workload: Workload, study: AsPublished) -> Workload:
    """Return the workload as a study had it in one framework."""
    layers = [
        layer.model_copy(update={"function": study.functions.get(layer.function, layer.function)})
        if layer.kind == "activation"
        else layer
        for layer in workload.layers
    ]
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
            # A repeat that trains on begins where another ended: its first epochs are no shorter training.
            "read_at_epochs": [] if study.trains_on else workload.read_at_epochs,
        }
    )


def workload_input(workload: Workload) -> Input:
    """Return the one input of a workload's model: the dataset's, padded, scaled and in the workload's own shape."""
    (source,) = DATASETS[workload.dataset].inputs
    changes = {
        "shape": list(workload.input_shape or padded_shape(workload)),
        "scale": workload.input_scale or source.scale,
        "pad": workload.input_pad,
    }
    return source.model_copy(update=changes)


def padded_shape(workload: Workload) -> list[int]:
    (source,) = DATASETS[workload.dataset].inputs
    if not workload.input_pad:
        return list(source.shape)
    height, width, channels = source.shape
    return [height + 2 * workload.input_pad, width + 2 * workload.input_pad, channels]


def resolved_layers(workload: Workload) -> list[ResolvedLayer]:
    """Return the workload's layers with names and shapes. Raises ShapeError."""
    return resolve(workload.layers, [workload_input(workload)])


# ---------------------------------------------------------------------------- what its fields alone do not show


def mistakes_in(workload: Workload) -> list[str]:
    """Return what is wrong with a workload whose fields are each valid."""
    if workload.dataset not in DATASETS:
        return [f"unknown dataset {workload.dataset!r}. {nearest(workload.dataset, DATASETS)}"]
    dataset = DATASETS[workload.dataset]
    (source,) = dataset.inputs
    if workload.input_pad and len(source.shape) != 3:
        return [f"input_pad is {workload.input_pad}, but a row of {dataset.name} is no image: {source.shape}."]
    shape, there = workload.input_shape, padded_shape(workload)
    if shape is not None and prod(shape) != prod(there):
        return [
            f"input_shape {shape} has {prod(shape)} numbers, but a row of {dataset.name} has {prod(there)} ({there})."
        ]
    mistakes = [
        f"{split}_rows is {asked}, but {dataset.name} has {rows}."
        for split, asked, rows in (
            ("train", workload.train_rows, dataset.train_rows),
            ("test", workload.test_rows, dataset.test_rows),
        )
        if asked is not None and asked > rows
    ]
    mistakes += [
        f"read_at_epochs has {epoch}, but the recipe trains for {workload.recipe.epochs}."
        for epoch in workload.read_at_epochs
        if epoch > workload.recipe.epochs
    ]
    try:
        layers = resolved_layers(workload)
    except ShapeError as error:
        return [*mistakes, str(error)]
    return mistakes + _head(workload, layers, dataset.outputs) + _initialisers(workload, layers)


def mistakes_in_study(label: str) -> list[str]:
    """Return what is wrong with the name of a framework that a study is said to have had."""
    known = spellings()
    return [] if known.get(label) == label else [f"unknown framework {label!r}. {nearest(label, set(known.values()))}"]


def _head(workload: Workload, layers: list[ResolvedLayer], outputs: int) -> list[str]:
    last, loss = layers[-1], workload.recipe.loss
    if loss.kind != "categorical_cross_entropy":  # every dataset so far has classes
        return [
            f"loss {loss.kind} takes numbers as targets, but {workload.dataset} has classes: categorical_cross_entropy."
        ]
    if last.output_shape != [outputs]:
        return [
            f"layer {len(layers)} ({last.name}) puts out {tuple(last.output_shape)}, "
            f"but {workload.dataset} needs ({outputs},)."
        ]
    function = getattr(last.layer, "function", None)
    if function in ("softmax", "sigmoid"):
        return [
            f"layer {len(layers)} ({last.name}) is a {function}, but {loss.kind} takes logits and "
            f"applies it itself; leave the layer out."
        ]
    return []


def _initialisers(workload: Workload, layers: list[ResolvedLayer]) -> list[str]:
    tensors = {f"{item.name}/{role}" for item in layers for role in item.parameters}
    allowed = tensors | {name.split("/")[1] for name in tensors}
    mistakes = [
        f"initialiser for {name!r}, which the model does not have. {nearest(name, allowed)}"
        for name in workload.initialisers
        if name not in allowed
    ]
    return mistakes + [
        f"initialiser for {name!r}: value is {item.value:g}, but {item.kind} needs one of at least 0."
        for name, item in workload.initialisers.items()
        if item.kind != "constant" and item.value is not None and item.value < 0
    ]
