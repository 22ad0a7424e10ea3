"""The sections that let a reader check: properties with sources, what failed, the gate, and where numbers come from."""

import shlex
from functools import cache

from orchestrator.properties import TITLES, Properties, load_properties
from orchestrator.report import properties as claims
from orchestrator.report.html.columns import file_of_job, plain, round_of, where
from orchestrator.report.html.parts import Folded, Listed, Part, Section, Words
from orchestrator.report.html.views import Column, Shown, View, filled
from orchestrator.report.tidy import Row

GIB = 1024**3


@cache
def _properties() -> Properties:
    return load_properties()


def qualities(part: Part) -> Section:
    found = _properties()
    numbers = claims.numbered(found)
    here = {job.framework.name for job, _ in part.run.pairs}
    rows = [
        {"framework": name, "property": title, "then": then, "now": now}
        for kind, title in TITLES.items()
        for name, then, now in claims.rows(found, kind, numbers)
        if name in here
    ]
    columns = [
        Column("property", "property"),
        Column("framework", "framework"),
        Column("then", "then, in the papers"),
        Column("now", "now"),
    ]
    title = "Properties, then and now"
    if not rows:
        return Section("properties", title, [Words("Of these frameworks no properties are recorded.", True)])
    table = View(part.id("properties"), "What papers stated of each framework, and what holds now", columns, rows)
    head, *lines = claims.footnotes(found)
    return Section("properties", title, [table, Folded("Sources", [Words(head), Listed(lines)])])


def problems(part: Part) -> Section:
    rows = part.tables["problems"]
    columns = [
        *where(part, rows),
        Column("kind", "kind"),
        *filled([round_of()], rows),
        Column("status", "status"),
        Column("reason", "reason"),
        Column("next_step", "what to do"),
        *filled([file_of_job(part, "result", "raw result", "result"), file_of_job(part, "log", "log", "log")], rows),
        *filled([Column("log_tail", "end of its log", read=lambda row: Shown(row["log_tail"], _last_line(row)))], rows),
    ]
    table = View(part.id("problems"), "All that failed, is unsupported or is not compared", columns, rows, first=100)
    nothing = Words("Every job ended well, every gate passed, every matched cell is compared.")
    return Section("problems", "What failed or is not compared", [table] if rows else [nothing])


def _last_line(row: Row) -> str:
    return (row["log_tail"] or "").strip().rpartition("\n")[2]


def parity(part: Part) -> Section:
    rows = sorted(part.tables["gates"], key=lambda row: (row["passed"], -(row["error_over_bound"] or 0.0)))
    columns = [
        *where(part, rows),
        Column("passed", "passed"),
        Column("pass_name", "pass"),
        Column("tensor", "tensor nearest its bound"),
        *plain([("error", "largest error"), ("bound", "allowed"), ("error_over_bound", "error over allowed")], rows),
        *filled([Column("reason", "reason"), Column("ill_conditioned", "says nothing of")], rows),
        *filled([Column("declared_differences", "declared differences")], rows),
        file_of_job(part, "result", "raw result", "result"),
    ]
    table = View(part.id("gates"), "The gate: largest relative errors, nearest their bounds first", columns, rows)
    missing = Words("No gate was run in this run. `bench orchestrate --run RUN` runs those that are missing.", True)
    return Section("parity", "The parity gate", [table] if rows else [missing])


def provenance(part: Part) -> Section:
    summary = part.run.summary
    run = summary.run
    lines = [f"Measured by `{shlex.join(words)}`." for words in (run.command, *run.continued)]
    lines += [
        f"Started {run.started}; {summary.jobs_done} of {summary.jobs} measured jobs have a result.",
        _machine(part),
    ]
    notes = Folded("What to know", [Listed(summary.notes)]) if summary.notes else Words("Nothing out of the ordinary.")
    return Section(
        "provenance",
        "Where the numbers come from",
        [Listed(lines), notes, _environments(part), _datasets(part), Folded("Every job", [_jobs(part)])],
    )


def _machine(part: Part) -> str:
    host = part.run.summary.run.host
    models = sorted({str(row["cpu_model"]) for row in part.tables["environments"] if row["cpu_model"]})
    gpus = sorted({str(row["gpu_model"]) for row in part.tables["environments"] if row["gpu_model"]})
    memory = host.get("memory_bytes")
    parts = [*models, *gpus, f"{host.get('cpus') or 'unknown'} CPUs"]
    parts += [f"{memory / GIB:.0f} GiB of memory"] if isinstance(memory, int) else []
    return f"Machine: {', '.join(parts)}; {host.get('system') or 'its system is unknown'}."


def _environments(part: Part) -> View:
    rows = part.tables["environments"]
    columns = [
        Column("framework", "framework"),
        Column("versions", "versions"),
        Column("python", "Python"),
        Column("engine", "engine"),
        Column("device", "device"),
        Column("threads", "threads", "count"),
        Column("recipe_hash", "recipe hash"),
        Column("image_id", "image"),
        Column("cpu_model", "CPU"),
        Column("cpu_count", "CPUs of the job", "count"),
        Column("gpu_model", "GPU"),
        Column("gpu_driver", "driver"),
        Column("results", "results", "count"),
    ]
    return View(part.id("environments"), "Every environment that a measured result names", filled(columns, rows), rows)


def _datasets(part: Part) -> View:
    rows = part.tables["datasets"]
    columns = [
        Column("workload", "workload"),
        Column("dataset", "dataset"),
        Column("checksum", "SHA-256 of its arrays"),
        Column("synthetic", "synthetic"),
        Column("train_rows", "training rows", "count"),
        Column("validation_rows", "validation rows", "count"),
        Column("test_rows", "test rows", "count"),
    ]
    return View(part.id("datasets"), "The data", columns, rows)


def _jobs(part: Part) -> View:
    rows = part.tables["jobs"]
    columns = [
        *where(part, rows),
        Column("kind", "kind"),
        round_of(),
        Column("seed", "seed", "count"),
        Column("status", "status"),
        *plain([("train_seconds", "training s"), ("peak_rss_bytes", "peak resident bytes")], rows),
        *filled([Column("threads_seen", "busy threads", "count")], rows),
        *plain([("other_cpus_busy", "CPUs that others kept busy")], rows),
        Column("job_id", "job"),
        file_of_job(part, "result", "raw result", "result"),
        *filled([file_of_job(part, "log", "log", "log")], rows),
    ]
    return View(part.id("jobs"), "Every job of the run, its raw result and its log", columns, rows, first=10)
