"""Tables: gates, problems, provenance."""

from collections.abc import Sequence
from typing import Any

from orchestrator.cells import last_readings
from orchestrator.report import reasons
from orchestrator.report.tidy.reported import Reported, files_of, measured
from orchestrator.report.tidy.rows import Row, key_of, key_of_cell, key_of_job
from workers.spec import TensorError


def gates(run: Reported) -> list[Row]:
    """Return a row for each pass of each gate, with the update nearest its bound; one row where there is none."""
    rows = []
    for job, result in run.pairs:
        if job.kind != "parity" or not job.reference_sha256 or result is None or result.status == "unsupported":
            continue
        verdict = result.parity
        shown: Sequence[TensorError | None] = verdict.worst or [verdict.first_difference] if verdict else [None]
        common = key_of_job(run, job) | {
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


def problems(run: Reported) -> list[Row]:
    """Return all that is no comparable number: jobs, gates, cells, frameworks left out; each with what to do next."""
    pairs = {job.id: (job, result) for job, result in run.pairs}
    rows = []
    for problem in run.summary.problems:
        job, result = pairs[problem.job_id]
        row = key_of_job(run, job) | {"job_id": job.id, "kind": job.kind, "repeat": job.repeat}
        row |= {"status": problem.status, "reason": problem.reason}
        rows.append(
            row
            | {"next_step": reasons.next_step(problem.status), "log_tail": problem.log_tail}
            | files_of(run, job, result)
        )
    nothing: Row = {"job_id": None, "kind": "cell", "repeat": None, "log_tail": None, "result": None, "log": None}
    for cell in last_readings(run.summary.cells):
        status = reasons.of_cell(cell)
        if status is not None and cell.variant == "matched":
            words = {"status": status, "reason": reasons.in_words(status), "next_step": reasons.next_step(status)}
            rows.append(key_of_cell(run, cell) | nothing | words)
    for label, reason in sorted(run.summary.run.unavailable.items()):
        words = {"status": "unavailable", "reason": reason, "next_step": reasons.next_step("unavailable")}
        rows.append(key_of(run, None, None, label, None, None) | nothing | {"kind": "framework"} | words)
    return rows


ENVIRONMENT = ("engine", "python", "recipe_hash", "image_id", "cpu_model", "cpu_count", "gpu_model", "gpu_driver")


def environments(run: Reported) -> list[Row]:
    """Return each environment that a measured result names, once, with the number of results that name it."""
    counts: dict[tuple[Any, ...], int] = {}
    for job, result in measured(run):
        environment = result.environment
        versions = ", ".join(f"{name} {version}" for name, version in sorted(environment.versions.items()))
        facts = (job.framework.label, job.device, job.threads, job.framework.version, versions)
        key = (*facts, *(getattr(environment, name) for name in ENVIRONMENT))
        counts[key] = counts.get(key, 0) + 1
    return [
        key_of(run, None, None, *key[:3])
        | dict(zip(("version", "versions", *ENVIRONMENT), key[3:], strict=True))
        | {"results": count}
        for key, count in sorted(counts.items(), key=lambda item: tuple(map(str, item[0])))
    ]


def datasets(run: Reported) -> list[Row]:
    """Return each dataset that a job reads, known by the checksum of its arrays."""
    found = {}
    for job, _ in run.pairs:
        data = job.dataset
        found[job.workload, data.checksum, data.train_rows, data.test_rows] = (
            key_of(run, job.workload, None, None, None, None)
            | {"dataset": data.name, "checksum": data.checksum, "synthetic": data.synthetic}
            | {"train_rows": data.train_rows, "validation_rows": data.validation_rows, "test_rows": data.test_rows}
        )
    return list(found.values())


def notes(run: Reported) -> list[Row]:
    return [key_of(run, None, None, None, None, None) | {"note": note} for note in run.summary.notes]
