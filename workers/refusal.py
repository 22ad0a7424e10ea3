"""What a worker cannot do of a job, from what it declares: the same answer on the host and in an environment."""

from typing import Any, List, Set

from .spec import Job


def refused(worker: Any, job: Job) -> List[str]:
    """Return what of a job a worker cannot do, each with its reason: on the host, before anything is built, and in the
    framework's environment.

    ``worker``: the worker itself, or what the host has read of it: its ``layers``, ``unsupported`` and
    ``can_drop_in_prediction``.
    """
    recipe, unsupported = job.recipe, worker.unsupported
    found: Set[str] = set()
    for part in [item.layer for item in job.model.layers] + [recipe.optimiser, recipe.loss]:
        fields = ["{}.{}={}".format(part.kind, name, value) for name, value in part.model_dump().items()]
        found.update(name + ": " + unsupported[name] for name in [part.kind, *fields] if name in unsupported)
    if job.dropout_in_prediction and not worker.can_drop_in_prediction:
        found.add("dropout_in_prediction: the worker always switches dropout off in prediction")
    missing = {item.layer.kind for item in job.model.layers} - set(worker.layers) - set(unsupported)
    return sorted(found) + [kind + ": the worker does not build it" for kind in sorted(missing)]
