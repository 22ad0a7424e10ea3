"""A workload as a request alters it: fewer epochs or rows, and scaled down for a small machine. Pure."""

from math import ceil

from orchestrator.request import Request
from orchestrator.workload import AsPublished, Workload, as_published, rows_there
from workers.spec import Schedule


def altered(workload: Workload, request: Request, study: AsPublished | None) -> Workload:
    """Return the workload as the request and, in variant ``paper``, the study have it."""
    recipe = {"batch_size": request.batch_size, "epochs": max(request.epochs) if request.epochs else None}
    recipe = {name: value for name, value in recipe.items() if value is not None}
    changes: dict[str, object] = {"recipe": workload.recipe.model_copy(update=recipe)}
    if request.epochs and workload.target is None:
        changes["read_at_epochs"] = sorted(set(request.epochs))
    workload = workload.model_copy(update=changes)
    if study is not None:
        workload = as_published(workload, study)
    if request.scale != 1:
        workload = _scaled(workload, request.scale, epochs_asked=bool(request.epochs))
    return _limited(workload, request.limit_rows)


def rows_of(workload: Workload) -> tuple[int, int, int]:
    """Return the rows that are trained on, those that validate them, and the test rows.

    As Keras' ``validation_split`` does, the last share of the training rows validates.
    """
    train, test = _asked(workload)
    kept = int(train * (1 - workload.validation_split))
    return kept, train - kept, test


def _asked(workload: Workload) -> tuple[int, int]:
    """Return the training and test rows that the workload asks for, of those there are: a part has fewer."""
    train, test = rows_there(workload)
    return min(train, workload.train_rows or train), min(test, workload.test_rows or test)


def _scaled(workload: Workload, scale: float, epochs_asked: bool) -> Workload:
    """Return the workload on that share of its rows and, where nobody asked for others, of its epochs."""
    asked = _asked(workload)
    sizes = workload.recipe.batch_size, min(workload.recipe.batch_size, workload.recipe.evaluation_batch_size)
    train, test = (min(there, max(size, ceil(there * scale))) for there, size in zip(asked, sizes, strict=True))
    changes: dict[str, object] = {"train_rows": train, "test_rows": test}
    if not epochs_asked:
        changes["recipe"] = workload.recipe.model_copy(
            update={
                "epochs": _share(workload.recipe.epochs, scale),
                "schedule": _scaled_schedule(workload.recipe.schedule, scale),
            }
        )
        changes["read_at_epochs"] = sorted({_share(epoch, scale) for epoch in workload.read_at_epochs})
    return workload.model_copy(update=changes)


def _share(number: int, scale: float) -> int:
    return max(1, round(number * scale))


def _scaled_schedule(schedule: Schedule, scale: float) -> Schedule:
    """Return the schedule for that share of the epochs; the steps of an epoch shrink with the rows already."""
    if schedule.kind == "epoch":
        return schedule.model_copy(update={"after_epochs": _share(schedule.after_epochs, scale)})
    return schedule


def _limited(workload: Workload, most: int | None) -> Workload:
    """Return the workload on at most so many rows of each split, in whole batches where they are streams."""
    train, test = _asked(workload)
    if most is not None:
        train, test = min(train, most), min(test, most)
    if workload.view is not None and workload.view.kind == "streams":
        recipe = workload.recipe
        train = max(train // recipe.batch_size, 1) * recipe.batch_size
        test = max(test // recipe.evaluation_batch_size, 1) * recipe.evaluation_batch_size
    return workload.model_copy(update={"train_rows": train, "test_rows": test})
