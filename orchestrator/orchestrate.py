"""The loop: environments, inputs, references, gates, then the measured jobs in rounds. Yields each result."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from orchestrator import datasets
from orchestrator.attempt import Progress, Run, attempt, record, run_job, warm_up
from orchestrator.capabilities import capabilities
from orchestrator.catalogue import find
from orchestrator.engines import Engine, Prepared
from orchestrator.errors import BenchError, EngineError
from orchestrator.plan import Plan, reference_job
from orchestrator.store import RunStore, write_text, writing
from workers.refusal import refused
from workers.spec import Job, Result, ValidationError, Verdict, pretty_json

# The same job would end so again; others are tried again.
DONE = ("ok", "unsupported", "diverged", "did_not_learn", "missed_target")


def orchestrate(
    plan: Plan, engine: Engine, store: RunStore, cache: Path, data_dir: Path | None, progress: Progress
) -> Iterator[Result]:
    """Run the plan and yield each gate's and each measured job's result, written into the run's folder by then.

    What the run's folder already holds is not run again. Raises BenchError where nothing can be run at all.
    """
    run = Run(plan, engine, store, cache, data_dir, progress, {}, {})
    prepare_inputs(run)
    prepare_environments(run)
    for job in plan.train:
        store.add_job(job)
    progress.plan(len(plan.parity) + len(plan.train))
    gates: dict[tuple[str, ...], Result] = {}
    for job in plan.parity:
        gates[_row(job)] = _gate(run, job)
        yield gates[_row(job)]
    for job in plan.train:
        yield _train(run, job, gates[_row(job)])


def _row(job: Job) -> tuple[str, ...]:
    """Return what the jobs of one gate have in common."""
    return job.variant, job.workload, job.framework.label, job.device, str(job.threads)


def prepare_inputs(run: Run) -> None:
    """Put the datasets and the initial weights where jobs read them."""
    for name in dict.fromkeys(workload.dataset for workload in run.plan.workloads):
        folder = datasets.prepare(name, run.cache, run.data_dir, progress=True)
        run.store.add_data(folder, datasets.describe(name).checksum)
    for drawing in run.plan.weights.values():
        run.store.add_arrays("weights", drawing.arrays())


def prepare_environments(run: Run) -> None:
    """Prepare every framework that can run a job; one that cannot be had is unavailable, and the others go on."""
    run.prepared["numpy reference"] = run.engine.prepare(find("numpy"), "cpu", run.progress.say)
    able = {job.framework.label for job in run.plan.parity if _unsupported(job) is None}
    for label in run.plan.frameworks:
        if label not in able:
            continue  # its jobs say why they are unsupported
        entry = find(label)
        try:
            run.prepared[label] = run.engine.prepare(entry, run.plan.device, run.progress.say)
        except EngineError as error:
            run.progress.say(str(error))
            run.unavailable[label] = str(error).splitlines()[0]
    if len(run.unavailable) == len(run.plan.frameworks):
        raise EngineError("None of the frameworks' environments could be prepared; the causes stand above.")


def refusal_of(run: Run, job: Job) -> Result | None:
    """Return the result of a job that cannot run, known before anything of it is built, or None."""
    label, reason = job.framework.label, _unsupported(job)
    if reason is not None:
        return Result(job_id=job.id, status="unsupported", reason=reason)
    if label in run.unavailable:
        return Result(job_id=job.id, status="unavailable", reason=run.unavailable[label])
    return None


def _unsupported(job: Job) -> str | None:
    """Return why a framework cannot run a job at all, in the words of the catalogue and of its worker."""
    entry = find(job.framework.label)
    if job.device not in entry.devices:
        return entry.no_gpu
    return "; ".join(refused(capabilities(entry.name), job)) or None


# ---------------------------------------------------------------------------- the gate


def _gate(run: Run, job: Job) -> Result:
    """Return the verdict's result: from this run's folder, from the cache, or by running the gate."""
    refusal = refusal_of(run, job)
    if refusal is not None:
        return record(run, job, refusal)
    try:
        job = job.model_copy(update={"reference_sha256": _reference(run, job)})
    except NoReference as error:
        return record(run, job, Result(job_id=job.id, status="failed", reason=str(error)))
    prepared = run.prepared[job.framework.label]
    key = hashlib.sha256(f"{prepared.key} {job.id} {job.reference_sha256}".encode()).hexdigest()[:24]
    cached = run.cache / "gates" / f"{run.engine.name}-{key}.json"
    result = _read_result(cached)
    if result is not None:
        return record(run, job, result, "cached")
    result = run_job(run, prepared, job, "parity gate", keep_compiled=True)
    # A failed one is tried again the next time: someone is mending it.
    if result.status == "unsupported" or (result.status == "ok" and result.parity and result.parity.passed):
        write_text(cached, pretty_json(result))
    return result


class NoReference(BenchError):
    """The float64 reference of a workload could not be made."""


def _reference(run: Run, parity_job: Job) -> str:
    """Return the hash of the workload's reference, which is then among the run's inputs."""
    job = reference_job(parity_job)
    prepared = run.prepared["numpy reference"]
    cached = run.cache / "references" / f"{job.id}-{prepared.recipe_hash[:12]}.npz"
    if not cached.exists():
        folder = run.store.write_job(job)
        run.progress.start(job, "float64 reference")
        result = attempt(run, prepared, job, folder, keep_compiled=False)
        run.store.write_result(result)
        if result.status != "ok":
            raise NoReference(f"the float64 reference of {job.workload} is {result.status}: {result.reason}")
        part = cached.with_suffix(".part")
        with writing(cached):
            cached.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / "reference.npz", part)
            part.replace(cached)
            (folder / "reference.npz").unlink()
    with np.load(cached) as archive:
        return run.store.add_arrays("reference", dict(archive))


# ---------------------------------------------------------------------------- the measured jobs


def _train(run: Run, job: Job, gate: Result) -> Result:
    """Run one measured job, unless its result is there already or the gate showed that it cannot run."""
    refusal = refusal_of(run, job)
    if refusal is None and gate.status == "unsupported":
        refusal = Result(job_id=job.id, status="unsupported", reason=gate.reason)
    if refusal is not None:
        return record(run, job, refusal)
    verdict = gate.parity or Verdict(passed=False, reason=f"the gate's job is {gate.status}: {gate.reason}")
    job = job.model_copy(update={"parity": verdict})
    prepared = run.prepared[job.framework.label]
    result = run.store.read_result(job)
    if result is not None and result.status in DONE and _same_environment(result, prepared, run.engine):
        if result.parity != verdict:  # the gate failed then and passes now, or the other way round
            result.parity = verdict
            run.store.replace_job(job)
            run.store.write_result(result)
        run.progress.finish(job, result, "done before")
        return result
    warm_up(run, prepared, job)
    return run_job(run, prepared, job, f"round {job.repeat + 1} of {run.plan.repeats}", keep_compiled=False)


def _same_environment(result: Result, prepared: Prepared, engine: Engine) -> bool:
    environment = result.environment
    return (environment.engine, environment.recipe_hash, environment.image_id) == (
        engine.name,
        prepared.recipe_hash,
        prepared.image_id,
    )


def _read_result(path: Path) -> Result | None:
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
