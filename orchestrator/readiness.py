"""What a plan needs that only the user may have: frameworks of ``all`` that are not ready yet, and datasets."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator import datasets, notes
from orchestrator.cache import cache_dir
from orchestrator.catalogue import find
from orchestrator.engines import Engine
from orchestrator.errors import DataError
from orchestrator.plan import Plan, make_plan
from orchestrator.request import Request, named_labels

ELSE = (
    "Or take other data in their place (--dataset OLD=NEW; `bench data list` names what is here), random numbers for "
    "times alone (--synthetic), or the workloads that do without them (--workloads)."
)


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


def with_data(plan: Plan, request: Request, cpus: Sequence[int], data_dir: Path | None) -> Plan:
    """Return the request's plan once its datasets can be had, and those are read that this machine never read before:
    only then are their checksums known, which jobs name.

    Raises DataError with every dataset that cannot be had, and what to do.
    """
    names = list(dict.fromkeys(workload.dataset for workload in plan.workloads))
    reasons = [reason for name in names if (reason := datasets.where(name, data_dir)) is not None]
    if reasons:
        raise DataError("\n".join([*reasons, ELSE]))
    unread = [name for name in names if not datasets.describe(name).checksum]
    for name in unread:
        datasets.prepare(name, cache_dir(), data_dir, progress=True)
    return make_plan(request, cpus, plan.unavailable) if unread else plan
