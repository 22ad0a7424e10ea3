"""What each framework's worker can build, read from its source: the host never imports a worker."""

import ast
import functools
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import catalogue
from workers import spec


@dataclass(frozen=True)
class Capabilities:
    """A worker's layer kinds; ``composed``: kind, optimiser or clip_norm -> what it composes, in the worker's words.

    ``unsupported``: what the framework cannot do, ``kind`` or ``kind.field=value`` -> the worker's reason.
    ``can_drop_in_prediction``: whether it can do what ``Job.dropout_in_prediction`` asks for.
    """

    layers: frozenset[str]
    composed: dict[str, str]
    unsupported: dict[str, str]
    can_drop_in_prediction: bool

    def of(self, kind: str) -> str:
        """Return ``native``, ``composed`` (in at least one of its forms) or ``unsupported`` for a layer kind."""
        if kind not in self.layers:
            return "unsupported"
        return "composed" if kind in self.composed else "native"


def layer_kinds() -> list[str]:
    """Return every layer kind of the spec, in its order."""
    union, *_ = typing.get_args(spec.Layer)
    kinds = [typing.get_args(model.model_fields["kind"].annotation) for model in typing.get_args(union)]
    return [str(kind) for (kind,) in kinds]


@functools.cache
def capabilities(framework: str, workers_dir: Path | None = None) -> Capabilities:
    """Return what the worker of a framework declares. Raises LookupError where its source does not show it."""
    path = (workers_dir or catalogue.WORKERS_DIR) / f"{framework}_worker.py"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [value.id for value in _assigned(body, "WORKER") if isinstance(value, ast.Name)]
    found = [item for item in body if isinstance(item, ast.ClassDef) and item.name in names]
    if len(found) != 1:
        raise LookupError(f"{path.name}: does not end in WORKER = ItsClass")
    try:
        (layers,) = _assigned(found[0].body, "layers")
        kinds = frozenset(str(ast.literal_eval(key)) for key in layers.keys)  # type: ignore[attr-defined]
        composed, unsupported = [dict(_literal(found[0].body, name, {})) for name in ("composed", "unsupported")]
        drops = bool(_literal(found[0].body, "can_drop_in_prediction", False))
    except (ValueError, AttributeError):
        raise LookupError(
            f"{path.name}: the dict `layers` of {found[0].name} must have literal keys, "
            "`composed`, `unsupported` and `can_drop_in_prediction` be literals"
        ) from None
    return Capabilities(kinds, composed, unsupported, drops)


def _literal(body: list[ast.stmt], name: str, default: Any) -> Any:
    values = _assigned(body, name)
    return ast.literal_eval(values[-1]) if values else default


def _assigned(body: list[ast.stmt], name: str) -> list[ast.expr]:
    """Return what is assigned to a name: ``name = ...`` or ``name: type = ...``."""
    found = []
    for item in body:
        targets = item.targets if isinstance(item, ast.Assign) else []
        targets = [item.target] if isinstance(item, ast.AnnAssign) else targets
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found.append(item.value)  # type: ignore[attr-defined]
    return found
