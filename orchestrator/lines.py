"""How many lines of code a workload takes in each framework: those of its worker that really ran.

Kovalev et al. 2016 counted the lines of their scripts (Table 1); ``workers/lines.py`` says what counts here.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.attempt import Run, attempt, shortened
from orchestrator.engines import Engine
from orchestrator.orchestrate import prepare_environments, prepare_inputs, refusal_of
from orchestrator.plan import identified, make_plan
from orchestrator.progress import RunProgress
from orchestrator.readiness import with_data, without_unready
from orchestrator.request import Request
from orchestrator.store import RunStore
from workers.spec import Job, Result


def count_lines(
    request: Request,
    engine: Engine,
    cache: Path,
    data_dir: Path | None,
    progress: RunProgress,
    kept_in: RunStore | None = None,
) -> Iterator[tuple[Job, Result]]:
    """Run each framework's shortest job of each workload, traced, and yield it with its result, ``code_lines`` in it.

    ``kept_in``: the run that gets these jobs; those that it has already are not run again. Raises BenchError where
    nothing can be run at all.
    """
    request = request.model_copy(update={"repeats": 1, "threads": [1], "variant": "matched"})
    plan = with_data(make_plan(request, []), request, [], data_dir)
    plan, left_out = without_unready(plan, request, [], engine)
    for text in left_out:
        progress.say(text)
    with _folder(kept_in) as store:
        run = Run(plan, engine, store, cache, data_dir, progress, {}, {})
        prepare_inputs(run)
        prepare_environments(run)
        progress.plan(len(plan.train))
        for measured in plan.train:
            job = identified(shortened(measured), measured.framework.label, "lines")
            result = refusal_of(run, job) or _done(store, job) or _counted(run, job)
            progress.finish(job, result)
            yield job, result


@contextmanager
def _folder(kept_in: RunStore | None) -> Iterator[RunStore]:
    if kept_in is not None:
        yield kept_in
        return
    with tempfile.TemporaryDirectory() as name:
        yield RunStore(Path(name))


def _done(store: RunStore, job: Job) -> Result | None:
    result = store.read_result(job)
    return result if result is not None and result.status == "ok" else None


def _counted(run: Run, job: Job) -> Result:
    run.progress.start(job, "counting lines")
    folder = run.store.write_job(job)
    result = attempt(run, run.prepared[job.framework.label], job, folder, keep_compiled=False)
    run.store.write_result(result)
    return result
