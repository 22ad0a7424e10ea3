"""The parity gate over the whole matrix: every layer kind x optimiser x schedule, in every framework. Prints Markdown.

usage: python -m benchmarks.parity [--frameworks all-versions] [--output docs/parity.md]

Each cell is a small model of its own, held to the float64 reference as in a run (workers/parity.py). All cells of a
framework run in its own environment: its container where a Docker daemon answers. What was found is kept in the cache,
so that a run that was stopped goes on where it was. Beside the page lie its columns as data (parity.json), so that one
of more frameworks adds them to the page, on another machine too.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.parity_page import Cell, column, page, read_columns, write_columns
from orchestrator.catalogue import find
from orchestrator.errors import UsageError
from orchestrator.request import framework_labels
from orchestrator.store import cache_dir
from tests.contract.environments import prepare, run_script, ungiven
from tests.jobs import FLAT, IMAGE, STEPS, TOKENS, make_job, make_weights
from workers.numpy_reference import make_reference
from workers.parity import ROWS
from workers.spec import Job

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent / "tests" / "contract" / "in_environment.py"
HEAD = {"kind": "dense", "units": 5}
CONV2D = {"kind": "conv2d", "filters": 4, "kernel_size": [3, 2], "padding": "same"}
EMBEDDING = {"kind": "embedding", "vocabulary_size": 11, "units": 4}
IN_A_PROCESS = 80  # cells: what a run that is stopped loses at most
FUNCTIONS = ("tanh", "relu", "sigmoid", "elu", "softmax", "linear")

MODELS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "dense": ([{"kind": "dense", "units": 8}, HEAD], FLAT),
    "dense on steps": ([{"kind": "dense", "units": 8}, {"kind": "flatten"}, HEAD], STEPS),
    **{f"activation {f}": ([{"kind": "dense", "units": 8}, {"kind": "activation", "function": f}, HEAD], FLAT)
       for f in FUNCTIONS},
    "flatten": ([CONV2D, {"kind": "flatten"}, HEAD], IMAGE),
    "reshape": ([{"kind": "reshape", "shape": [12, 4, 3]}, CONV2D, {"kind": "flatten"}, HEAD], IMAGE),
    "dropout": ([{"kind": "dense", "units": 8}, {"kind": "dropout", "rate": 0.25}, HEAD], FLAT),
    "conv2d": ([CONV2D | {"strides": [2, 1]}, {"kind": "flatten"}, HEAD], IMAGE),
    "conv1d": ([{"kind": "conv1d", "filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"},
                {"kind": "flatten"}, HEAD], STEPS),
    "maxpool2d": ([CONV2D, {"kind": "maxpool2d"}, {"kind": "flatten"}, HEAD], IMAGE),
    "averagepool2d": ([CONV2D, {"kind": "averagepool2d", "padding": "same"}, {"kind": "flatten"}, HEAD], IMAGE),
    "globalmaxpool1d": ([{"kind": "dense", "units": 8}, {"kind": "globalmaxpool1d"}, HEAD], STEPS),
    "batchnorm": ([CONV2D, {"kind": "batchnorm"}, {"kind": "flatten"}, HEAD], IMAGE),
    "embedding": ([EMBEDDING, {"kind": "flatten"}, HEAD], TOKENS),
    "lstm": ([{"kind": "lstm", "units": 6}, HEAD], STEPS),
    "lstm stateful": ([EMBEDDING, {"kind": "lstm", "units": 6, "output": "sequence", "stateful": True}, HEAD], TOKENS),
}  # fmt: skip
"""Each layer kind, in a model as small as shows it."""

SGD = {"kind": "sgd", "learning_rate": 0.05, "weight_decay": 0.01}
RMSPROP = {"kind": "rmsprop", "learning_rate": 0.01, "epsilon": 1e-4, "weight_decay": 0.01}
ADAM = {"kind": "adam", "learning_rate": 0.01, "weight_decay": 0.01}
OPTIMISERS: dict[str, dict[str, Any]] = {
    "sgd": SGD,
    "sgd momentum": SGD | {"momentum": 0.9},
    "sgd momentum (gradient)": SGD | {"momentum": 0.9, "velocity": "gradient"},
    "sgd Nesterov": SGD | {"momentum": 0.9, "nesterov": True},
    "sgd Nesterov (gradient)": SGD | {"momentum": 0.9, "nesterov": True, "velocity": "gradient"},
    "adam": ADAM,
    "adam (uncorrected)": ADAM | {"epsilon_form": "uncorrected"},
    "adadelta": {"kind": "adadelta", "weight_decay": 0.01},
    "rmsprop": RMSPROP,
    "rmsprop (inside)": RMSPROP | {"epsilon_form": "inside"},
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {"kind": "constant"},
    "step": {"kind": "step", "every_steps": 1, "factor": 0.5},
    "inv": {"kind": "inv", "gamma": 0.5, "power": 0.75},
    "epoch": {"kind": "epoch", "after_epochs": 1, "factor": 0.5},
}


def cells() -> dict[Cell, Job]:
    return {
        (model, optimiser, schedule): make_job(layers, source, OPTIMISERS[optimiser], schedule=SCHEDULES[schedule])
        for model, (layers, source) in MODELS.items()
        for optimiser in OPTIMISERS
        for schedule in SCHEDULES
    }


def verdicts_of(label: str, jobs: Mapping[Cell, Job], records: Path) -> dict[Cell, Any]:
    """Run all cells of a framework, so many in a process; return what each came to: a verdict, or what was refused.

    Those that were run before in the same environment are not run again.
    """
    kept = cache_dir() / "parity" / prepare(label, cache_dir()).key
    kept.mkdir(parents=True, exist_ok=True)
    found: dict[Cell, Any] = {}
    numbered = list(enumerate(jobs.items()))
    for start in range(0, len(numbered), IN_A_PROCESS):
        part = numbered[start : start + IN_A_PROCESS]
        cases = json.dumps([_case(label, number, job) for number, (_, job) in part])
        path = kept / f"{label}-{hashlib.sha256(cases.encode()).hexdigest()[:12]}.json"
        if not path.exists():
            print(f"{label}: cells {start + 1} to {start + len(part)} of {len(jobs)}", file=sys.stderr)
            (records / "cases.json").write_text(cases)
            run_script(label, SCRIPT, records, cache_dir())
            shutil.move(records / "verdicts.json", path)
        verdicts = json.loads(path.read_text())
        found |= {cell: verdicts[str(number)] for number, (cell, _) in part}
    return found


def _case(label: str, number: int, job: Job) -> dict[str, Any]:
    entry = find(label)
    data = job.model_dump(mode="json")
    data |= {"framework": {"name": entry.name, "version": entry.version, "mode": entry.mode}, "kind": "parity"}
    data["dataset"] |= {"train_rows": ROWS, "test_rows": ROWS}
    return {"name": str(number), "record": str(number), "job": data, "change": None}


def main(
    frameworks: Annotated[str, typer.Option(help="Which, as for bench orchestrate.")] = "all-versions",
    output: Annotated[Path | None, typer.Option(help="A file to write the page to as well.")] = None,
) -> None:
    """Hold every framework to the reference, cell by cell."""
    mistakes: list[str] = []
    labels = framework_labels(frameworks, mistakes)
    if mistakes:
        raise UsageError(mistakes)
    absent = {label: ungiven(find(label)) for label in labels}
    labels = [label for label in labels if absent[label] is None]
    for label, reason in absent.items():
        if reason:
            print(f"Left out: {label}: {reason}", file=sys.stderr)
    jobs = cells()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, job in enumerate(jobs.values()):
            np.savez(folder / f"{number}.npz", **make_reference(job, make_weights(job)))  # type: ignore[arg-type]
        results = {label: verdicts_of(label, jobs, folder) for label in labels}
    found = {label: column(results[label], find(label)) for label in labels}
    beside = output.with_suffix(".json") if output else None
    kept = read_columns(beside) if beside and beside.exists() else {}
    text = page(kept | found, (len(MODELS), len(OPTIMISERS), len(SCHEDULES)))
    sys.stdout.write(text)
    if output is not None and beside is not None:
        output.write_text(text, encoding="utf-8")
        write_columns(kept | found, beside)
    failed = [label for label, own in found.items() if own.failed]
    if failed:
        raise SystemExit(f"Cells of {', '.join(failed)} failed.")


if __name__ == "__main__":
    typer.run(main)
