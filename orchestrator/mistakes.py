"""What is wrong with a workload whose fields are each valid."""

from collections.abc import Collection
from math import prod

from orchestrator.catalogue import spellings
from orchestrator.datasets import names
from orchestrator.explain import nearest
from orchestrator.shapes import ShapeError
from orchestrator.workload import AsPublished, Workload, dataset_of, natural_shape, resolved_layers, rows_there
from workers.spec import ResolvedLayer

LOSSES = {
    "classes": ("categorical_cross_entropy", "binary_cross_entropy"),
    "words": ("categorical_cross_entropy",),
    "numbers": ("mean_squared_error",),
}
METRICS = {
    "classes": ("accuracy",),
    "words": ("accuracy", "perplexity"),
    "numbers": ("squared_error", "absolute_error"),
}


def mistakes_in(workload: Workload) -> list[str]:
    """Return what is wrong with a workload, each in a sentence."""
    if workload.dataset not in names():
        return [f"unknown dataset {workload.dataset!r}. {nearest(workload.dataset, names())}"]
    mistakes = _view(workload)
    if mistakes:
        return mistakes
    mistakes = _shape(workload)
    if mistakes:
        return mistakes
    mistakes = _rows(workload) + _epochs(workload) + _target(workload)
    try:
        layers = resolved_layers(workload)
    except ShapeError as error:
        return [*mistakes, str(error)]
    return (
        mistakes + _states(workload) + _vocabulary(workload) + _head(workload, layers) + _initialisers(workload, layers)
    )


def mistakes_in_study(label: str, study: AsPublished, workloads: Collection[str]) -> list[str]:
    """Return what is wrong with how a study is said to have had a framework, in a suite of these workloads."""
    known = spellings()
    mistakes = (
        [] if known.get(label) == label else [f"unknown framework {label!r}. {nearest(label, set(known.values()))}"]
    )
    if not any(part.differs for part in (study, *study.only)):
        mistakes.append(f"{label}: nothing differs. Say in differs, in words, what is not as in the matched variant.")
    return mistakes + [
        f"{label}.only: unknown workload {name!r}. {nearest(name, workloads)}"
        for part in study.only
        for name in part.workloads
        if name not in workloads
    ]


def _view(workload: Workload) -> list[str]:
    dataset, view = dataset_of(workload), workload.view
    if view is None and dataset.views:
        return [f"it has no view, which makes the rows of {dataset.name}; allowed: {' or '.join(dataset.views)}."]
    if view is not None and view.kind not in dataset.views:
        allowed = f"it takes {' or '.join(dataset.views)}" if dataset.views else "it has rows of its own; leave it out"
        return [f"a view of kind {view.kind} does not fit {dataset.name}: {allowed}."]
    return []


def _shape(workload: Workload) -> list[str]:
    dataset = dataset_of(workload)
    (source,) = dataset.inputs
    if workload.input_pad and len(source.shape) != 3:
        return [f"input_pad is {workload.input_pad}, but a row of {dataset.name} is no image: {source.shape}."]
    shape, there = workload.input_shape, natural_shape(workload)
    if shape is not None and prod(shape) != prod(there):
        return [
            f"input_shape {shape} has {prod(shape)} numbers, but a row of {dataset.name} has {prod(there)} ({there})."
        ]
    return []


def _rows(workload: Workload) -> list[str]:
    train, test = rows_there(workload)
    if not train or not test:
        return [f"its view makes no row of {workload.dataset}: it has too few words for batches of that size."]
    return [
        f"{split}_rows is {asked}, but {workload.dataset} has {rows}."
        for split, asked, rows in (("train", workload.train_rows, train), ("test", workload.test_rows, test))
        if asked is not None and asked > rows
    ]


def _epochs(workload: Workload) -> list[str]:
    return [
        f"read_at_epochs has {epoch}, but the recipe trains for {workload.recipe.epochs}."
        for epoch in workload.read_at_epochs
        if epoch > workload.recipe.epochs
    ]


def _target(workload: Workload) -> list[str]:
    if workload.target is None:
        return []
    allowed = METRICS[dataset_of(workload).targets]
    mistakes = []
    if workload.target.metric not in allowed:
        mistakes.append(
            f"target.metric is {workload.target.metric}, but {workload.dataset} is measured by {' or '.join(allowed)}."
        )
    if workload.read_at_epochs:
        mistakes.append("it has a target and read_at_epochs; training towards a target is read where it is reached.")
    return mistakes


def _states(workload: Workload) -> list[str]:
    """A layer that keeps its state needs the rows of a batch to go on from those of the batch before, all of them."""
    keeps = any(getattr(layer, "stateful", False) for layer in workload.layers)
    if not keeps or workload.view is None or workload.view.kind != "streams":
        return []
    rows = {
        "train_rows": (workload.train_rows, workload.recipe.batch_size),
        "test_rows": (workload.test_rows, workload.recipe.evaluation_batch_size),
    }
    mistakes = [
        f"{name} is {asked}, but streams fill whole batches: a multiple of {size}."
        for name, (asked, size) in rows.items()
        if asked is not None and asked % size
    ]
    if workload.validation_split:
        mistakes.append("validation_split cuts the streams of a model that keeps its state; leave it out.")
    return mistakes


def _vocabulary(workload: Workload) -> list[str]:
    dataset, first = dataset_of(workload), workload.layers[0]
    if workload.view is None or first.kind != "embedding":
        return []
    needed = workload.view.vocabulary_size if workload.view.kind == "reviews" else dataset.outputs
    if first.vocabulary_size >= needed:
        return []
    return [f"layer 1 (embedding_1) has {first.vocabulary_size} words, but its rows hold tokens below {needed}."]


def _head(workload: Workload, layers: list[ResolvedLayer]) -> list[str]:
    dataset, last, loss = dataset_of(workload), layers[-1], workload.recipe.loss
    binary = dataset.targets == "classes" and dataset.outputs == 2
    allowed = [kind for kind in LOSSES[dataset.targets] if kind != "binary_cross_entropy" or binary]
    if loss.kind not in allowed:
        has = {"classes": f"{dataset.outputs} classes", "words": "words", "numbers": "numbers"}[dataset.targets]
        return [f"loss {loss.kind} does not fit {workload.dataset}, whose targets are {has}: {' or '.join(allowed)}."]
    outputs = [1] if loss.kind == "binary_cross_entropy" else [dataset.outputs]
    if dataset.targets == "words":
        outputs = [*natural_shape(workload), *outputs]
    if last.output_shape != outputs:
        return [
            f"layer {len(layers)} ({last.name}) puts out {tuple(last.output_shape)}, "
            f"but {workload.dataset} needs {tuple(outputs)}."
        ]
    function = getattr(last.layer, "function", None)
    if function in ("softmax", "sigmoid") and loss.kind != "mean_squared_error":
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
