"""A run as one Markdown page: who wins, beside the study that it repeats, and where each number comes from."""

import shlex
from collections.abc import Sequence

from orchestrator.cells import Cell
from orchestrator.report import resources, study, tables
from orchestrator.store import RunStore
from orchestrator.suite import Suite, load_suite
from orchestrator.summary import Pair, Summary
from workers.spec import MEASURED

GIB = 1024**3
RESOURCES = (
    "Sampled from outside the jobs, while they trained to their last epoch: CPU of what a job was given, memory of all "
    "its processes and its peak of the limit. Medians over rounds; what could not be read is a dash."
)


def as_page(store: RunStore, summary: Summary, pairs: Sequence[Pair], command: str) -> str:
    """Return the page; ``command``: what makes it again. Raises UsageError and StoreError for what the run lacks."""
    suite = load_suite(str(store.suite_file))
    figures = study.read_figures(store.suite_file.with_suffix(".csv"))
    parts = [
        f"# {suite.suite}: {suite.title}",
        _origin(suite, summary, command),
        "## Who is fastest",
        _winners(summary),
    ]
    last, earlier = _readings(summary.cells)
    if suite.paper or figures:
        parts += ["## Said, as published, and matched", _explanation(suite, summary, figures)]
        parts.append(study.beside(last, suite.paper, figures))
        parts += [_folded(name, study.beside(cells, suite.paper, figures)) for name, cells in earlier]
    parts += ["## Matched, ranked", _ranked(summary, last)]
    parts += [_folded(name, _ranked(summary, cells)) for name, cells in earlier]
    used, said = resources.as_markdown(summary), study.resources(last, figures)
    if used:
        parts += ["## Resources while training", RESOURCES, used]
    if said:
        parts.append(_folded("What the study said of CPU, GPU and memory", said))
    parts += ["## What to know", _listed([*summary.notes, *_problems(summary)]) or "Nothing out of the ordinary."]
    parts += ["## Where the numbers come from", _provenance(summary, pairs)]
    return "\n\n".join(parts) + "\n"


def _readings(cells: Sequence[Cell]) -> tuple[list[Cell], list[tuple[str, list[Cell]]]]:
    """Return the last reading of each workload, and the earlier ones by their epochs, the latest first."""
    last: dict[str, int] = {}
    for cell in cells:
        last[cell.workload] = max(cell.epochs, last.get(cell.workload, 0))
    final = [cell for cell in cells if cell.epochs == last[cell.workload]]
    earlier = [cell for cell in cells if cell.epochs < last[cell.workload]]
    epochs = sorted({cell.epochs for cell in earlier}, reverse=True)
    return final, [(f"After epoch {n}", [cell for cell in earlier if cell.epochs == n]) for n in epochs]


def _ranked(summary: Summary, cells: Sequence[Cell]) -> str:
    matched = [cell for cell in cells if cell.variant == "matched"]
    return tables.as_markdown_table(summary.model_copy(update={"cells": matched}))


def _origin(suite: Suite, summary: Summary, command: str) -> str:
    lines = [f"The study: {suite.source}."] if suite.source else []
    run = summary.run
    commands = " and ".join(f"`{shlex.join(words)}`" for words in (run.command, *run.continued))
    lines.append(f"Measured by {commands} (started {run.started}); this page is made by `{command}`.")
    return "\n\n".join([*lines, tables.caption(summary)])


def _winners(summary: Summary) -> str:
    last = {cell.workload: cell.epochs for cell in sorted(summary.cells, key=lambda cell: cell.epochs)}
    final = [cell for cell in summary.cells if cell.epochs == last[cell.workload] and cell.fastest]
    alone: dict[str, int] = {}
    for cell in final:
        if not cell.tie:
            alone[cell.framework] = alone.get(cell.framework, 0) + 1
    wins = ", ".join(f"{name} on {count}" for name, count in sorted(alone.items(), key=lambda item: -item[1]))
    ties = sum(bool(cell.tie) for cell in final)
    sentence = f"Of {len(last)} workloads, the fastest is {wins or 'nobody alone'}" + (
        f"; on {ties} the fastest ties with another." if ties else "."
    )
    return "\n".join([*(f"- {line}" for line in tables.overall_lines(summary)), f"- {sentence}"])


def _explanation(suite: Suite, summary: Summary, figures: study.Figures) -> str:
    absent = study.not_run(suite.paper, figures, summary.cells)
    lines = [
        "*Said* is what the study printed, on its own machine: compare its accuracies and the order of its times, not "
        "its seconds. *As published* runs each framework here as the study's code had it, and is never ranked. "
        "*Matched* is the same computation in each: weights, batches, optimiser and rows, held to the parity gate.",
        _listed(tables.differences(summary)),
    ]
    if absent:
        lines.append(f"Not measured here: {', '.join(absent)}.")
    return "\n\n".join(filter(None, lines))


def _problems(summary: Summary) -> list[str]:
    return [f"**{problem.status}** `{problem.job_id}`: {problem.reason}" for problem in summary.problems]


def _provenance(summary: Summary, pairs: Sequence[Pair]) -> str:
    """Return what ran, where: every environment that a measured result names."""
    host = summary.run.host
    memory = host.get("memory_bytes")
    cpus = sorted({str(r.environment.cpu_model) for _, r in pairs if r and r.environment.cpu_model})
    machine = f"{', '.join(cpus)}; {host.get('cpus')} CPUs"
    if isinstance(memory, int):
        machine += f", {memory / GIB:.0f} GiB of memory"
    rows = set()
    data = set()
    for job, result in pairs:
        if job.kind not in MEASURED or result is None or result.environment.recipe_hash is None:
            continue
        environment = result.environment
        versions = ", ".join(f"{name} {version}" for name, version in sorted(environment.versions.items()))
        image = (environment.image_id or "-").removeprefix("sha256:")[:12]
        recipe = str(environment.recipe_hash)[:12]
        rows.add((job.framework.label, versions, str(environment.python), str(environment.engine), recipe, image))
        data.add(f"`{job.dataset.name}` {job.dataset.checksum[:12]}")
    headers = ("framework", "versions", "Python", "engine", "recipe", "image")
    return "\n\n".join(
        [
            f"{machine}; {host.get('system')}. Data: {', '.join(sorted(data))}. "
            f"{summary.jobs_done} of {summary.jobs} measured jobs have a result.",
            tables.table([list(row) for row in sorted(rows)], headers, left=len(headers)),
        ]
    )


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _folded(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"
