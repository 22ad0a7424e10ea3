"""Staged rows, as Keras' ``fit`` and ``predict`` take them."""

from typing import Any, Dict, NamedTuple


class Rows(NamedTuple):
    """Staged rows: the inputs, and the arguments with which ``fit`` and ``predict`` read them in batches."""

    x: Any
    fit: Dict[str, Any]
    predict: Dict[str, Any]


def rows_of(x, targets, recipe):
    """Return rows that Keras cuts into batches by itself."""
    fit = {"x": x, "y": targets, "batch_size": recipe.batch_size}
    return Rows(x, fit, {"x": x, "batch_size": recipe.evaluation_batch_size})
