"""Which of the frameworks that ``all`` stands for cannot be had until the user gives something, and what that is."""

from collections.abc import Iterable

from orchestrator.catalogue import find
from orchestrator.engines import Engine
from orchestrator.request import named_labels


def unready(frameworks: str, labels: Iterable[str], engine: Engine, device: str) -> dict[str, str]:
    """Return {label: reason and next step} of those of ``labels`` that are asked for as one of ``all``, not by name.

    One that is named is tried, and its rows say why they are unavailable.
    """
    unnamed = [find(label) for label in labels if label not in named_labels(frameworks)]
    reasons = {entry.label: engine.why_not_ready(entry, device) for entry in unnamed if device in entry.devices}
    return {label: reason for label, reason in reasons.items() if reason is not None}
