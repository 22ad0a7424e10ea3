"""Readable words for what pydantic found wrong in a suite's file: the place, what it is, what is allowed."""

import difflib
import re
import types
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from workers import spec


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" with the allowed names, for the end of a message."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Allowed: {', '.join(names)}."


def explain(model: type[BaseModel], data: Any, error: dict[str, Any]) -> str:
    """Return one of pydantic's errors in a document of ``model`` as: where, what it is, what is allowed."""
    place = [part for part in error["loc"] if not _is_tag(part)]
    where = _where(data, place)
    if error["type"] == "extra_forbidden":
        fields = _fields(model, error["loc"][:-1])
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


def _fields(top: type[BaseModel], loc: Iterable[Any]) -> list[str]:
    """Return the fields allowed at a place, following the models from the top one down."""
    model: type[BaseModel] | None = top
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
