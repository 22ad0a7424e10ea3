"""A run, read whole, as a report needs it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.report import study
from orchestrator.store import RunStore
from orchestrator.suite import Suite, load_suite
from orchestrator.summary import Pair, Summary, summarise
from workers.spec import MEASURED, Job, Result


@dataclass(frozen=True)
class Reported:
    """A run, as a report needs it. ``pairs``: its jobs with the results there are."""

    name: str
    folder: Path
    summary: Summary
    pairs: Sequence[Pair]
    suite: Suite
    figures: study.Figures = ()


def read_run(folder: Path, recipes: dict[tuple[str, str], str] | None = None) -> Reported:
    """Return a run's folder, read whole. Raises UsageError and StoreError for what it lacks."""
    store = RunStore(folder)
    info = store.read_info()
    pairs = list(store.jobs())
    return Reported(
        name=info.name,
        folder=folder,
        summary=summarise(info, pairs, recipes),
        pairs=pairs,
        suite=load_suite(str(store.suite_file)),
        figures=study.read_figures(store.suite_file.with_suffix(".csv")),
    )


def measured(run: Reported) -> Iterator[tuple[Job, Result]]:
    """Yield the measured jobs that have a result."""
    for job, result in run.pairs:
        if job.kind in MEASURED and result is not None:
            yield job, result


def files_of(run: Reported, job: Job, result: Result | None) -> dict[str, str | None]:
    """Return the paths of a job's result and log in the run's folder, None where there is none."""
    log = f"jobs/{job.id}/log.txt"
    return {
        "result": f"jobs/{job.id}/result.json" if result else None,
        "log": log if (run.folder / log).exists() else None,
    }
