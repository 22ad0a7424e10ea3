"""One framework on one workload, over its rounds: what a row of a table says, and the numbers behind it."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from orchestrator import stats
from orchestrator.monitor.resources import typical
from workers.compat import Literal
from workers.spec import Job, Phases, Record, Resources, Result, Target

Parity = Literal["passed", "failed", "not run"]
Recipes = Mapping[tuple[str, str], str]


class Estimate(Record):
    """A median with its 95% interval, null under three rounds."""

    median: float
    low: float | None = None
    high: float | None = None


class Cell(Record):
    """One framework on one workload, read after so many epochs, over all rounds that are ok.

    ``ratio``: training time over the fastest comparable framework's, paired by round. ``tie``: its interval includes 1;
    null where nothing can be said. ``comparable``: variant ``matched``, the gate passed, every round is ok, and all
    rounds were measured in one environment (``mixed``: they were not). ``stale``: measured with a worker or image
    recipe that has changed since. ``spread``, ``first_epoch_factor``: see ``stats``; ``other_cpus_busy``: the most of
    any round. ``differs``: in variant ``paper``, in words, what is not as in the matched one. ``target``: what it was
    trained towards; ``train_seconds`` is then the time to it, ``epochs`` the most there could be. ``scale``: the share
    of the suite's rows and epochs. ``synthetic``: no score means anything. ``cpus``: those that the job had.
    ``resources``: per phase, medians over the rounds. ``constant_errors``: of always answering the training rows' mean.
    """

    variant: str
    workload: str
    dataset: str
    synthetic: bool = False
    scale: float = 1.0
    target: Target | None = None
    epochs: int
    framework: str
    version: str
    device: str
    threads: int
    train_rows: int
    batch_size: int
    rounds: int
    rounds_ok: int
    parity: Parity
    comparable: bool
    stale: bool = False
    mixed: bool = False
    train_seconds: Estimate | None = None
    ratio: Estimate | None = None
    fastest: bool = False
    tie: bool | None = None
    predict_seconds: float | None = None
    predict_rows_per_second: float | None = None
    latency_seconds: float | None = None
    accuracy: float | None = None
    perplexity: float | None = None
    squared_error: float | None = None
    absolute_error: float | None = None
    constant_errors: dict[str, float] = {}
    epochs_to_target: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    build_seconds: float | None = None
    compile_cache: str | None = None
    spread: float | None = None
    first_epoch_factor: float | None = None
    other_cpus_busy: float | None = None
    cpus: int | None = None
    resources: list[Resources] = []
    differs: list[str] = []

    @property
    def threads_words(self) -> str:
        """Return ``1 thread``, or ``8 threads on 2 CPUs`` where they are too many."""
        words = f"{self.threads} {'thread' if self.threads == 1 else 'threads'}"
        return words + (f" on {self.cpus} CPUs" if self.cpus and self.threads > self.cpus else "")


class Overall(Record):
    """A framework over all workloads: the geometric mean of its time ratios to the fastest one, paired by round."""

    framework: str
    device: str
    threads: int
    workloads: int
    ratio: Estimate
    fastest: bool = False
    tie: bool | None = None


class Row(NamedTuple):
    """A cell's jobs with the results there are; read after so many epochs."""

    epochs: int
    rounds: list[tuple[Job, Result | None]]

    @property
    def ok(self) -> list[tuple[Job, Result]]:
        return [(job, result) for job, result in self.rounds if result is not None and result.status == "ok"]

    def seconds(self) -> dict[int, float]:
        """Return {repeat: seconds of training up to the reading}."""
        return {job.repeat: train_seconds(result, self.epochs) for job, result in self.ok}


def train_seconds(result: Result, epochs: int) -> float:
    return sum(epoch.train_seconds for epoch in result.epochs[:epochs])


def read_cell(row: Row, recipes: Recipes) -> Cell:
    """Return the cell of a row, not yet ranked among others."""
    job = row.rounds[0][0]
    verdict = next((other.parity for other, _ in row.rounds if other.parity is not None), None)
    parity: Parity = "not run" if verdict is None else "passed" if verdict.passed else "failed"
    results = [result for _, result in row.ok]
    made_by = {(r.environment.engine, r.environment.recipe_hash, r.environment.image_id) for r in results}
    recipe = recipes.get((job.framework.label, job.device))
    cell = Cell(
        variant=job.variant,
        workload=job.workload,
        dataset=job.dataset.name,
        synthetic=job.dataset.synthetic,
        scale=job.scale,
        target=job.target,
        epochs=row.epochs,
        framework=job.framework.label,
        version=job.framework.version,
        device=job.device,
        threads=job.threads,
        train_rows=job.dataset.train_rows,
        batch_size=job.recipe.batch_size,
        rounds=len(row.rounds),
        rounds_ok=len(results),
        parity=parity,
        comparable=parity == "passed" and len(results) == len(row.rounds) and job.variant == "matched",
        stale=recipe is not None and any(r.environment.recipe_hash not in (None, recipe) for r in results),
        mixed=len(made_by) > 1,
        differs=job.differs,
    )
    if cell.mixed:
        cell.comparable = False
    if results:
        _measured(cell, job, results)
    return cell


def build_seconds(phases: Phases) -> float | None:
    """Return what passes before a model can be trained at its speed: its making, and a virtual machine's warm-up."""
    return None if phases.build_seconds is None else phases.build_seconds + (phases.warm_up_seconds or 0.0)


def _measured(cell: Cell, job: Job, results: Sequence[Result]) -> None:
    """Fill in what the ok rounds of a cell measured."""
    read = [result.epochs[: cell.epochs][-1] for result in results]  # a target may be reached earlier
    times = [train_seconds(result, cell.epochs) for result in results]
    cell.train_seconds = as_record(stats.estimate(times))
    cell.predict_seconds = middle([median(r.predict_seconds) for r in results if r.predict_seconds])
    cell.predict_rows_per_second = job.dataset.test_rows / cell.predict_seconds if cell.predict_seconds else None
    cell.latency_seconds = middle([median(r.latency_seconds) for r in results if r.latency_seconds])
    for name in ("accuracy", "perplexity", "squared_error", "absolute_error", "validation_accuracy", "test_loss"):
        setattr(cell, name, middle([getattr(epoch, name) for epoch in read]))
    cell.resources = typical([result.resources for result in results])
    cell.constant_errors = results[0].constant_errors
    cell.epochs_to_target = middle([result.epochs_to_target for result in results])
    cell.cpus = min((r.environment.cpu_count for r in results if r.environment.cpu_count), default=None)
    cell.build_seconds = middle([build_seconds(result.phases) for result in results])
    caches = {result.environment.compile_cache for result in results}
    cell.compile_cache = caches.pop() if len(caches) == 1 else "cold or warm"
    cell.spread = stats.spread(times) if len(times) > 1 else None
    factors = [stats.first_epoch_factor([e.train_seconds for e in r.epochs[: cell.epochs]]) for r in results]
    cell.first_epoch_factor = None if job.carried_epochs else middle(factors)
    busy = [r.environment.other_cpus_busy for r in results if r.environment.other_cpus_busy is not None]
    cell.other_cpus_busy = max(busy, default=None)


def middle(values: Sequence[float | None]) -> float | None:
    """Return the median of the values there are, or None."""
    there = [value for value in values if value is not None]
    return median(there) if there else None


def as_record(value: stats.Estimate) -> Estimate:
    return Estimate(median=value.median, low=value.low, high=value.high)


def last_readings(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells without those that read a training before its end: one training has one use of resources."""
    last: dict[tuple[object, ...], Cell] = {}
    for cell in cells:
        key = cell.variant, cell.workload, cell.framework, cell.device, cell.threads
        if key not in last or cell.epochs > last[key].epochs:
            last[key] = cell
    return list(last.values())
