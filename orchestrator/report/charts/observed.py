"""What a study said and what was measured here as one kind of row: a source, a framework, and its numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.catalogue import spellings
from orchestrator.report import study
from orchestrator.report.charts.figure import final
from orchestrator.report.tidy import Row, Tables

SAID, PUBLISHED, MATCHED = "said", "as published, here", "matched, here"
SOURCES = (SAID, PUBLISHED, MATCHED)
NUMBERS = study.NUMBERS
SHAPE = ("depth", "width", "activations", "dataset", "epochs", "batch_size")


def observed(tables: Tables) -> list[Row]:
    """Return each number said of a workload's last reading, and each measured beside it, once.

    A study's framework that is not here has the name that the catalogue gives it, or else the study's own.
    """
    cells = final(tables["cells"])
    last = {(row["run"], row["workload"]): row["epochs"] for row in cells}
    settings = {(row["run"], row["device"], row["threads"]) for row in cells}
    found: dict[tuple[Any, ...], Row] = {}
    for row in tables["said"]:
        if row["epochs"] == last.get((row["run"], row["workload"])):
            for one in _of(row, settings):
                key = tuple(one[name] for name in ("run", "workload", "device", "threads", "framework", "source"))
                found.setdefault(key, one)
    return list(found.values())


def _of(row: Row, settings: set[tuple[str, str, int]]) -> Iterator[Row]:
    if row["framework"] is None:
        name = row["said_framework"]
        label = spellings().get(name.lower(), name)
        for run, device, threads in sorted(settings):
            if run == row["run"] and row["said_device"] in (None, device) and row["said_threads"] in (None, threads):
                yield _observation(row | {"device": device, "threads": threads, "framework": label}, SAID, "said")
    else:
        yield _observation(row, SAID, "said")
        yield _observation(row, PUBLISHED if row["variant"] == "paper" else MATCHED, "measured")


def _observation(row: Row, source: str, prefix: str) -> Row:
    kept = {name: row[name] for name in ("run", "workload", "device", "threads", "framework", "said_framework")}
    differs = row["differs"] if source == PUBLISHED else None
    values = {name: row[f"{prefix}_{name}"] for name in NUMBERS}
    return {**kept, "variant": "matched", "source": source, "differs": differs, **values}


def with_all_cells(tables: Tables, observations: Sequence[Row]) -> list[Row]:
    """Return what was said, and every cell measured here, with the shape of its workload's model as matched.

    As published, a framework may have another activation; it is still the study's answer to the same question.
    """
    cells = sorted(final(tables["cells"]), key=lambda row: row["variant"] == "matched")
    shapes = {(row["run"], row["workload"]): {name: row[name] for name in SHAPE} for row in cells}
    said = [row for row in observations if row["source"] == SAID]
    sources = {"paper": PUBLISHED, "matched": MATCHED}
    measured = [row | {"source": sources[row["variant"]], "variant": "matched"} for row in cells]
    return [row | shapes[row["run"], row["workload"]] for row in said + measured]
