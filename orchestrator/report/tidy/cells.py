"""Tables: cells, means over workloads."""

from collections.abc import Iterator

from orchestrator.cells import Cell
from orchestrator.report import reasons
from orchestrator.report.tidy.reported import Reported
from orchestrator.report.tidy.rows import KEY, Row, key_of, key_of_cell
from workers.spec import Job

NESTED = ("train_seconds", "ratio", "target", "constant_errors", "resources", "differs")


def cells(run: Reported) -> list[Row]:
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
    row = key_of_cell(run, cell)
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


def overall(run: Reported) -> list[Row]:
    return [
        key_of(run, None, "matched", item.framework, item.device, item.threads)
        | {"workloads": item.workloads, "fastest": item.fastest, "tie": item.tie, "ratio": item.ratio.median}
        | {"ratio_low": item.ratio.low, "ratio_high": item.ratio.high}
        for item in run.summary.overall
    ]
