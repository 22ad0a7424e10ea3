"""Suites: named lists of workloads, as YAML. The built-in ones and a user's own pass through the same model."""

import difflib
import re
import types
import typing
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from orchestrator.datasets import DATASETS
from orchestrator.errors import UsageError
from orchestrator.shapes import ShapeError, resolve
from workers import spec
from workers.compat import Count, Field, Index, Text
from workers.spec import Initialiser, Input, Layer, Recipe, Record, ResolvedLayer, ValidationError

SUITES_DIR = Path(__file__).resolve().parent / "suites"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Workload(Record):
    """A dataset, a model and a recipe. ``input_shape`` gives each row another shape with as many numbers."""

    name: Text
    dataset: Text
    input_shape: list[Count] | None = None
    layers: list[Layer]
    initialisers: dict[str, Initialiser] = {}
    recipe: Recipe
    train_rows: Count | None = None
    test_rows: Count | None = None


class Suite(Record):
    """A named list of workloads. Repeat r of ``rounds`` uses seed + r."""

    suite: Text
    title: Text
    rounds: Count = 3
    seed: Index = 1
    workloads: list[Workload] = Field(min_length=1)


def builtin_suites() -> list[str]:
    """Return the names of the suites that come with the project."""
    return sorted(path.stem for path in SUITES_DIR.glob("*.yaml"))


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" with the allowed names, for the end of a message."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Allowed: {', '.join(names)}."


def load_suite(name: str) -> Suite:
    """Return a built-in suite by its name, or a user's own by its file. Raises UsageError with every mistake."""
    path = Path(name)
    if name in builtin_suites():
        path = SUITES_DIR / f"{name}.yaml"
    elif path.suffix not in (".yaml", ".yml") and not path.is_file():
        raise UsageError([f"Unknown suite {name!r}. {nearest(name, builtin_suites())} Or give a YAML file."])
    try:
        # YAML 1.2, in which 1e-3 is a number and `no` a word.
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError([f"Suite {path}: cannot be read ({error.strerror})."]) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError([f"Suite {path}: not YAML: {' '.join(str(error).split())}"]) from None
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        raise UsageError([f"Suite {path}: {_explain(data, dict(item))}" for item in error.errors()]) from None
    mistakes = [f"Suite {path}: workload {item.name!r}: {text}" for item in suite.workloads for text in _check(item)]
    names = [("suite", suite.suite), *(("workload", item.name) for item in suite.workloads)]
    mistakes += [
        f"Suite {path}: {what} {name!r}: names become folders; allowed: at most 64 letters, digits, '.', '_' and '-', "
        f"a letter or digit first."
        for what, name in names
        if not NAME.fullmatch(name)
    ]
    repeated = {item.name for item in suite.workloads if [w.name for w in suite.workloads].count(item.name) > 1}
    mistakes += [f"Suite {path}: workload {name!r} stands there more than once." for name in sorted(repeated)]
    if mistakes:
        raise UsageError(mistakes)
    return suite


def workload_input(workload: Workload) -> Input:
    """Return the one input of a workload's model: the dataset's, in the workload's own shape."""
    (source,) = DATASETS[workload.dataset].inputs
    shape = source.shape if workload.input_shape is None else workload.input_shape
    return source.model_copy(update={"shape": list(shape)})


def resolved_layers(workload: Workload) -> list[ResolvedLayer]:
    """Return the workload's layers with names and shapes. Raises ShapeError."""
    return resolve(workload.layers, [workload_input(workload)])


def _check(workload: Workload) -> list[str]:
    """Return what is wrong with a workload that its fields alone do not show."""
    if workload.dataset not in DATASETS:
        return [f"unknown dataset {workload.dataset!r}. {nearest(workload.dataset, DATASETS)}"]
    dataset = DATASETS[workload.dataset]
    (source,) = dataset.inputs
    shape = workload.input_shape
    if shape is not None and prod(shape) != prod(source.shape):
        return [
            f"input_shape {shape} has {prod(shape)} numbers, but a row of {dataset.name} has "
            f"{prod(source.shape)} ({source.shape})."
        ]
    mistakes = [
        f"{split}_rows is {asked}, but {dataset.name} has {there}."
        for split, asked, there in (
            ("train", workload.train_rows, dataset.train_rows),
            ("test", workload.test_rows, dataset.test_rows),
        )
        if asked is not None and asked > there
    ]
    try:
        layers = resolved_layers(workload)
    except ShapeError as error:
        return [*mistakes, str(error)]
    return mistakes + _check_head(workload, layers, dataset.outputs) + _check_initialisers(workload, layers)


def _check_head(workload: Workload, layers: list[ResolvedLayer], outputs: int) -> list[str]:
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


def _check_initialisers(workload: Workload, layers: list[ResolvedLayer]) -> list[str]:
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


# ---------------------------------------------------------------------------- readable validation errors


def _explain(data: Any, error: dict[str, Any]) -> str:
    """Return one pydantic error as: where, what it is, what is allowed."""
    place = [part for part in error["loc"] if not _is_tag(part)]
    where = _where(data, place)
    if error["type"] == "extra_forbidden":
        fields = _fields(error["loc"][:-1])
        hint = nearest(str(place[-1]), fields) if fields else ""
        return f"{where}: unknown field {place[-1]!r}. {hint}"
    if error["type"] == "union_tag_invalid":
        context = error["ctx"]
        return f"{where}: unknown kind {context['tag']!r}. {nearest(context['tag'], _quoted(context['expected_tags']))}"
    if error["type"] == "union_tag_not_found":
        return f"{where}: field 'kind' is required."
    message = str(error["msg"]).replace("Input should be", "should be")
    given = "" if error["type"] == "missing" else f" (it is {error['input']!r})"
    return f"{where}: {message[0].lower()}{message[1:]}{given}."


def _quoted(text: str) -> list[str]:
    """Return the words of pydantic's "'sgd', 'adam'"."""
    return re.findall(r"'([^']+)'", text)


_KINDS: dict[str, type[BaseModel]] = {
    str(model.model_fields["kind"].annotation.__args__[0]): model  # type: ignore[union-attr]
    for model in vars(spec).values()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and "kind" in model.model_fields
    and len(typing.get_args(model.model_fields["kind"].annotation)) == 1
}


def _is_tag(part: Any) -> bool:
    """pydantic puts a union's tag (``dense``) into a place; no field is named like a kind."""
    return part in _KINDS


def _where(data: Any, place: list[Any]) -> str:
    """Return a place as ``workloads[0] (mlp).layers[2].units``."""
    words, here = "", data
    for part in place:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(part, int):
            name = here.get("name") if isinstance(here, dict) else None
            words += f"[{part}]" + (f" ({name})" if name else "")
        else:
            words += f".{part}" if words else str(part)
    return words or "the file"


def _fields(loc: Iterable[Any]) -> list[str]:
    """Return the fields allowed at a place, following the models from Suite down."""
    model: type[BaseModel] | None = Suite
    for part in loc:
        if part in _KINDS:
            model = _KINDS[part]
        elif isinstance(part, str) and model is not None and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields) if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in typing.get_args(annotation) if (found := _model_in(part))), None)
