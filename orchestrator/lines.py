"""How many lines of code a workload takes in each framework: those of its worker that really ran.

Kovalev et al. 2016 counted the lines of their scripts (Table 1); ``workers/lines.py`` says what counts here.
"""

import tempfile
from collections.abc import Iterator
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
    request: Request, engine: Engine, cache: Path, data_dir: Path | None, progress: RunProgress
) -> Iterator[tuple[Job, Result]]:
    """Run each framework's shortest job of each workload, traced, and yield it with its result, ``code_lines`` in it.

    Raises BenchError where nothing can be run at all.
    """
    request = request.model_copy(update={"repeats": 1, "threads": [1]})
    plan = with_data(make_plan(request, []), request, [], data_dir)
    plan, left_out = without_unready(plan, request, [], engine)
    for text in left_out:
        progress.say(text)
    with tempfile.TemporaryDirectory() as name:
        run = Run(plan, engine, RunStore(Path(name)), cache, data_dir, progress, {}, {})
        prepare_inputs(run)
        prepare_environments(run)
        progress.plan(len(plan.train))
        for measured in plan.train:
            job = identified(shortened(measured), measured.framework.label, "lines")
            result = refusal_of(run, job)
            if result is None:
                progress.start(job, "counting lines")
                folder = run.store.write_job(job)
                result = attempt(run, run.prepared[job.framework.label], job, folder, keep_compiled=False)
            progress.finish(job, result)
            yield job, result
