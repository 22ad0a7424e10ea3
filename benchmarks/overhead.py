"""What Bakeoff costs, in one run: around a job, before a command, inside an epoch and a prediction. Prints Markdown.

usage: python benchmarks/overhead.py [--frameworks all-modes] [--repeats 5] [--data-dir DIR] [--output docs/overhead.md]

Each figure is a ratio of two things measured in turn, with the interval of orchestrator/stats.py:
a null job by the docker engine over a bare `docker run` of the same image and command; `bench --help` over
`python -c pass`; an epoch of a job that is sampled over one that is not (benchmarks/sampling.py); and, in the same
environment, the harness's steady epoch and its prediction over those of the script in plain/.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.sampling import sampling_request, sampling_table
from orchestrator import datasets, session, stats
from orchestrator.catalogue import find
from orchestrator.engines import Engine, Prepared
from orchestrator.engines.docker import RUN_DIR, DockerEngine
from orchestrator.monitor.sampler import SAMPLE_SECONDS
from orchestrator.orchestrate import orchestrate
from orchestrator.plan import Plan, identified, make_plan
from orchestrator.progress import RunProgress
from orchestrator.readiness import without_unready
from orchestrator.report.tables import number, table
from orchestrator.request import Request
from orchestrator.store import RunStore, cache_dir
from workers.spec import Job, Result
from workers.threads import VARIABLES

HERE = Path(__file__).resolve().parent
PAIRS = 15  # of the quick commands
GOALS = {"null": 1.2, "help_seconds": 0.3, "plain": (1.02, 1.05)}  # plain: what is wished for, what is asked for
SUSPECTS = {
    "training epoch": "something besides the training step runs in it",
    "prediction": "something besides one pass in batches runs in it",
}


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def alternate(one: Callable[[], object], other: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Return the seconds of both, taken in turn, after one uncounted call of each."""
    one(), other()
    pairs = [(seconds(one), seconds(other)) for _ in range(PAIRS)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def words(value: stats.Estimate) -> str:
    return (
        f"{value.median:.3f} [{value.low:.3f}, {value.high:.3f}]" if value.low and value.high else f"{value.median:.3f}"
    )


def quiet(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


# ---------------------------------------------------------------------------- around a job


def null_job(job: Job) -> str:
    """Return the line on a null job, or why there is none."""
    engine = DockerEngine()
    reason = engine.why_not()
    if reason:
        return f"Not measured: a null job is compared with a bare `docker run`, and {reason}."
    prepared = engine.prepare(find("numpy"), "cpu", print)
    with tempfile.TemporaryDirectory() as name:
        store = RunStore(Path(name))
        store.inputs.mkdir()

        def orchestrated() -> None:
            folder = store.write_job(job)
            result = engine.run(prepared, job, folder, None)
            store.write_result(result)
            assert result.status == "ok", result.reason

        command = ("python", "-m", "workers", f"{RUN_DIR}/jobs/{job.id}")

        def bare() -> None:
            store.write_job(job)
            user = f"{os.getuid()}:{os.getgid()}"
            quiet("docker", "run", "--rm", "--user", user, "--volume", f"{name}:{RUN_DIR}", prepared.target, *command)

        ours, theirs = alternate(orchestrated, bare)
    value = stats.ratio(ours, theirs)
    return (
        f"A null job by the docker engine takes {median(ours):.2f} s, a bare `docker run` of the same image and "
        f"command {median(theirs):.2f} s: ratio {words(value)} over {PAIRS} pairs (goal: at most {GOALS['null']})."
    )


# ---------------------------------------------------------------------------- before a command


def help_text() -> str:
    """Return the lines on `bench --help` and on what it imports."""
    ours = [sys.executable, "-c", "from orchestrator.cli import main; main()", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}

    def shown() -> None:
        subprocess.run(ours, env=environment, check=True, capture_output=True)

    helps, passes = alternate(shown, lambda: quiet(sys.executable, "-c", "pass"))
    value = stats.ratio(helps, passes)
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", *ours[1:]], env=environment, check=True, capture_output=True, text=True
    )
    by_package: dict[str, int] = {}
    for microseconds, module in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", imported.stderr):
        package = module.split(".")[0]
        by_package[package] = by_package.get(package, 0) + int(microseconds)
    most = sorted(by_package.items(), key=lambda item: -item[1])[:4]
    shares = ", ".join(f"`{package}` {microseconds / 1000:.0f} ms" for package, microseconds in most)
    return (
        f"`bench --help` takes {median(helps):.2f} s (goal: under {GOALS['help_seconds']} s), `python -c pass` "
        f"{median(passes):.3f} s: ratio {words(value)} over {PAIRS} pairs. Most of it is importing: {shares}."
    )


# ---------------------------------------------------------------------------- inside an epoch and a prediction


class Plain(NamedTuple):
    """What a plain script prints: the seconds of each epoch, and of each prediction of all test rows."""

    epoch_seconds: list[float]
    predict_seconds: list[float]


Samples = tuple[list[float], list[float]]  # the harness's seconds, the plain script's


def steady(result: Result, plain: Plain) -> dict[str, Samples]:
    """Return {what: its seconds}: as many of either side, without the first, in which something may warm up."""
    epochs = [epoch.train_seconds for epoch in result.epochs]
    sides = {
        "training epoch": (epochs, plain.epoch_seconds),
        "prediction": (result.predict_seconds, plain.predict_seconds),
    }
    counts = {what: min(map(len, both)) for what, both in sides.items()}
    return {what: (ours[1 : counts[what]], theirs[1 : counts[what]]) for what, (ours, theirs) in sides.items()}


def over_plain(pairs: list[Samples], of: Callable[[list[float]], float] = min) -> stats.Estimate:
    """Return the ratio of the fastest of either side: on a shared machine, what slows others down is outside them."""
    return stats.estimate([of(ours) / of(theirs) for ours, theirs in pairs])


def reached(value: stats.Estimate) -> str:
    """Return what the whole interval of a ratio to the plain script shows: within which goal it is, or above both."""
    for goal in GOALS["plain"]:
        if value.high is not None and value.high <= goal:
            return f"within {goal}"
    return "above" if value.low is not None and value.low > GOALS["plain"][-1] else "not shown"


def slower(label: str, workload: str, what: str, value: stats.Estimate) -> str | None:
    """Return in words that the harness takes longer than the plain script; None where the interval does not show it."""
    if reached(value) != "above":
        return None
    return (
        f"{label} on {workload}: a {what} takes {value.median:.2f} times what its plain script does, "
        f"more than is asked for (at most {GOALS['plain'][-1]}): {SUSPECTS[what]}."
    )


def plain_command(engine: Engine, prepared: Prepared, job: Job, data: Path) -> list[str]:
    """Return how the plain script of a job's framework is run, in the job's environment and on its CPUs."""
    entry, cpus = prepared.entry, ",".join(map(str, job.limits.cpu_set))
    keras_2 = entry.package == "keras" and entry.version.startswith("2.")
    script = [f"{'keras2' if keras_2 else entry.name}_plain.py", str(data), job.workload, str(job.recipe.epochs)]
    script += ["--threads", str(job.threads), "--seed", str(job.seed)]
    variables = {name: str(job.threads) for name in VARIABLES}
    if entry.name == "keras":
        backend = entry.mode or "tensorflow"
        variables["KERAS_BACKEND"] = "tensorflow" if backend == "tf2.2" else backend
    elif entry.mode:
        script += ["--mode", entry.mode]
    if engine.name == "docker":
        settings = [
            word for name, value in {**variables, "HOME": "/tmp"}.items() for word in ("--env", f"{name}={value}")
        ]
        mounts = ["--volume", f"{HERE / 'plain'}:/plain:ro", "--volume", f"{data}:/data:ro"]
        script[0], script[1] = f"/plain/{script[0]}", "/data"
        closed = ["--network", "none", "--cpuset-cpus", cpus]
        return ["docker", "run", "--rm", *closed, *settings, *mounts, prepared.target, "python", *script]
    script[0] = str(HERE / "plain" / script[0])
    settings = [f"{name}={value}" for name, value in variables.items()]
    return ["env", *settings, "taskset", "--cpu-list", cpus, prepared.target, *script]


def plain_seconds(command: list[str]) -> Plain:
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{run.stderr[-3000:]}")
    return Plain(**json.loads(run.stdout.strip().splitlines()[-1]))


def write_rows(source: Path, job: Job, folder: Path) -> None:
    """Write the rows that a job trains on and predicts, for its plain script."""
    for array in ("train_x", "train_y", "test_x"):
        rows = job.dataset.test_rows if array == "test_x" else job.dataset.train_rows
        np.save(folder / f"{array}.npy", np.load(source / f"{array}.npy")[:rows])


def measured(request: Request, data_dir: Path | None, engine: Engine) -> Iterator[tuple[Job, Result, Plain]]:
    """Run the harness's jobs, each followed by its plain script on the same rows; yield both."""
    cpus = sorted(os.sched_getaffinity(0))
    plan, left_out = without_unready(make_plan(request, cpus), request, cpus, engine)
    for text in left_out:
        print(text, file=sys.stderr)
    jobs = {job.id: job for job in plan.train}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        source = datasets.prepare("mnist", cache_dir(), data_dir, progress=True)
        write_rows(source, plan.train[0], data)
        yield from _measured(plan, jobs, data, data_dir, engine)


def _measured(
    plan: Plan, jobs: dict[str, Job], data: Path, data_dir: Path | None, engine: Engine
) -> Iterator[tuple[Job, Result, Plain]]:
    with tempfile.TemporaryDirectory() as name, RunProgress(session.Console(stderr=True)) as progress:
        for result in orchestrate(plan, engine, RunStore(Path(name)), cache_dir(), data_dir, progress):
            job = jobs.get(result.job_id)
            if job is None:
                continue
            if result.status != "ok":
                raise SystemExit(f"{job.id} is {result.status}: {result.reason}")
            prepared = engine.prepare(find(job.framework.label), "cpu", progress.say)
            yield job, result, plain_seconds(plain_command(engine, prepared, job, data))


def plain_table(request: Request, data_dir: Path | None, engine: Engine) -> str:
    """Return the table of steady epochs and predictions over those of plain scripts, and what in it is too slow."""
    found: dict[tuple[str, str, str], list[Samples]] = {}
    rows, lines = [], []
    try:
        for job, result, plain in measured(request, data_dir, engine):
            for what, samples in steady(result, plain).items():
                found.setdefault((what, job.workload, job.framework.label), []).append(samples)
    except KeyboardInterrupt:  # hours in, what was measured is worth its table
        lines.append("It was stopped early, so that some rows have fewer pairs than others, or are missing.")
    for (what, workload, label), pairs in sorted(found.items(), key=lambda item: (item[0][0] == "prediction", item[0])):
        value, of_medians = over_plain(pairs), over_plain(pairs, median)
        ours, theirs = (number(median(map(min, side))) for side in zip(*pairs, strict=True))
        count = str(len(pairs))
        rows.append([workload, label, what, count, ours, theirs, words(value), reached(value), words(of_medians)])
        lines.append(slower(label, workload, what, value))
    ratios = ("harness over plain [95%]", "goal", "of medians")
    headers = ("workload", "framework", "what", "pairs", "harness: s", "plain: s", *ratios)
    return "\n\n".join([table(rows, headers, left=3), *[f"- {line}" for line in lines if line]])


def main(
    frameworks: Annotated[str, typer.Option(help="Whose epochs to measure, as for bench orchestrate.")] = "all-modes",
    repeats: Annotated[int, typer.Option(help="Pairs of a job and a plain script.")] = 5,
    threads: Annotated[int, typer.Option(help="CPU threads of either side.")] = 1,
    limit_rows: Annotated[int | None, typer.Option(help="Train on at most so many rows, for a quick look.")] = None,
    sampled: Annotated[str, typer.Option(help="Whose epochs to measure with and without sampling.")] = "tf,torch",
    pairs: Annotated[int, typer.Option(help="Pairs of a job that is sampled and one that is not.")] = 10,
    engine_name: Annotated[str, typer.Option("--engine", help="auto, docker or local.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="Where MNIST's files are. [$BENCH_DATA_DIR]")] = None,
    output: Annotated[Path | None, typer.Option(help="A file to write the page to as well.")] = None,
) -> None:
    """Measure what Bakeoff costs."""
    request = Request(
        frameworks=frameworks,
        suite=str(HERE / "overhead.yaml"),
        repeats=repeats,
        threads=[threads],
        limit_rows=limit_rows,
    )
    engine, why = session.choose_engine(engine_name)
    template = make_plan(request, sorted(os.sched_getaffinity(0))).train[0]
    wished, asked = GOALS["plain"]
    parts = [
        "# What Bakeoff costs",
        f"Printed by `make bench-overhead` on {os.cpu_count()} CPUs, engine {engine.name} ({why}), {threads} thread"
        + (f", at most {limit_rows:,} rows." if limit_rows else "."),
        null_job(identified(template, "numpy", "null")),
        help_text(),
        f"The steady epoch of a job that is sampled every {SAMPLE_SECONDS:g} s over that of the same job that is not, "
        "in containers, in turn, now the one first and now the other; medians over the pairs. Where 1 lies in the "
        "interval, these pairs show no disturbance.",
        sampling_table(sampling_request(sampled, pairs, threads, limit_rows), datasets.find_data_dir(data_dir)),
        "The harness's steady epoch, and its prediction of all test rows, over those of a plain script in the same "
        "environment, with the same arrays, batches and threads ([benchmarks/plain](../benchmarks/plain), the fastest "
        f"loop that the framework's documentation shows); medians over the pairs. Of each pair's epochs but the "
        "first, and of its predictions, the fastest are compared, as many of either side: on a shared machine the "
        "others say more about its neighbours. *Of medians* is the ratio of the medians instead. The goal is a ratio "
        f"of at most {asked}, better {wished}: `within` stands where the whole interval is below, `above` where all "
        "of it is above the larger, `not shown` where the pairs do not tell.",
        plain_table(request, datasets.find_data_dir(data_dir), engine),
    ]
    page = "\n\n".join(parts) + "\n"
    sys.stdout.write(page)
    if output is not None:
        output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
