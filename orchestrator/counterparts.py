"""A row of one run beside its counterpart of another: comparable or not, the verdict, and all that differs. Pure."""

from collections.abc import Callable

from orchestrator import differences, notes, stats
from orchestrator.cells import Cell, Row, read_cell
from orchestrator.changes import QUANTITIES, Change, Score, Verdict, change_of, scores_of, verdict
from orchestrator.documents import RunInfo
from workers.spec import Record, Result

Ran = tuple[Row, RunInfo]


class Place(Record):
    """By what rows of two runs are matched."""

    workload: str
    variant: str
    framework: str
    device: str
    threads: int
    epochs: int


class Compared(Place):
    """One framework on one workload in both runs, read after so many epochs.

    ``verdict``: by training time. ``beyond``: the whole interval lies beyond the threshold. ``how_sure``: the same in
    words. ``reasons``: why it is not comparable. ``changed``: what else differs, which is what the verdict is about.
    ``warnings``: what makes its times less sure. ``unsupported``: in both runs, so that nothing is amiss.
    """

    verdict: Verdict
    beyond: bool = False
    how_sure: str | None
    version_a: str
    version_b: str
    train_seconds: Change
    predict_seconds: Change
    build_seconds: Change
    peak_rss_bytes: Change
    scores: list[Score] = []
    reasons: list[str] = []
    changed: list[str] = []
    warnings: list[str] = []
    unsupported: bool = False


def place_of(row: Row) -> Place:
    job = row.rounds[0][0]
    return Place(
        workload=job.workload,
        variant=job.variant,
        framework=job.framework.label,
        device=job.device,
        threads=job.threads,
        epochs=row.epochs,
    )


def compare_rows(a: Ran, b: Ran, threshold: float, across_hosts: bool) -> Compared:
    """Return what became of a row of A in B. ``across_hosts``: another host is named, and no reason against it."""
    (row_a, info_a), (row_b, info_b) = a, b
    cell_a, cell_b = read_cell(row_a, {}), read_cell(row_b, {})
    hosts = differences.of_host(row_a, row_b, info_a, info_b)
    reasons = [
        *differences.of_computation(row_a, row_b),
        *differences.of_engine(row_a, row_b),
        *([] if across_hosts else hosts),
        *_unsound(row_a, cell_a, "A"),
        *_unsound(row_b, cell_b, "B"),
    ]
    train = change_of(list(row_a.seconds().values()), list(row_b.seconds().values()), not reasons)
    if train.ratio is not None and train.ratio.low is None:
        reasons.append(f"under {stats.FEWEST} rounds there is no interval: nothing can be said of a ratio")
    warnings = [*_noise(cell_a, "A"), *_noise(cell_b, "B")]
    word, beyond, how_sure = (
        ("not comparable", False, None) if reasons else verdict(train.ratio, threshold, bool(warnings))
    )
    further = {
        name: change_of(_each(row_a, read), _each(row_b, read), not reasons and _like(name, cell_a, cell_b))
        for name, read in QUANTITIES.items()
    }
    return Compared(
        **place_of(row_a).model_dump(),
        verdict=word,
        beyond=beyond,
        how_sure=how_sure,
        version_a=cell_a.version,
        version_b=cell_b.version,
        train_seconds=train,
        **further,
        scores=[] if reasons else scores_of(cell_a, cell_b),
        reasons=reasons,
        changed=[*(hosts if across_hosts else []), *differences.of_software(row_a, row_b, info_a, info_b)],
        warnings=warnings,
        unsupported=all(result.status == "unsupported" for row in (row_a, row_b) for _, result in row.rounds if result),
    )


def _unsound(row: Row, cell: Cell, letter: str) -> list[str]:
    """Return why a row of one run says nothing about its framework's speed."""
    texts = []
    if cell.parity != "passed":
        texts.append(f"the parity gate {'failed' if cell.parity == 'failed' else 'was not run'} in {letter}")
    if cell.rounds_ok < cell.rounds:
        bad = sorted({result.status for _, result in row.rounds if result and result.status != "ok"})
        texts.append(f"{cell.rounds_ok} of {cell.rounds} rounds are ok in {letter} (others: {', '.join(bad)})")
    if cell.mixed:
        texts.append(f"its rounds ran in different environments in {letter}")
    return texts + [f"several hosts in {letter}: {text}" for text in differences.several_hosts(row)]


def _each(row: Row, read: Callable[[Result], float | None]) -> list[float]:
    return [value for _, result in row.ok if (value := read(result)) is not None]


def _like(quantity: str, a: Cell, b: Cell) -> bool:
    """Whether a quantity means the same in both: a build with a cold compile cache is another than with a warm one."""
    return quantity != "build_seconds" or a.compile_cache == b.compile_cache


def _noise(cell: Cell, letter: str) -> list[str]:
    texts = []
    if cell.spread is not None and cell.spread > notes.WIDE_SPREAD:
        texts.append(f"{letter}: rounds spread over {cell.spread:.0%}")
    if cell.other_cpus_busy is not None and cell.other_cpus_busy > notes.BUSY_CPUS:
        texts.append(f"{letter}: others kept up to {cell.other_cpus_busy:.1f} CPUs busy")
    return texts
