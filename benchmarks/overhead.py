"""What Bakeoff costs, in one run: around a job, before a command, inside an epoch and a prediction. Prints Markdown.

usage: python benchmarks/overhead.py [--frameworks all-modes] [--repeats 10] [--data-dir DIR] [--output PAGE]

Each figure is a ratio of two things measured in turn, with the interval of orchestrator/stats.py:
a null job by the docker engine over a bare `docker run` of the same image and command; `bench --help` over
`python -c pass`; an epoch of a job that is sampled over one that is not (benchmarks/sampling.py); and, in the same
environment, the harness's steady epoch and its prediction over those of the script in plain/.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.beside import ASKED, WISHED, Both, Samples, beside_plain, over_plain, reached, samples, slower
from benchmarks.sampling import sampling_request, sampling_table
from orchestrator import datasets, session, stats
from orchestrator.catalogue import find
from orchestrator.engines import Engine
from orchestrator.engines.docker import RUN_DIR, DockerEngine
from orchestrator.monitor.sampler import SAMPLE_SECONDS
from orchestrator.plan import identified, make_plan
from orchestrator.readiness import without_unready
from orchestrator.report.tables import number, table
from orchestrator.request import Request
from orchestrator.store import RunStore, cache_dir
from workers.spec import Job

HERE = Path(__file__).resolve().parent
PAIRS = 15  # of the quick commands
GOALS = {"null": 1.2, "help_seconds": 0.3}
EPOCHS = {"mlp": 8, "cnn": 4}  # of either side in a round


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


def measured(request: Request, data_dir: Path | None, engine: Engine) -> Iterator[tuple[str, str, list[Both] | str]]:
    """Yield (framework, workload, a pair of the harness and its plain script a round, or why there is none)."""
    cpus = sorted(os.sched_getaffinity(0))
    plan, left_out = without_unready(make_plan(request, cpus), request, cpus, engine)
    for text in left_out:
        print(text, file=sys.stderr)
    source = datasets.prepare("mnist", cache_dir(), data_dir, progress=True)
    for label in dict.fromkeys(job.framework.label for job in plan.train):
        prepared = engine.prepare(find(label), "cpu", lambda text: print(text, file=sys.stderr))
        for workload, epochs in EPOCHS.items():
            print(f"{label}: {workload}", file=sys.stderr)
            own = {"frameworks": label, "workloads": workload, "epochs": [epochs], "repeats": 1}
            alone = make_plan(request.model_copy(update=own), cpus)
            try:
                with tempfile.TemporaryDirectory() as name:
                    found = beside_plain(prepared, alone, source, Path(name), cache_dir(), rounds=request.repeats or 1)
            except subprocess.SubprocessError as error:
                yield label, workload, f"its process failed ({type(error).__name__}); what it printed stands above"
                continue
            pairs = found[workload]["none"]
            bad = [result for result, _ in pairs if result.status != "ok"]
            yield label, workload, f"{bad[0].status}: {bad[0].reason}" if bad else pairs


def plain_table(request: Request, data_dir: Path | None, engine: Engine) -> str:
    """Return the table of steady epochs and predictions over those of plain scripts, and what in it is too slow."""
    found: dict[tuple[str, str, str], list[Samples]] = {}
    rows, lines = [], []
    try:
        for label, workload, pairs in measured(request, data_dir, engine):
            if isinstance(pairs, str):
                lines.append(f"{label} on {workload} is not measured: {pairs}.")
                continue
            found |= {(what, workload, label): samples_of for what, samples_of in samples(pairs).items()}
    except KeyboardInterrupt:  # an hour in, what was measured is worth its table
        lines.append("It was stopped early, so that some rows are missing.")
    for (what, workload, label), own in sorted(found.items(), key=lambda item: (item[0][0] == "prediction", item[0])):
        value, of_medians = over_plain(own), over_plain(own, median)
        ours, theirs = (number(median(map(min, side))) for side in zip(*own, strict=True))
        rows.append([workload, label, what, ours, theirs, words(value), reached(value), words(of_medians)])
        lines.append(slower(label, workload, what, value))
    ratios = ("harness over plain [95%]", "goal", "of medians")
    headers = ("workload", "framework", "what", "harness: s", "plain: s", *ratios)
    return "\n\n".join([table(rows, headers, left=3), *[f"- {line}" for line in lines if line]])


def main(
    frameworks: Annotated[str, typer.Option(help="Whose epochs to measure, as for bench orchestrate.")] = "all-modes",
    repeats: Annotated[int, typer.Option(help="Rounds of a job and a plain script.")] = 10,
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
        "The harness's steady epoch, and its prediction of all test rows, over those of a plain script with the same "
        "arrays, batches and threads ([benchmarks/plain](../benchmarks/plain), the fastest loop that the framework's "
        f"documentation shows), by turns in one process of the same environment; medians over {repeats} rounds. Of "
        "each round's epochs but the first, and of its predictions, the fastest are compared, as many of either side: "
        "on a shared machine the others say more about its neighbours. *Of medians* is the ratio of the medians "
        f"instead. The goal is a ratio of at most {ASKED}, better {WISHED}: `within` stands where the whole interval "
        "is below, `above` where all of it is above the larger, `not shown` where the rounds do not tell.",
        plain_table(request, datasets.find_data_dir(data_dir), engine),
    ]
    page = "\n\n".join(parts) + "\n"
    sys.stdout.write(page)
    if output is not None:
        output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
