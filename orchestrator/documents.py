"""The JSON documents of a run, read back: valid, of this version, and belonging together, or refused by name."""

import json
from pathlib import Path
from typing import TypeVar, get_args

from orchestrator.errors import StoreError
from orchestrator.request import Request
from workers.compat import Literal, Text
from workers.spec import MEASURED, Job, Record, Result, ValidationError


class RunInfo(Record):
    """How a run was asked for; ``request`` in full, so that ``--run`` alone goes on with it.

    ``command`` is the first one, ``continued`` are those that went on with it. ``altered``: in words, where the run
    is not the suite as it is written. ``unavailable``: of the frameworks that ``all`` stands for, {label: why it is
    in no job}.
    """

    schema_version: Literal[2] = 2
    name: Text
    suite: Text
    frameworks: list[str]
    engine: Text
    device: Text
    threads: list[int]
    repeats: int
    altered: list[str] = []
    request: Request
    command: list[str]
    continued: list[list[str]] = []
    started: Text
    host: dict[str, str | int | None] = {}
    unavailable: dict[str, str] = {}


Document = TypeVar("Document", Job, Result, RunInfo)


def read_document(model: type[Document], path: Path) -> Document:
    """Return the document in a file. Raises StoreError for one that cannot be read, or is not valid."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise StoreError(f"{path} cannot be read: {str(error).splitlines()[0]}. {_ADVICE[model]}") from None
    (version,) = get_args(model.model_fields["schema_version"].annotation)
    if isinstance(data, dict) and data.get("schema_version", version) != version:
        raise StoreError(
            f"{path} has the schema {data['schema_version']!r}; this version of bench reads {version}. "
            f"Read that run with the version that made it, or make a new one."
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        words = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise StoreError(f"{path} is not valid: {words}. {_ADVICE[model]}") from None


_ADVICE: dict[type[Record], str] = {
    RunInfo: "Give a folder that `bench orchestrate` made.",
    Job: "Delete that job's folder and go on with --run.",
    Result: "Delete that file and go on with --run: the job is run again.",
}


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a number that JSON has")


def check_belongs(job: Job, result: Result, path: Path) -> None:
    """Refuse a result that cannot be this job's: summaries rely on what an ``ok`` one holds. Raises StoreError."""
    wrong = None
    if result.job_id != job.id:
        wrong = f"is the result of another job ({result.job_id})"
    elif job.kind in MEASURED and result.status == "ok":
        if len(result.epochs) != job.recipe.epochs:
            wrong = f"says ok, but holds {len(result.epochs)} of the job's {job.recipe.epochs} epochs"
        elif not all(epoch.train_seconds > 0 for epoch in result.epochs):
            wrong = "says ok, but holds an epoch without a training time"
    if wrong:
        raise StoreError(f"{path} {wrong}. {_ADVICE[Result]}")
