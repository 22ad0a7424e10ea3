"""What a worker cannot do of a job, from what it declares: the same answer on the host and in an environment."""

from typing import Iterable, List, Mapping, Set

from .spec import Job


def refused(layers: Iterable[str], unsupported: Mapping[str, str], job: Job) -> List[str]:
    """Return what of a job a worker with these layer kinds cannot do, each with its reason: on the host, before
    anything is built, and in the framework's environment."""
    recipe = job.recipe
    found: Set[str] = set()
    for part in [item.layer for item in job.model.layers] + [recipe.optimiser, recipe.loss]:
        fields = ["{}.{}={}".format(part.kind, name, value) for name, value in part.model_dump().items()]
        found.update(name + ": " + unsupported[name] for name in [part.kind, *fields] if name in unsupported)
    missing = {item.layer.kind for item in job.model.layers} - set(layers) - set(unsupported)
    return sorted(found) + [kind + ": the worker does not build it" for kind in sorted(missing)]
