"""From a run's jobs and results to what its reader asks: who was how fast, how accurate, and how sure we are.

``Summary`` is exactly what ``bench show --format json`` prints.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from orchestrator import notes, stats
from orchestrator.cells import Cell, Overall, Recipes, Row, as_record, read_cell
from orchestrator.documents import RunInfo
from workers.compat import canonical_json
from workers.spec import MEASURED, Job, Record, Result, TensorError


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

    variant: str = "matched"
    workload: str
    framework: str
    passed: bool
    reason: str | None = None
    worst: list[TensorError] = []
    ill_conditioned: list[str] = []
    declared_differences: list[str] = []


class Summary(Record):
    """A run in numbers."""

    schema_version: int = 2
    run: RunInfo
    cells: list[Cell]
    overall: list[Overall]
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
Rows = dict[str, Row]  # of one group, by framework: all that is compared with each other


def summarise(info: RunInfo, pairs: Iterable[Pair], recipes: Recipes | None = None) -> Summary:
    """Return the summary of a run's jobs and the results there are.

    ``recipes``: {(framework, device): the recipe hash that would run now}, by which stale rows are told.
    """
    everything = list(pairs)
    trained = [pair for pair in everything if pair[0].kind in MEASURED]
    groups = grouped(trained)
    ranked = [_ranked(rows, recipes or {}) for rows in groups]
    cells = [cell for group in ranked for cell in group]
    gates = [
        _gate(job, result)
        for job, result in everything
        if job.reference_sha256 and result and result.status != "unsupported"
    ]
    return Summary(
        run=info,
        cells=cells,
        overall=_overall(list(zip(groups, ranked, strict=True))),
        gates=gates,
        problems=[problem for job, result in everything if result for problem in _problems(job, result)],
        jobs=len(trained),
        jobs_done=sum(result is not None for _, result in trained),
        notes=[
            *notes.of_unavailable(info.unavailable),
            *notes.of_jobs(trained),
            *notes.of_cells(cells),
            *_of_gates(gates),
        ],
    )


def grouped(trained: Sequence[Pair]) -> list[Rows]:
    """Return the rows that are compared with each other, group by group: the same computation, device and threads."""
    groups: dict[tuple[str, str, int, int, str, str], Rows] = {}
    for job, result in trained:
        for epochs in job.read_at_epochs or [job.recipe.epochs]:
            key = (job.workload, job.device, job.threads, epochs, job.variant, setting(job))
            row = groups.setdefault(key, {}).setdefault(job.framework.label, Row(epochs, []))
            row.rounds.append((job, result))
    return [rows for _, rows in sorted(groups.items())]


def setting(job: Job) -> str:
    """Return a hash of what is computed, so that a run continued with other options never pools two experiments."""
    parts = [job.recipe, job.dataset, *job.inputs, *job.model.layers, *([job.target] if job.target else [])]
    return hashlib.sha256("".join(map(canonical_json, parts)).encode()).hexdigest()[:12]


def _ranked(rows: Rows, recipes: Recipes) -> list[Cell]:
    """Return the cells of one group, fastest first, each comparable one with its ratio to the fastest.

    Under three rounds there are ratios, but no winner.
    """
    cells = [read_cell(row, recipes) for row in rows.values()]
    cells.sort(key=lambda cell: cell.train_seconds.median if cell.train_seconds else float("inf"))
    ranked = [cell for cell in cells if cell.comparable and cell.train_seconds]
    if len(ranked) < 2 or len(_machines(rows)) > 1:
        return cells
    fastest = ranked[0]
    fastest.fastest = fastest.rounds_ok >= stats.FEWEST
    for cell in ranked:
        value = stats.estimate(_ratios(rows[cell.framework], rows[fastest.framework]))
        cell.ratio = as_record(value)
        if cell is not fastest and value.low is not None:
            cell.tie = stats.is_tie(value)
    if fastest.fastest:
        fastest.tie = any(cell.tie for cell in ranked[1:])
    return cells


def _machines(rows: Rows) -> set[tuple[str | None, str | None, str | None]]:
    """Return the engines and processors that a group's results come from; over one, nothing is compared."""
    found = [result.environment for row in rows.values() for _, result in row.ok]
    return {(environment.engine, environment.cpu_model, environment.gpu_model) for environment in found}


def _ratios(row: Row, base: Row) -> list[float]:
    times, others = row.seconds(), base.seconds()
    return [times[repeat] / others[repeat] for repeat in sorted(set(times) & set(others))]


def _overall(groups: Sequence[tuple[Rows, Sequence[Cell]]]) -> list[Overall]:
    """Return the frameworks that are comparable on every workload, by the geometric mean of their time ratios.

    Each workload counts once, read after its last epoch. With one workload there is nothing to average.
    """
    found = []
    for device, threads in dict.fromkeys((cells[0].device, cells[0].threads) for _, cells in groups):
        last: dict[str, Rows] = {}  # workload -> its rows; groups come in the order of their epochs
        ranked: dict[str, set[str]] = {}
        for rows, cells in groups:
            first = cells[0]
            if (first.device, first.threads, first.variant) == (device, threads, "matched"):
                last[first.workload] = rows
                ranked[first.workload] = {cell.framework for cell in cells if cell.ratio}
        everywhere = set.intersection(*ranked.values()) if ranked else set()
        if len(last) > 1 and len(everywhere) > 1:
            found += _ranked_overall(last, sorted(everywhere), device, threads)
    return found


def _ranked_overall(last: Mapping[str, Rows], frameworks: Sequence[str], device: str, threads: int) -> list[Overall]:
    def compared(framework: str, base: str) -> stats.Estimate:
        return stats.geometric_mean({name: _ratios(rows[framework], rows[base]) for name, rows in last.items()})

    order = sorted(frameworks, key=lambda name: compared(name, frameworks[0]).median)
    fastest = order[0]
    found = []
    for name in order:
        value = compared(name, fastest)
        tie = None if name == fastest or value.low is None else stats.is_tie(value)
        found.append(
            Overall(
                framework=name, device=device, threads=threads, workloads=len(last), ratio=as_record(value), tie=tie
            )
        )
    found[0].fastest = found[-1].ratio.low is not None
    if found[0].fastest:
        found[0].tie = any(item.tie for item in found[1:])
    return found


def _gate(job: Job, result: Result) -> Gate:
    verdict = result.parity
    gate = Gate(variant=job.variant, workload=job.workload, framework=job.framework.label, passed=False)
    if verdict is None:
        gate.reason = f"the gate's job is {result.status}: {result.reason}"
        return gate
    return gate.model_copy(
        update={
            "passed": verdict.passed,
            "reason": verdict.reason,
            "worst": verdict.worst,
            "ill_conditioned": verdict.ill_conditioned,
            "declared_differences": verdict.declared_differences,
        }
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


def _of_gates(gates: Sequence[Gate]) -> list[str]:
    """Return what a reader must know of the gates that passed: once each, with the workloads that it holds for."""
    where: dict[tuple[str, str], list[str]] = {}
    for gate in gates:
        texts = list(gate.declared_differences)
        if gate.ill_conditioned:
            texts.append(f"the gate says nothing of {', '.join(gate.ill_conditioned)} (ill-conditioned).")
        for text in texts:
            where.setdefault((gate.framework, text), []).append(gate.workload)
    return [
        f"{framework} on {', '.join(dict.fromkeys(workloads))}: {text}"
        for (framework, text), workloads in where.items()
    ]
