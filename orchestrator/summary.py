"""From a run's jobs and results to what its reader asks: who was how fast, how accurate, and how sure we are.

``Summary`` is exactly what ``bench show --format json`` prints.
"""

from collections.abc import Iterable
from statistics import median

from orchestrator import stats
from orchestrator.store import RunInfo
from workers.compat import Field, Literal
from workers.spec import Job, Record, Result, TensorError

Parity = Literal["passed", "failed", "not run"]


class Estimate(Record):
    """A median with its 95% interval, null under three rounds."""

    median: float
    low: float | None = None
    high: float | None = None


class Cell(Record):
    """One framework on one workload, over all rounds that are ok.

    ``ratio``: training time over the fastest comparable framework's, paired by round. ``tie``: its interval
    includes 1; null where nothing can be said. ``comparable``: the gate passed and every round is ok.
    """

    workload: str
    framework: str
    version: str
    device: str
    threads: int
    rounds: int
    rounds_ok: int
    parity: Parity
    comparable: bool
    train_seconds: Estimate | None = None
    ratio: Estimate | None = None
    fastest: bool = False
    tie: bool | None = None
    predict_rows_per_second: float | None = None
    latency_seconds: float | None = None
    accuracy: float | None = None
    test_loss: float | None = None
    build_seconds: float | None = None


class Problem(Record):
    """A job that is not ok, or a gate that failed."""

    job_id: str
    workload: str
    framework: str
    kind: str
    status: str
    reason: str
    log_tail: str | None = None


class Gate(Record):
    """What the parity gate said of a framework on a workload."""

    workload: str
    framework: str
    passed: bool
    reason: str | None = None
    worst: list[TensorError] = []
    ill_conditioned: list[str] = []
    declared_differences: list[str] = []


class Summary(Record):
    """A run in numbers."""

    schema_version: int = Field(default=1)
    run: RunInfo
    cells: list[Cell]
    gates: list[Gate]
    problems: list[Problem]
    jobs: int
    jobs_done: int
    notes: list[str]

    @property
    def failed(self) -> bool:
        """Whether any job is not ok or unsupported, or any gate failed."""
        bad = [problem for problem in self.problems if problem.status != "unsupported"]
        return bool(bad) or any(not gate.passed for gate in self.gates)


Pair = tuple[Job, Result | None]


def summarise(info: RunInfo, pairs: Iterable[Pair]) -> Summary:
    """Return the summary of a run's jobs and the results there are."""
    everything = list(pairs)
    trained = [pair for pair in everything if pair[0].kind == "train"]
    groups: dict[tuple[str, str, int], dict[str, list[Pair]]] = {}
    for job, result in trained:
        group = groups.setdefault((job.workload, job.device, job.threads), {})
        group.setdefault(job.framework.label, []).append((job, result))
    cells = [cell for _, by_framework in sorted(groups.items()) for cell in _ranked(by_framework)]
    gates = [
        _gate(job, result)
        for job, result in everything
        if job.reference_sha256 and result and result.status != "unsupported"
    ]
    return Summary(
        run=info,
        cells=cells,
        gates=gates,
        problems=[problem for job, result in everything if result for problem in _problems(job, result)],
        jobs=len(trained),
        jobs_done=sum(result is not None for _, result in trained),
        notes=_notes(cells, gates, trained),
    )


def _ok(rounds: list[Pair]) -> list[tuple[Job, Result]]:
    return [(job, result) for job, result in rounds if result is not None and result.status == "ok"]


def _cell(rounds: list[Pair]) -> Cell:
    job = rounds[0][0]
    ok = _ok(rounds)
    verdict = next((other.parity for other, _ in rounds if other.parity is not None), None)
    parity: Parity = "not run" if verdict is None else "passed" if verdict.passed else "failed"
    cell = Cell(
        workload=job.workload,
        framework=job.framework.label,
        version=job.framework.version,
        device=job.device,
        threads=job.threads,
        rounds=len(rounds),
        rounds_ok=len(ok),
        parity=parity,
        comparable=parity == "passed" and len(ok) == len(rounds) and job.variant == "matched",
    )
    if ok:
        results = [result for _, result in ok]
        cell.train_seconds = _estimate(stats.estimate([result.train_seconds for result in results]))
        passes = [median(result.predict_seconds) for result in results if result.predict_seconds]
        cell.predict_rows_per_second = job.dataset.test_rows / median(passes) if passes else None
        cell.latency_seconds = _median([median(r.latency_seconds) for r in results if r.latency_seconds])
        cell.accuracy = _median([result.epochs[-1].accuracy for result in results])
        cell.test_loss = _median([result.epochs[-1].test_loss for result in results])
        cell.build_seconds = _median([result.phases.build_seconds for result in results])
    return cell


def _median(values: list[float | None] | list[float]) -> float | None:
    there = [value for value in values if value is not None]
    return median(there) if there else None


def _estimate(value: stats.Estimate) -> Estimate:
    return Estimate(median=value.median, low=value.low, high=value.high)


def _ranked(by_framework: dict[str, list[Pair]]) -> list[Cell]:
    """Return the cells of one workload, device and thread count, fastest first, each comparable one with its
    ratio to the fastest. Under three rounds there are ratios, but no winner."""
    cells = [_cell(rounds) for rounds in by_framework.values()]
    cells.sort(key=lambda cell: cell.train_seconds.median if cell.train_seconds else float("inf"))
    ranked = [cell for cell in cells if cell.comparable and cell.train_seconds]
    if len(ranked) < 2:
        return cells
    fastest = ranked[0]
    fastest.fastest = fastest.rounds_ok >= stats.FEWEST
    base = _seconds(by_framework[fastest.framework])
    for cell in ranked:
        times = _seconds(by_framework[cell.framework])
        rounds = sorted(set(times) & set(base))
        value = stats.ratio([times[r] for r in rounds], [base[r] for r in rounds])
        cell.ratio = _estimate(value)
        if cell is not fastest and value.low is not None:
            cell.tie = stats.is_tie(value)
    if fastest.fastest:
        fastest.tie = any(cell.tie for cell in ranked[1:])
    return cells


def _seconds(rounds: list[Pair]) -> dict[int, float]:
    return {job.repeat: result.train_seconds for job, result in _ok(rounds)}


def _gate(job: Job, result: Result) -> Gate:
    verdict = result.parity
    if verdict is None:
        reason = f"the gate's job is {result.status}: {result.reason}"
        return Gate(workload=job.workload, framework=job.framework.label, passed=False, reason=reason)
    return Gate(
        workload=job.workload,
        framework=job.framework.label,
        passed=verdict.passed,
        reason=verdict.reason,
        worst=verdict.worst,
        ill_conditioned=verdict.ill_conditioned,
        declared_differences=verdict.declared_differences,
    )


def _problems(job: Job, result: Result) -> list[Problem]:
    verdict = result.parity if job.kind == "parity" else None
    if result.status == "ok" and (verdict is None or verdict.passed):
        return []
    failed_gate = result.status == "ok" and verdict is not None
    return [
        Problem(
            job_id=job.id,
            workload=job.workload,
            framework=job.framework.label,
            kind=job.kind,
            status="gate failed" if failed_gate else result.status,
            reason=(verdict.reason if failed_gate and verdict else result.reason) or "no reason given",
            log_tail=result.log_tail,
        )
    ]


def _notes(cells: list[Cell], gates: list[Gate], trained: list[Pair]) -> list[str]:
    """Return what a reader must know beside the numbers."""
    notes = []
    missing = sum(result is None for _, result in trained)
    if missing:
        notes.append(f"{missing} of {len(trained)} jobs have no result yet.")
    if any(cell.rounds < stats.FEWEST for cell in cells):
        notes.append("Under three rounds there is no interval and no winner; --rounds 3 or more gives both.")
    busiest: dict[tuple[str, int], int] = {}
    for job, result in trained:
        seen = result.environment.threads_seen if result else None
        if seen is not None and seen > job.threads:
            key = job.framework.label, job.threads
            busiest[key] = max(seen, busiest.get(key, 0))
    for (framework, asked), seen in sorted(busiest.items()):
        notes.append(f"{framework}: up to {seen} threads shared the work, though {asked} were asked for.")
    for gate in gates:
        notes += [f"{gate.framework} on {gate.workload}: {text}" for text in gate.declared_differences]
        if gate.ill_conditioned:
            tensors = ", ".join(gate.ill_conditioned)
            notes.append(f"{gate.framework} on {gate.workload}: the gate says nothing of {tensors} (ill-conditioned).")
    return list(dict.fromkeys(notes))
