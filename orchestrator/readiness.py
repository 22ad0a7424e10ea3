"""Which of the frameworks that ``all`` stands for cannot be had until the user gives something, and what that is."""

from collections.abc import Iterable, Sequence

from orchestrator import notes
from orchestrator.catalogue import find
from orchestrator.engines import Engine
from orchestrator.plan import Plan, make_plan
from orchestrator.request import Request, named_labels


def unready(frameworks: str, labels: Iterable[str], engine: Engine, device: str) -> dict[str, str]:
    """Return {label: reason and next step} of those of ``labels`` that are asked for as one of ``all``, not by name.

    One that is named is tried, and its rows say why they are unavailable.
    """
    unnamed = [find(label) for label in labels if label not in named_labels(frameworks)]
    reasons = {entry.label: engine.why_not_ready(entry, device) for entry in unnamed if device in entry.devices}
    return {label: reason for label, reason in reasons.items() if reason is not None}


def without_unready(plan: Plan, request: Request, cpus: Sequence[int], engine: Engine) -> tuple[Plan, list[str]]:
    """Return the request's plan without those that are not ready, and in lines for the user what is left out, and why.

    Raises UsageError where nothing is left to plan.
    """
    absent = unready(plan.asked, plan.frameworks, engine, plan.device)
    if absent:  # a plan draws weights, so it is not made again for nothing
        plan = make_plan(request, cpus, absent)
    texts = [*(f"{text}." for text in plan.left_out), *notes.of_unavailable(plan.unavailable)]
    return plan, [f"Left out: {text}" for text in texts]
