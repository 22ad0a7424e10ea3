"""One epoch of Zaremba's small language model on all of Penn Treebank, in several frameworks. Prints Markdown.

usage: python -m benchmarks.perplexity [--frameworks torch,tf,jax] [--disturbed 3] [--output docs/perplexity.md]

Frameworks add in other orders, so after an epoch their models differ. How much may they? As much as one framework's own
models do whose initial weights were disturbed by a millionth: the first framework is also trained from such weights.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from orchestrator import datasets, session
from orchestrator.attempt import Run, run_job
from orchestrator.catalogue import find
from orchestrator.orchestrate import orchestrate
from orchestrator.plan import Plan, make_plan
from orchestrator.progress import RunProgress
from orchestrator.readiness import with_data
from orchestrator.report.tables import table
from orchestrator.request import Request
from orchestrator.store import RunStore, cache_dir
from workers.spec import Job, Result

DISTURBANCE = 1e-6
MOST = 0.02  # of the perplexity, that frameworks may differ by whatever a disturbance causes


def disturbed(run: Run, job: Job, seed: int) -> Job:
    """Return the job from weights that are each off by a millionth or so, of their own size."""
    rng = np.random.default_rng(seed)
    weights = run.plan.weights[job.model.weights_sha256].arrays()
    other = {
        name: (value * (1 + DISTURBANCE * rng.standard_normal(value.shape))).astype(np.float32)
        for name, value in weights.items()
    }
    model = job.model.model_copy(update={"weights_sha256": run.store.add_arrays("weights", other)})
    return job.model_copy(update={"model": model, "id": f"{job.id}-disturbed-{seed}"})


def measured(run: Run, plan: Plan, times: int) -> Iterator[tuple[str, Result]]:
    """Yield (what, result) of each framework's job, then of the first framework's disturbed ones."""
    jobs = {job.id: job for job in plan.train}
    for result in orchestrate(plan, run.engine, run.store, run.cache, run.data_dir, run.progress):
        if result.status != "ok" or (result.parity is not None and not result.parity.passed):
            raise SystemExit(f"{result.job_id} is {result.status}: {result.reason or result.parity}")
        if result.job_id in jobs:
            yield jobs[result.job_id].framework.label, result
    first = plan.train[0]
    label = first.framework.label
    prepared = run.engine.prepare(find(label), first.device, run.progress.say)
    for seed in range(1, times + 1):
        result = run_job(run, prepared, disturbed(run, first, seed), "from disturbed weights", keep_compiled=False)
        yield f"{label}, disturbed ({seed})", result


def judged(found: dict[str, float], frameworks: list[str]) -> str:
    """Return in words whether the frameworks differ by no more than a disturbance does, and by how much."""
    ours = [found[name] for name in frameworks]
    first = [value for name, value in found.items() if name not in frameworks[1:]]
    spread, caused = max(ours) / min(ours) - 1, max(first) / min(first) - 1
    return (
        f"From the largest to the smallest, the frameworks' perplexities differ by {spread:.3%}: "
        f"{'at most' if spread <= MOST else 'MORE THAN'} the {MOST:.0%} that is allowed. Those of {frameworks[0]} from "
        f"disturbed weights differ by {caused:.3%}: the frameworks are "
        f"{'within what a disturbance causes' if spread <= caused else 'FURTHER APART than a disturbance causes'}."
    )


def page(plan: Plan, results: dict[str, Result], why: str) -> str:
    job = plan.train[0]
    found = {name: result.epochs[-1].perplexity or float("inf") for name, result in results.items()}
    rows = [[name, f"{results[name].epochs[-1].train_loss:.5f}", f"{value:.3f}"] for name, value in found.items()]
    headers = ("framework", "training loss of a row", "test perplexity")
    steps = job.inputs[0].shape[0]
    return "\n\n".join(
        [
            "# One epoch of a language model",
            f"Printed by `python -m benchmarks.perplexity` ({why}): [{job.suite}](studies.md)'s "
            f"{job.workload}, {job.recipe.epochs} epoch on {job.dataset.name}, "
            f"{job.dataset.train_rows * steps:,} words for training and "
            f"{job.dataset.test_rows * steps:,} for the test, no dropout, the same weights and batches in each.",
            table(rows, headers, left=1),
            judged(found, plan.frameworks),
        ]
    )


def main(
    frameworks: Annotated[
        str, typer.Option(help="Which to train, the first from disturbed weights too.")
    ] = "torch,tf,jax",
    disturbed: Annotated[int, typer.Option(help="Trainings from disturbed weights.")] = 3,
    threads: Annotated[int, typer.Option(help="CPU threads of a job.")] = 1,
    limit_rows: Annotated[int | None, typer.Option(help="Train on at most so many rows, for a quick look.")] = None,
    engine_name: Annotated[str, typer.Option("--engine", help="auto, docker or local.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="Where ptb's files are. [$BENCH_DATA_DIR]")] = None,
    output: Annotated[Path | None, typer.Option(help="A file to write the page to as well.")] = None,
) -> None:
    """Train one epoch on Penn Treebank in several frameworks, and compare their perplexities."""
    request = Request(
        frameworks=frameworks,
        suite="albdour2020",
        workloads="lstm-ptb-small",
        epochs=[1],
        repeats=1,
        threads=[threads],
        limit_rows=limit_rows,
        timeout_seconds=1e5,
    )
    cpus, where = sorted(os.sched_getaffinity(0)), datasets.find_data_dir(data_dir)
    plan = with_data(make_plan(request, cpus), request, cpus, where)
    if any(item.layer.kind == "dropout" and item.layer.rate for item in plan.train[0].model.layers):
        raise SystemExit("the model drops out: its masks differ between frameworks, and so would their perplexities")
    engine, why = session.choose_engine(engine_name)
    with tempfile.TemporaryDirectory() as name, RunProgress(session.Console(stderr=True)) as progress:
        store = RunStore(Path(name))
        run = Run(plan, engine, store, cache_dir(), where, progress, {}, {})
        results = dict(measured(run, plan, disturbed))
    text = page(plan, results, f"engine {engine.name}: {why}; {threads} thread") + "\n"
    sys.stdout.write(text)
    if output is not None:
        output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
