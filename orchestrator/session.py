"""One call of ``bench orchestrate`` or ``bench build``: checks what was asked, chooses the engine, drives the loop."""

import os
import platform
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console

from orchestrator import datasets, gpu, lines
from orchestrator.catalogue import every_entry, find
from orchestrator.documents import RunInfo
from orchestrator.engines import Engine
from orchestrator.engines.compose import ComposeEngine
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.local import LocalEngine
from orchestrator.errors import EngineError, Interrupted, StoreError, UsageError
from orchestrator.monitor.sampler import SAMPLE_SECONDS
from orchestrator.options import Asked, cpus, engine_mistakes, planned
from orchestrator.orchestrate import orchestrate
from orchestrator.plan import Plan, make_plan
from orchestrator.progress import RunProgress
from orchestrator.readiness import unready, with_data, without_unready
from orchestrator.recipe import current_recipes
from orchestrator.request import Request, framework_labels
from orchestrator.store import RunStore, cache_dir
from orchestrator.suite import suite_path
from orchestrator.summary import Summary, summarise
from workers.spec import Job, Result


def run(asked: Asked, console: Console) -> Summary:
    """Do the run and return its summary. Raises BenchError; Interrupted after Ctrl-C, with how to go on."""
    before = RunStore(asked.run).read_info() if asked.run else None
    request, plan = planned(asked, before)
    data_dir = datasets.find_data_dir(asked.data_dir)
    plan = with_data(plan, request, cpus(), data_dir)
    name = asked.engine or (before.engine if before else "auto")
    engine, why = choose_engine(name, asked.sample_seconds)
    console.print(f"Engine: {engine.name} ({why}).", highlight=False)
    plan, left_out = without_unready(plan, request, cpus(), engine)
    no_gpu = engine.why_no_gpu() if request.gpu else None
    if no_gpu:
        raise EngineError(no_gpu)
    store = RunStore(asked.run or _new_folder(asked.output, plan.suite.suite))
    with store.in_use():
        info = _info(asked, request, plan, engine, store)
        if before is not None:
            info = _continued(before, info)
        store.write_info(info)
        if before is None or "suite" in asked.given:
            store.keep_suite(suite_path(request.suite))
        if asked.again:
            store.forget_results(plan.train)
        engine.clear(store.folder)
        store.clear_warm_jobs()
        with RunProgress(console) as progress:
            progress.say(f"Run: {store.folder}")
            for text in left_out:
                progress.say(text)
            try:
                for _ in orchestrate(plan, engine, store, cache_dir(), data_dir, progress):
                    pass
            except KeyboardInterrupt:
                raise Interrupted(
                    f"Stopped. What is done is kept in {store.folder}. Go on with:\n  {_continue(asked, store)}"
                ) from None
    progress.say(f"\nResults: {store.folder}  (print them again: bench show {store.folder})")
    return summarise(info, store.jobs(), current_recipes())


def build(
    frameworks: str, engine_name: str, with_gpu: bool, console: Console, base: str | None = None
) -> Iterator[str]:
    """Prepare environments; yield a line for each. Raises UsageError or EngineError.

    ``base``: the image with the framework itself, for those that are built on the user's own.
    """
    mistakes: list[str] = []
    names = framework_labels(frameworks, mistakes)
    device = "gpu" if with_gpu else "cpu"
    mistakes += engine_mistakes(engine_name)
    entries = [replace(entry, base=base) if entry.base_argument else entry for entry in map(find, names)]
    if base is not None and not mistakes and not any(entry.base_argument for entry in entries):
        takers = ", ".join(entry.label for entry in every_entry() if entry.base_argument)
        mistakes.append(f"--base is {base!r}, but none of these is built on an image of yours. One that is: {takers}.")
    if mistakes:
        raise UsageError(mistakes)
    engine, why = choose_engine(engine_name)
    yield f"Engine: {engine.name} ({why})."
    absent = {} if base else unready(frameworks, names, engine, device)
    for entry in entries:
        if entry.label in absent:
            yield f"{entry.label}: unavailable; {absent[entry.label]}."
            continue
        if device not in entry.devices:
            yield f"{entry.label}: nothing to build; {entry.no_gpu}."
            continue
        with console.status(f"preparing {entry.label}") as status:
            prepared = engine.prepare(entry, device, status.update)
        yield f"{entry.label} {entry.version}: {prepared.target}"


def count_lines(
    given: Mapping[str, str], engine_name: str, data_dir: Path | None, run: Path | None, console: Console
) -> list[tuple[Job, Result]]:
    """Return a job and its result, with the lines that it took, for each framework and workload. Raises BenchError.

    ``given``: of a Request, what the user gave; ``run``: the run that gets the jobs, and has the rest of a Request.
    """
    mistakes = engine_mistakes(engine_name)
    if run is not None and "suite" in given:
        mistakes.append("--suite and --run are both given; a run has its own suite. Leave one out.")
    if mistakes:
        raise UsageError(mistakes)
    store = RunStore(run) if run is not None else None
    request = Request(frameworks="all")
    if store is not None:
        request = store.read_info().request.model_copy(update={"suite": str(store.suite_file)})
    request = request.model_copy(update=given)
    make_plan(request, cpus())  # names every mistake before an engine is looked for
    engine, why = choose_engine(engine_name)
    console.print(f"Engine: {engine.name} ({why}).", highlight=False)
    with store.in_use() if store else nullcontext(), RunProgress(console) as progress:
        return list(lines.count_lines(request, engine, cache_dir(), datasets.find_data_dir(data_dir), progress, store))


def choose_engine(name: str, sample_seconds: float = SAMPLE_SECONDS) -> tuple[Engine, str]:
    """Return the engine and why it was taken. Raises EngineError where the one asked for cannot work."""
    local, docker = LocalEngine(cache_dir(), sample_seconds), DockerEngine(sample_seconds)
    asked: dict[str, Engine] = {"local": local, "docker": docker, "compose": ComposeEngine()}
    if name in asked:
        return _working(asked[name]), "as asked"
    reason = docker.why_not()
    if reason is None:
        return docker, "auto: a Docker daemon answers"
    return _working(local), f"auto: {reason.split('. Start')[0]}"


def _working(engine: Engine) -> Engine:
    reason = engine.why_not()
    if reason:
        raise EngineError(f"--engine {engine.name}: {reason}.")
    return engine


def _new_folder(output: Path, suite: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(100):
        folder = output / (f"{suite}-{stamp}" + (f"-{number}" if number else ""))
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror}). Choose another with --output.") from None
    raise StoreError(f"{output} has too many runs of this second; choose another place with --output.")


def _info(asked: Asked, request: Request, plan: Plan, engine: Engine, store: RunStore) -> RunInfo:
    return RunInfo(
        name=store.folder.name,
        suite=plan.suite.suite,
        frameworks=plan.frameworks,
        engine=engine.name,
        device=plan.device,
        threads=plan.threads,
        repeats=plan.repeats,
        altered=request.alterations(),
        request=request,
        command=["bench", *asked.command],
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        host={
            "system": platform.platform(),
            "cpus": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "gpus": ", ".join(gpu.gpu_names()) or None,
            "gpu_driver": gpu.driver_version(),
        },
        unavailable=plan.unavailable,
    )


def _continued(before: RunInfo, now: RunInfo) -> RunInfo:
    """Return the description of a run that goes on: what was asked for at first, widened by what is asked now."""
    frameworks = list(dict.fromkeys([*before.frameworks, *now.frameworks]))
    repeats = max(before.repeats, now.repeats)
    threads = sorted({*before.threads, *now.threads})
    absent = {**before.unavailable, **now.unavailable}
    variants = {before.request.variant, now.request.variant}
    request = before.request.model_copy(
        update={
            "frameworks": ",".join(frameworks),
            "repeats": repeats,
            "threads": threads,
            "variant": variants.pop() if len(variants) == 1 else "both",
        }
    )
    return before.model_copy(
        update={
            "frameworks": frameworks,
            "repeats": repeats,
            "threads": threads,
            "altered": list(dict.fromkeys([*before.altered, *now.altered])),
            "request": request,
            "continued": [*before.continued, now.command],
            "unavailable": {label: reason for label, reason in absent.items() if label not in frameworks},
        }
    )


def _continue(asked: Asked, store: RunStore) -> str:
    """Return the command line that goes on with this run."""
    words = ["bench", *(word for word in asked.command if word != "--again")]
    return shlex.join(words if asked.run else [*words, "--run", str(store.folder)])
