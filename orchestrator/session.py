"""One call of ``bench orchestrate`` or ``bench build``: checks what was asked, chooses the engine, drives the loop."""

import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from orchestrator.explain import nearest
from orchestrator.monitor.sampler import LEAST_SECONDS, MOST_SECONDS, SAMPLE_SECONDS
from orchestrator.orchestrate import orchestrate
from orchestrator.plan import Plan, make_plan
from orchestrator.progress import RunProgress
from orchestrator.readiness import unready, with_data, without_unready
from orchestrator.recipe import current_recipes
from orchestrator.request import Request, framework_labels
from orchestrator.store import RunStore, cache_dir
from orchestrator.suite import load_suite, suite_path
from orchestrator.summary import Summary, summarise
from workers.spec import Job, Result

ENGINES = ("auto", "docker", "local")  # and compose, which no user asks for: a service of compose.yaml does
UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


@dataclass(frozen=True)
class Asked:
    """The options of ``bench orchestrate``: ``given``, those of a Request that the user gave, as the command line has
    them; and how and where to run. ``command``: the words after ``bench``. ``sample_seconds``: between two samples of
    what a job uses; 0: none."""

    given: Mapping[str, Any]
    engine: str | None
    data_dir: Path | None
    output: Path
    run: Path | None
    again: bool
    command: list[str]
    sample_seconds: float = SAMPLE_SECONDS


def run(asked: Asked, console: Console) -> Summary:
    """Do the run and return its summary. Raises BenchError; Interrupted after Ctrl-C, with how to go on."""
    before = RunStore(asked.run).read_info() if asked.run else None
    request, plan = _plan(asked, before)
    data_dir = datasets.find_data_dir(asked.data_dir)
    plan = with_data(plan, request, _cpus(), data_dir)
    name = asked.engine or (before.engine if before else "auto")
    engine, why = choose_engine(name, asked.sample_seconds)
    console.print(f"Engine: {engine.name} ({why}).", highlight=False)
    plan, left_out = without_unready(plan, request, _cpus(), engine)
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
    mistakes += _engine_mistakes(engine_name)
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
    frameworks: str, suite: str, workloads: str | None, engine_name: str, data_dir: Path | None, console: Console
) -> list[tuple[Job, Result]]:
    """Return a job and its result, with the lines that it took, for each framework and workload. Raises BenchError."""
    mistakes = _engine_mistakes(engine_name)
    request = Request(frameworks=frameworks, suite=suite, workloads=workloads)
    if mistakes:
        raise UsageError(mistakes)
    make_plan(request, _cpus())  # names every mistake before an engine is looked for
    engine, why = choose_engine(engine_name)
    console.print(f"Engine: {engine.name} ({why}).", highlight=False)
    with RunProgress(console) as progress:
        return list(lines.count_lines(request, engine, cache_dir(), datasets.find_data_dir(data_dir), progress))


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


def _plan(asked: Asked, before: RunInfo | None) -> tuple[Request, Plan]:
    """Return what is asked for and its plan: the options that were given, else those of the run that goes on.

    Raises UsageError with every mistake of the command line and the suite at once.
    """
    mistakes = [] if asked.engine is None else _engine_mistakes(asked.engine)
    if asked.again and asked.run is None:
        mistakes.append("--again replaces rows of a run; name that run with --run.")
    if asked.sample_seconds and not LEAST_SECONDS <= asked.sample_seconds <= MOST_SECONDS:
        allowed = f"{LEAST_SECONDS:g} to {MOST_SECONDS:g} seconds between two samples, or 0 for none"
        mistakes.append(f"--sample-seconds is {asked.sample_seconds:g}; give {allowed}.")
    base = Request()
    if before is not None and asked.run is not None:
        base = before.request.model_copy(update={"suite": str(RunStore(asked.run).suite_file)})
    request = base.model_copy(update=_parsed(asked.given, mistakes))
    if request.synthetic and not mistakes:
        request = _on_synthetic_data(request)
    try:
        plan = make_plan(request, _cpus())
    except UsageError as error:
        raise UsageError([*mistakes, *error.mistakes]) from None
    if mistakes:
        raise UsageError(mistakes)
    settled = {"frameworks": plan.asked, "threads": plan.threads, "repeats": plan.repeats}
    return request.model_copy(update=settled), plan


def _on_synthetic_data(request: Request) -> Request:
    """Return the request with random numbers in place of each of its suite's datasets, made now if need be."""
    stand_ins = {}
    for name in {workload.dataset for workload in load_suite(request.suite).workloads}:
        info = datasets.describe(name)
        most = request.limit_rows if request.limit_rows and not info.views else None
        train, test = (min(there, most or there) for there in (info.train_rows, info.test_rows))
        stand_ins[name] = datasets.make_synthetic(name, train, test)
    return request.model_copy(update={"datasets": stand_ins})


def _parsed(given: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    """Return the given options as a Request has them; what cannot be read is a mistake and left out."""
    readers: dict[str, tuple[str, Callable[[Any], Any], str]] = {
        "memory_bytes": ("--memory", parse_bytes, "a number and a unit, such as 8GiB or 500MiB"),
        "threads": ("--threads", parse_counts, "whole numbers with commas, such as 1,2,4"),
        "epochs": ("--epochs", parse_counts, "whole numbers with commas, such as 1,5,10"),
        "datasets": ("--dataset", parse_pairs, "OLD=NEW, such as cifar10=cifar10-subset"),
    }
    parsed = dict(given)
    for name, (flag, read, wanted) in readers.items():
        if name in given:
            parsed[name] = read(given[name])
            if parsed[name] is None:
                mistakes.append(f"{flag} is {given[name]!r}; give {wanted}.")
                del parsed[name]
    return parsed


def parse_counts(text: str) -> list[int] | None:
    """Return ``1,2,4`` as numbers in the order given, each once, or None."""
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"-?\d{1,9}", word) for word in words):
        return None
    return list(dict.fromkeys(map(int, words)))


def parse_pairs(texts: Sequence[str]) -> dict[str, str] | None:
    """Return ``["a=b", ...]`` as {a: b}, or None."""
    pairs = [[part.strip() for part in text.split("=")] for text in texts]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        return None
    return {pair[0]: pair[1] for pair in pairs}


def _cpus() -> list[int]:
    """Return the CPUs that this process may use."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _engine_mistakes(name: str) -> list[str]:
    return [] if name in (*ENGINES, ComposeEngine.name) else [f"Unknown engine {name!r}. {nearest(name, ENGINES)}"]


def parse_bytes(text: str) -> int | None:
    """Return ``8GiB``, ``500 MB`` or ``1073741824`` in bytes, or None."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match.group(2).upper() not in UNITS:
        return None
    return int(float(match.group(1)) * UNITS[match.group(2).upper()])


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
