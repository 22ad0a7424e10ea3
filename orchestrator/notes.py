"""What a reader must know beside the numbers, in words: what is missing, what was noisy, what has changed since."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator import stats
from orchestrator.cells import Cell
from workers.spec import Job, Result

WIDE_SPREAD = 0.10  # of a cell's times, between rounds
SLOW_FIRST_EPOCH = 1.5  # times the later ones
SLOW_FIRST_EPOCH_SECONDS = 0.05  # a first epoch longer by less is no news
BUSY_CPUS = 0.25  # by others, while a job trained


def of_unavailable(unavailable: Mapping[str, str]) -> list[str]:
    """Return notes on the frameworks that ``all`` leaves out."""
    return [f"{label} is unavailable: {reason}." for label, reason in sorted(unavailable.items())]


def of_jobs(trained: Sequence[tuple[Job, Result | None]]) -> list[str]:
    """Return notes on the measured jobs as a whole."""
    found = []
    missing = sum(result is None for _, result in trained)
    if missing:
        found.append(f"{missing} of {len(trained)} jobs have no result yet; bench orchestrate --run goes on with them.")
    busiest: dict[tuple[str, int], int] = {}
    for job, result in trained:
        seen = result.environment.threads_seen if result else None
        if seen is not None and seen > job.threads:
            key = job.framework.label, job.threads
            busiest[key] = max(seen, busiest.get(key, 0))
    return found + [
        f"{framework}: up to {seen} threads shared the work, though {asked} were asked for."
        for (framework, asked), seen in sorted(busiest.items())
    ]


def of_cells(cells: Sequence[Cell]) -> list[str]:
    """Return notes on cells: one per framework and matter, with the worst case."""
    found = of_experiments(cells)
    if any(cell.rounds < stats.FEWEST for cell in cells):
        found.append("Under three rounds there is no interval and no winner; --repeats 3 or more gives both.")
    found += _per_framework(
        cells,
        lambda cell: cell.spread if cell.spread and cell.spread > WIDE_SPREAD else None,
        lambda names, cell, value: (
            f"training time varies by more than 10% between rounds on {names} (most: "
            f"{value:.0%}, {cell.workload}). Close other programs, or measure more --repeats."
        ),
    )
    found += _per_framework(
        cells,
        _slow_first_epoch,
        lambda names, cell, value: (
            f"the first epoch takes much longer than the later ones on {names} (most: "
            f"{value:.1f} times, {cell.workload}): something still warms up while it trains."
        ),
    )
    found += _per_framework(
        cells,
        lambda cell: cell.other_cpus_busy if (cell.other_cpus_busy or 0) > BUSY_CPUS else None,
        lambda names, cell, value: (
            f"the machine was loaded: others kept up to {value:.1f} CPUs busy while {names} "
            f"trained (most: {cell.workload}), so times may be too long. Measure again on a quiet machine."
        ),
    )
    found += _per_framework(
        cells,
        lambda cell: 1.0 if cell.stale else None,
        lambda names, cell, value: (
            f"stale: {names} ran with a worker or image that has changed since. "
            f"bench orchestrate --run with --frameworks {cell.framework} measures it anew."
        ),
    )
    found += _per_framework(
        cells,
        lambda cell: 1.0 if cell.mixed else None,
        lambda names, cell, value: (
            f"mixed: rounds of {names} ran in different environments, so they are not compared. "
            f"bench orchestrate --run with --again --frameworks {cell.framework} measures them anew."
        ),
    )
    return found


def of_experiments(cells: Sequence[Cell]) -> list[str]:
    """Return notes on what makes these cells another experiment than the suite's."""
    found = []
    scales = sorted({cell.scale for cell in cells if cell.scale != 1})
    if scales:
        found.append(
            f"Scaled down (scale {', '.join(f'{scale:g}' for scale in scales)}): that share of the rows and, "
            "unless others were asked for, of the epochs. This is not the suite's experiment, and its accuracies are "
            "not the study's."
        )
    synthetic = sorted({cell.dataset for cell in cells if cell.synthetic})
    if synthetic:
        found.append(f"{', '.join(synthetic)}: random numbers. Times hold; no accuracy or loss on them means anything.")
    crowded = sorted({cell.threads_words for cell in cells if cell.cpus and cell.threads > cell.cpus})
    if crowded:
        found.append(f"More threads than CPUs: {', '.join(crowded)}. They share what there is.")
    return found


def _slow_first_epoch(cell: Cell) -> float | None:
    factor = cell.first_epoch_factor
    if factor is None or factor < SLOW_FIRST_EPOCH or cell.train_seconds is None:
        return None
    typical_seconds = cell.train_seconds.median / (cell.epochs - 1 + factor)
    return factor if (factor - 1) * typical_seconds > SLOW_FIRST_EPOCH_SECONDS else None


def _per_framework(
    cells: Iterable[Cell], measure: Callable[[Cell], float | None], words: Callable[[str, Cell, float], str]
) -> list[str]:
    """Return one note for each framework with a cell that ``measure`` finds something on, about the worst of them."""
    hits: dict[str, dict[str, tuple[float, Cell]]] = {}
    for cell in cells:
        value = measure(cell)
        if value is not None:
            by_workload = hits.setdefault(cell.framework, {})
            if cell.workload not in by_workload or value > by_workload[cell.workload][0]:
                by_workload[cell.workload] = (value, cell)
    found = []
    for framework, by_workload in hits.items():
        value, worst = max(by_workload.values(), key=lambda item: item[0])
        names = next(iter(by_workload)) if len(by_workload) == 1 else f"{len(by_workload)} workloads"
        found.append(f"{framework}: {words(names, worst, value)}")
    return found
