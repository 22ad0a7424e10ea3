"""Runs as tidy tables: one row per observation, units in the names, nothing rounded, None where it is not known.

Every row begins with KEY. All that the HTML page, its charts and the files of ``bench report`` say is made of these.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from orchestrator.cells import Cell
from orchestrator.report import reasons, study
from orchestrator.report.agreement import agreement
from orchestrator.store import RunStore
from orchestrator.suite import Suite, load_suite
from orchestrator.summary import Pair, Summary, summarise
from workers.spec import MEASURED, Epoch, Job, Resources, Result, TensorError

Row = dict[str, Any]
Tables = dict[str, list[Row]]

KEY = ("run", "suite", "workload", "variant", "framework", "device", "threads")
NESTED = ("train_seconds", "ratio", "target", "constant_errors", "resources", "differs")


@dataclass(frozen=True)
class Reported:
    """A run, as a report needs it. ``pairs``: its jobs with the results there are."""

    name: str
    folder: Path
    summary: Summary
    pairs: Sequence[Pair]
    suite: Suite
    figures: study.Figures = ()


def read_run(folder: Path, recipes: dict[tuple[str, str], str] | None = None) -> Reported:
    """Return a run's folder, read whole. Raises UsageError and StoreError for what it lacks."""
    store = RunStore(folder)
    info = store.read_info()
    pairs = list(store.jobs())
    return Reported(
        name=info.name,
        folder=folder,
        summary=summarise(info, pairs, recipes),
        pairs=pairs,
        suite=load_suite(str(store.suite_file)),
        figures=study.read_figures(store.suite_file.with_suffix(".csv")),
    )


def tables(runs: Iterable[Reported]) -> Tables:
    """Return all tables by their names; those with nothing in them too."""
    found: Tables = {name: [] for name in TABLES}
    for run in runs:
        for name, rows in TABLES.items():
            found[name] += rows(run)
    return found


def _key_of_cell(run: Reported, cell: Cell) -> Row:
    return _key(run, cell.workload, cell.variant, cell.framework, cell.device, cell.threads)


def _key_of_job(run: Reported, job: Job) -> Row:
    return _key(run, job.workload, job.variant, job.framework.label, job.device, job.threads)


def _key(run: Reported, *values: str | int | None) -> Row:
    return dict(zip(KEY, (run.name, run.suite.suite, *values), strict=True))


def _measured(run: Reported) -> Iterator[tuple[Job, Result]]:
    for job, result in run.pairs:
        if job.kind in MEASURED and result is not None:
            yield job, result


def last_readings(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells without those that read a training before its end."""
    last: dict[tuple[object, ...], Cell] = {}
    for cell in cells:
        key = cell.variant, cell.workload, cell.framework, cell.device, cell.threads
        if key not in last or cell.epochs > last[key].epochs:
            last[key] = cell
    return list(last.values())


def last_rows(cells: Sequence[Row]) -> list[Row]:
    """Return the rows of cells without those that read a training before its end."""
    last: dict[tuple[object, ...], int] = {}
    for row in cells:
        key = tuple(row[name] for name in KEY)
        last[key] = max(row["epochs"], last.get(key, 0))
    return [row for row in cells if row["epochs"] == last[tuple(row[name] for name in KEY)]]


# ---------------------------------------------------------------------------- cells


def _cells(run: Reported) -> list[Row]:
    shapes: dict[tuple[str, str, str], Row] = {}
    for job, _ in run.pairs:
        shapes[job.workload, job.variant, job.framework.label] = _shape(job)
    return [_cell(run, cell) | shapes[cell.workload, cell.variant, cell.framework] for cell in run.summary.cells]


def _shape(job: Job) -> Row:
    """Return a model's parameters; its depth and width in hidden layers, where those are dense and of one width."""
    weighted = [layer.layer.kind for layer in job.model.layers if layer.parameters]
    units = [layer.output_shape[-1] for layer in job.model.layers if layer.parameters][:-1]
    plain = set(weighted) == {"dense"} and len(set(units)) == 1
    return {
        "parameters": job.model.parameter_count,
        "depth": len(units) if plain else None,
        "width": units[0] if plain else None,
        "activations": ", ".join(dict.fromkeys(_activations(job))) or None,
    }


def _activations(job: Job) -> Iterator[str]:
    for layer in job.model.layers:
        if layer.layer.kind == "activation":
            yield layer.layer.function


def _cell(run: Reported, cell: Cell) -> Row:
    row = _key_of_cell(run, cell)
    row |= {name: getattr(cell, name) for name in Cell.model_fields if name not in (*NESTED, *KEY)}
    for name in ("train_seconds", "ratio"):
        value = getattr(cell, name)
        row |= {name: value and value.median, f"{name}_low": value and value.low, f"{name}_high": value and value.high}
    row["target_metric"] = cell.target and cell.target.metric
    row["target_value"] = cell.target and cell.target.value
    for name in ("squared_error", "absolute_error"):
        row[f"constant_{name}"] = cell.constant_errors.get(name)
    row["differs"] = "; ".join(cell.differs) or None
    row["reason"] = reasons.of_cell(cell)
    return row


def _overall(run: Reported) -> list[Row]:
    return [
        _key(run, None, "matched", item.framework, item.device, item.threads)
        | {"workloads": item.workloads, "fastest": item.fastest, "tie": item.tie, "ratio": item.ratio.median}
        | {"ratio_low": item.ratio.low, "ratio_high": item.ratio.high}
        for item in run.summary.overall
    ]


# ---------------------------------------------------------------------------- jobs


def _jobs(run: Reported) -> list[Row]:
    """Return one row per job of any kind."""
    return [_job(run, job, result) for job, result in run.pairs]


def _job(run: Reported, job: Job, result: Result | None) -> Row:
    trained = job.kind in MEASURED and result is not None and bool(result.epochs)
    return _key_of_job(run, job) | {
        "job_id": job.id,
        "kind": job.kind,
        "repeat": job.repeat,
        "seed": job.seed,
        "status": result.status if result else None,
        "reason": result.reason if result else None,
        "train_seconds": result.train_seconds if result and trained else None,
        "peak_rss_bytes": result.peak_rss_bytes if result else None,
        "threads_seen": result.environment.threads_seen if result else None,
        "other_cpus_busy": result.environment.other_cpus_busy if result else None,
        **_files(run, job, result),
    }


def _files(run: Reported, job: Job, result: Result | None) -> Row:
    """Return the paths of a job's result and log in the run's folder, None where there is none."""
    log = f"jobs/{job.id}/log.txt"
    return {
        "result": f"jobs/{job.id}/result.json" if result else None,
        "log": log if (run.folder / log).exists() else None,
    }


def _epochs(run: Reported) -> list[Row]:
    return [row for job, result in _measured(run) for row in _epochs_of(run, job, result)]


def _epochs_of(run: Reported, job: Job, result: Result) -> Iterator[Row]:
    elapsed_seconds = 0.0
    for number, epoch in enumerate(result.epochs, start=1):
        elapsed_seconds += epoch.train_seconds
        row = _key_of_job(run, job) | {"job_id": job.id, "repeat": job.repeat, "status": result.status}
        row |= {"epoch": number, "elapsed_seconds": elapsed_seconds}
        yield row | {name: getattr(epoch, name) for name in Epoch.model_fields}


ONCE = ("import", "open_device", "data", "warm_up", "build")
EVERY_EPOCH = ("stage", "train", "evaluate", "validate")
CALLS = ("predict", "latency")


def _phases(run: Reported) -> list[Row]:
    return [row for job, result in _measured(run) for row in _phases_of(run, job, result)]


def _phases_of(run: Reported, job: Job, result: Result) -> Iterator[Row]:
    """Yield the seconds of a job in each phase that is known of it; ``train`` includes the first step.

    ``other`` is what the harness does between its phases, and is known where the job was sampled.
    """
    seconds: dict[str, float | None] = {name: getattr(result.phases, f"{name}_seconds") for name in ONCE}
    for name in EVERY_EPOCH:
        values = [value for epoch in result.epochs if (value := getattr(epoch, f"{name}_seconds")) is not None]
        seconds[name] = sum(values) if values else None
    seconds |= {name: sum(getattr(result, f"{name}_seconds")) or None for name in CALLS}
    seconds["other"] = next((item.seconds for item in result.resources or [] if item.phase == "other"), None)
    for name, value in seconds.items():
        if value is not None:
            yield _key_of_job(run, job) | {"job_id": job.id, "repeat": job.repeat, "phase": name, "seconds": value}


def _resources(run: Reported) -> list[Row]:
    """Return the medians over the rounds, per cell and phase, of the last reading of each training."""
    return [
        _key_of_cell(run, cell) | {name: getattr(item, name) for name in Resources.model_fields}
        for cell in last_readings(run.summary.cells)
        for item in cell.resources
    ]


def _lines(run: Reported) -> list[Row]:
    """Return the counted lines of code, beside the median seconds of an epoch after the first."""
    steady: dict[tuple[str, str], list[float]] = {}
    for job, result in _measured(run):
        if job.variant == "matched" and result.status == "ok" and len(result.epochs) > 1:
            seconds = median(epoch.train_seconds for epoch in result.epochs[1:])
            steady.setdefault((job.workload, job.framework.label), []).append(seconds)
    rows = []
    for job, counted in run.pairs:
        if job.kind == "lines" and counted is not None and counted.code_lines:
            seconds_of = steady.get((job.workload, job.framework.label))
            rows.append(
                _key_of_job(run, job)
                | {f"{part}_lines": counted.code_lines.get(part) for part in ("build", "train", "both")}
                | {"steady_epoch_seconds": median(seconds_of) if seconds_of else None}
            )
    return rows


# ---------------------------------------------------------------------------- beside a study


def _said(run: Reported) -> list[Row]:
    """Return what the study said beside what is measured; ``ratio_``: measured over said.

    A figure of a framework that the run does not have stands alone, its ``framework`` None.
    """
    paper, figures = run.suite.paper, run.figures
    rows, taken = [], set()
    for cell in run.summary.cells:
        figure = study.said_of(cell, paper, figures)
        if figure is not None:
            taken.add((figure.framework, figure.workload, figure.epochs))
            rows.append(_key_of_cell(run, cell) | {"epochs": cell.epochs} | _beside(figure, cell))
    here = {cell.workload for cell in run.summary.cells}
    for figure in figures:
        place = figure.framework, figure.workload, figure.epochs
        if figure.workload in here and place not in taken:
            alone = _key(run, figure.workload, None, None, figure.device, figure.threads)
            rows.append(alone | {"epochs": figure.epochs} | _beside(figure, None))
    return rows


def _beside(figure: study.Figure, cell: Cell | None) -> Row:
    row: Row = {"said_framework": figure.framework, "said_device": figure.device, "said_threads": figure.threads}
    ours = _ours(cell) if cell else {}
    for name in study.NUMBERS:
        said, measured = getattr(figure, name), ours.get(name)
        row[f"said_{name}"], row[f"measured_{name}"] = said, measured
        row[f"ratio_{name}"] = measured / said if measured is not None and said else None
    seconds = cell.train_seconds if cell else None
    row["measured_train_seconds_low"] = seconds and seconds.low
    row["measured_train_seconds_high"] = seconds and seconds.high
    row["differs"] = ("; ".join(cell.differs) or None) if cell else None
    return row


def _ours(cell: Cell) -> dict[str, float | None]:
    """Return a cell's numbers by the names that a study's figures have."""
    train = next((item for item in cell.resources if item.phase == "train"), None)
    return {
        "train_seconds": cell.train_seconds.median if cell.train_seconds else None,
        "train_ratio": cell.ratio.median if cell.ratio else None,
        "predict_seconds": cell.predict_seconds,
        "accuracy": cell.accuracy,
        "perplexity": cell.perplexity,
        **{name: getattr(train, name, None) for name in ("cpu_percent", "gpu_percent", "memory_percent")},
    }


# ---------------------------------------------------------------------------- gates, problems, provenance


def _gates(run: Reported) -> list[Row]:
    """Return a row for each pass of each gate, with the update nearest its bound; one row where there is none."""
    rows = []
    for job, result in run.pairs:
        if job.kind != "parity" or not job.reference_sha256 or result is None or result.status == "unsupported":
            continue
        verdict = result.parity
        shown: Sequence[TensorError | None] = verdict.worst or [verdict.first_difference] if verdict else [None]
        common = _key_of_job(run, job) | {
            "job_id": job.id,
            "passed": bool(verdict and verdict.passed),
            "reason": verdict.reason if verdict else f"the gate's job is {result.status}: {result.reason}",
            "result": f"jobs/{job.id}/result.json",
            "ill_conditioned": ", ".join(verdict.ill_conditioned) if verdict else "",
            "declared_differences": "; ".join(verdict.declared_differences) if verdict else "",
        }
        for item in shown:
            error, bound = (item.error, item.bound) if item else (None, None)
            share = error / bound if error is not None and bound else None
            place = {"pass_name": item and item.pass_name, "tensor": item and item.tensor}
            rows.append(common | place | {"error": error, "bound": bound, "error_over_bound": share})
    return rows


def _problems(run: Reported) -> list[Row]:
    """Return all that is no comparable number: jobs, gates, cells, frameworks left out; each with what to do next."""
    pairs = {job.id: (job, result) for job, result in run.pairs}
    rows = []
    for problem in run.summary.problems:
        job, result = pairs[problem.job_id]
        row = _key_of_job(run, job) | {"job_id": job.id, "kind": job.kind, "repeat": job.repeat}
        row |= {"status": problem.status, "reason": problem.reason}
        rows.append(
            row
            | {"next_step": reasons.next_step(problem.status), "log_tail": problem.log_tail}
            | _files(run, job, result)
        )
    nothing: Row = {"job_id": None, "kind": "cell", "repeat": None, "log_tail": None, "result": None, "log": None}
    for cell in last_readings(run.summary.cells):
        status = reasons.of_cell(cell)
        if status is not None and cell.variant == "matched":
            words = {"status": status, "reason": reasons.in_words(status), "next_step": reasons.next_step(status)}
            rows.append(_key_of_cell(run, cell) | nothing | words)
    for label, reason in sorted(run.summary.run.unavailable.items()):
        words = {"status": "unavailable", "reason": reason, "next_step": reasons.next_step("unavailable")}
        rows.append(_key(run, None, None, label, None, None) | nothing | {"kind": "framework"} | words)
    return rows


ENVIRONMENT = ("engine", "python", "recipe_hash", "image_id", "cpu_model", "cpu_count", "gpu_model", "gpu_driver")


def _environments(run: Reported) -> list[Row]:
    """Return each environment that a measured result names, once, with the number of results that name it."""
    counts: dict[tuple[Any, ...], int] = {}
    for job, result in _measured(run):
        environment = result.environment
        versions = ", ".join(f"{name} {version}" for name, version in sorted(environment.versions.items()))
        facts = (job.framework.label, job.device, job.threads, job.framework.version, versions)
        key = (*facts, *(getattr(environment, name) for name in ENVIRONMENT))
        counts[key] = counts.get(key, 0) + 1
    return [
        _key(run, None, None, *key[:3])
        | dict(zip(("version", "versions", *ENVIRONMENT), key[3:], strict=True))
        | {"results": count}
        for key, count in sorted(counts.items(), key=lambda item: tuple(map(str, item[0])))
    ]


def _datasets(run: Reported) -> list[Row]:
    """Return each dataset that a job reads, known by the checksum of its arrays."""
    found = {}
    for job, _ in run.pairs:
        data = job.dataset
        found[job.workload, data.checksum, data.train_rows, data.test_rows] = (
            _key(run, job.workload, None, None, None, None)
            | {"dataset": data.name, "checksum": data.checksum, "synthetic": data.synthetic}
            | {"train_rows": data.train_rows, "validation_rows": data.validation_rows, "test_rows": data.test_rows}
        )
    return list(found.values())


def _notes(run: Reported) -> list[Row]:
    return [_key(run, None, None, None, None, None) | {"note": note} for note in run.summary.notes]


def _agreement(run: Reported) -> list[Row]:
    return [_key_of_job(run, job) | row for job, row in agreement(run.folder, run.pairs)]


TABLES = {
    "cells": _cells,
    "overall": _overall,
    "jobs": _jobs,
    "epochs": _epochs,
    "phases": _phases,
    "resources": _resources,
    "lines": _lines,
    "said": _said,
    "agreement": _agreement,
    "gates": _gates,
    "problems": _problems,
    "environments": _environments,
    "datasets": _datasets,
    "notes": _notes,
}
