"""Whether sampling a job from outside disturbs it: the same job with and without, in turn, in one run. Prints Markdown.

usage: python benchmarks/sampling.py [--frameworks tf,torch] [--pairs 10] [--data-dir DIR]

benchmarks/overhead.py has this in its page.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from orchestrator import datasets, session, stats
from orchestrator.attempt import Run, attempt, warm_up
from orchestrator.engines.docker import DockerEngine
from orchestrator.monitor.sampler import SAMPLE_SECONDS
from orchestrator.orchestrate import prepare_environments, prepare_inputs
from orchestrator.plan import Plan, make_plan
from orchestrator.progress import RunProgress
from orchestrator.report.tables import number, table
from orchestrator.request import Request
from orchestrator.store import RunStore, cache_dir
from workers.spec import Job

SUITE = Path(__file__).resolve().parent / "overhead.yaml"
HEADERS = ("workload", "framework", "pairs", "sampled: epoch s", "not: epoch s", "ratio [95%]", "1 is in it")

Pair = tuple[float, float]  # seconds of a steady epoch: sampled, not sampled


def order(number: int) -> tuple[bool, bool]:
    """Return which of a pair comes first: by turns, since a machine that warms up or slows down favours one of them."""
    return (True, False) if number % 2 == 0 else (False, True)


def epoch_seconds(run: Run, job: Job, sampled: bool) -> float:
    """Return the median of all but the first epoch, in which something may warm up."""
    engine = DockerEngine(SAMPLE_SECONDS if sampled else 0)
    run.progress.start(job, "sampled" if sampled else "not sampled")
    folder = run.store.write_job(job)
    result = attempt(replace(run, engine=engine), run.prepared[job.framework.label], job, folder, keep_compiled=False)
    if result.status != "ok":
        raise SystemExit(f"{job.id} is {result.status}: {result.reason}")
    if (folder / "samples.csv").exists() != sampled:
        raise SystemExit(f"{job.id}: it was to be {'sampled' if sampled else 'left alone'}, and was not")
    run.progress.finish(job, result)
    return median(epoch.train_seconds for epoch in result.epochs[1:])


def measured(plan: Plan, data_dir: Path | None) -> Iterator[tuple[Job, Pair]]:
    """Yield a pair for each job of the plan: one per workload, framework and repeat."""
    with tempfile.TemporaryDirectory() as name, RunProgress(session.Console(stderr=True)) as progress:
        run = Run(plan, DockerEngine(), RunStore(Path(name)), cache_dir(), data_dir, progress, {}, {})
        prepare_inputs(run)
        prepare_environments(run)
        progress.plan(2 * len(plan.train))
        for job in plan.train:
            warm_up(run, run.prepared[job.framework.label], job)
            seconds = {sampled: epoch_seconds(run, job, sampled) for sampled in order(job.repeat)}
            yield job, (seconds[True], seconds[False])


def row(workload: str, label: str, pairs: list[Pair]) -> list[str]:
    value = stats.estimate([sampled / alone for sampled, alone in pairs])
    sampled, alone = (number(median(side)) for side in zip(*pairs, strict=True))
    ratio, inside = f"{value.median:.3f}", "not shown"
    if value.low is not None and value.high is not None:
        ratio = f"{value.median:.3f} [{value.low:.3f}, {value.high:.3f}]"
        inside = "yes" if value.low <= 1 <= value.high else "no"
    return [workload, label, str(len(pairs)), sampled, alone, ratio, inside]


def sampling_table(request: Request, data_dir: Path | None) -> str:
    """Return the table of steady epochs with and without sampling, or why there is none."""
    reason = DockerEngine().why_not()
    if reason:
        return f"Not measured: sampling is measured in containers, and {reason}."
    found: dict[tuple[str, str], list[Pair]] = {}
    for job, pair in measured(make_plan(request, sorted(os.sched_getaffinity(0))), data_dir):
        found.setdefault((job.workload, job.framework.label), []).append(pair)
    return table([row(*key, pairs) for key, pairs in sorted(found.items())], HEADERS, left=2)


def sampling_request(
    frameworks: str, pairs: int, threads: int, limit_rows: int | None, workloads: str | None = None
) -> Request:
    asked = {"frameworks": frameworks, "workloads": workloads, "repeats": pairs, "limit_rows": limit_rows}
    return Request(suite=str(SUITE), threads=[threads], **asked)


def main(
    frameworks: Annotated[str, typer.Option(help="Whose epochs to measure, as for bench orchestrate.")] = "tf,torch",
    pairs: Annotated[int, typer.Option(help="Pairs of a job that is sampled and one that is not.")] = 10,
    workloads: Annotated[str | None, typer.Option(help="Only these of overhead.yaml's, with commas.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads of a job.")] = 1,
    limit_rows: Annotated[int | None, typer.Option(help="Train on at most so many rows, for a quick look.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where MNIST's files are. [$BENCH_DATA_DIR]")] = None,
) -> None:
    """Measure whether sampling a job disturbs it."""
    request = sampling_request(frameworks, pairs, threads, limit_rows, workloads)
    sys.stdout.write(sampling_table(request, datasets.find_data_dir(data_dir)) + "\n")


if __name__ == "__main__":
    typer.run(main)
