"""What ``bench frameworks``, ``bench lines``, ``bench suites``, ``bench data`` and ``bench doctor`` print."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.capabilities import capabilities, layer_kinds
from orchestrator.catalogue import FrameworkEntry
from orchestrator.doctor import Finding
from orchestrator.holdings import Check, Holding
from orchestrator.shapes import parameter_count
from orchestrator.suite import Suite
from orchestrator.workload import Workload, resolved_layers
from workers.spec import Job, Result

COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}
MARKS = {"native": Text("●", "green"), "composed": Text("○", "yellow"), "unsupported": Text("-", "red")}


def frameworks(entries: Iterable[FrameworkEntry]) -> Table:
    """Return a row for each framework, and below it one for each of its modes and other versions."""
    table = _table("name", "also", "what", "version", "Python", "devices")
    for entry in entries:
        for row in entry.rows():
            also = ", ".join(entry.aliases) if row == entry else ""
            _add(table, row.label, also, row.title, row.version, row.python, ", ".join(row.devices))
    return table


def layers(entries: Sequence[FrameworkEntry]) -> Table:
    """Return framework x layer kind: a row for each kind of the spec, in marks, since the words are too wide."""
    table = _table("layer kind", *(entry.name for entry in entries))
    found = [capabilities(entry.name) for entry in entries]
    for kind in layer_kinds():
        cells = [worker.of(kind) for worker in found]
        table.add_row(kind, *(MARKS[cell] for cell in cells))
    return table


def composed(entries: Sequence[FrameworkEntry]) -> list[str]:
    """Return in words what the workers compose, the parts of recipes included."""
    return [
        f"{entry.name}: {kind}: {text}"
        for entry in entries
        for kind, text in sorted(capabilities(entry.name).composed.items())
    ]


def lines(counted: Sequence[tuple[Job, Result]]) -> Table:
    """Return workload x framework: the logical lines that built the model, that trained it, and both together."""
    table = _table("workload", "framework", "build", "train", "both")
    for job, result in counted:
        numbers = [str(result.code_lines.get(part, "")) for part in ("build", "train", "both")]
        _add(table, job.workload, job.framework.label, *numbers)
    return table


def uncounted(counted: Sequence[tuple[Job, Result]]) -> list[str]:
    """Return why a row has no numbers, for each that has none."""
    return [
        f"{job.framework.label} on {job.workload} is {result.status}: {result.reason}"
        for job, result in counted
        if not result.code_lines
    ]


def suites(found: Iterable[Suite]) -> Table:
    table = _table("name", "title", "workloads", "repeats", "datasets", "variants")
    for suite in found:
        datasets = ", ".join(sorted({workload.dataset for workload in suite.workloads}))
        counts = str(len(suite.workloads)), str(suite.repeats)
        _add(table, suite.suite, suite.title, *counts, datasets, _variants(suite))
    return table


def suite_lines(suite: Suite) -> list[str]:
    """Return a suite in lines: what it is, and each workload with its layers and its recipe in a line each."""
    lines = [f"{suite.suite}: {suite.title}", f"{suite.repeats} repeats, variants: {_variants(suite)}"]
    if suite.source:
        lines.append(f"after {suite.source}")
    if suite.paper:
        lines.append(f"as the study had them, in variant paper: {', '.join(suite.paper)}")
    if suite.frameworks:
        lines.append(f"frameworks where none are named: {', '.join(suite.frameworks)}")
    if suite.threads:
        lines.append(f"threads where none are named: {', '.join(map(str, suite.threads))}")
    for workload in suite.workloads:
        count = parameter_count(resolved_layers(workload))
        data = workload.dataset if workload.view is None else f"{workload.dataset} as {in_words(workload.view)}"
        lines += [
            "",
            f"{workload.name}: {data}, {count:,} parameters",
            f"  layers: {', '.join(map(in_words, workload.layers))}",
            f"  recipe: {recipe_in_words(workload)}",
            *([f"  source: {workload.source}"] if workload.source else []),
            *(f"  ours: {text}" for text in workload.ours),
        ]
    return lines


def in_words(record: Any) -> str:
    """Return a layer or an optimiser in a few words: its kind, what it must state, and what is not as by default."""
    if record.kind == "activation":
        return str(record.function)
    words = []
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        if field.is_required():
            words.append(_plain(value))
        elif value != field.default:
            words.append(f"{name}={_plain(value)}")
    return " ".join(words)


def recipe_in_words(workload: Workload) -> str:
    recipe = workload.recipe
    words = [in_words(recipe.optimiser), f"batch {recipe.batch_size}"]
    words.append(f"{recipe.epochs} epochs" if recipe.epochs > 1 else "1 epoch")
    if recipe.schedule.kind != "constant":
        words.append(f"schedule {in_words(recipe.schedule)}")
    if recipe.clip_norm is not None:
        words.append(f"clip_norm {recipe.clip_norm:g}")
    if workload.validation_split:
        words.append(f"validation_split {workload.validation_split:g}")
    if workload.target is not None:
        words.append(f"until {workload.target.metric} {workload.target.value:g}")
    return ", ".join(words)


def datasets(holdings: Iterable[Holding]) -> Table:
    """Return a row for each dataset: what it is, its rows to train and to test on, where it is from and where it is."""
    table = _table("name", "what", "rows", "from", "on this machine")
    for item in holdings:
        rows = f"{item.info.train_rows:,} + {item.info.test_rows:,}"
        _add(table, item.info.name, item.info.title, rows, item.source, item.state)
    return table


def checks(found: Sequence[Check]) -> list[Text]:
    """Return a line for each thing that was hashed, and below it what is wrong; the last line counts."""
    lines = []
    for item in found:
        mark = ("wrong", COLOURS["problem"]) if item.wrong else ("ok   ", COLOURS["ok"])
        lines.append(Text.assemble(mark, f" {item.name}: {item.thing}"))
        if item.wrong:
            lines.append(Text(f"      -> {item.wrong}"))
    wrong = sum(item.wrong is not None for item in found)
    return [*lines, Text(f"{len(found)} looked at, {wrong} wrong." if found else "Nothing is on this machine yet.")]


def findings(found: Sequence[Finding]) -> list[Text]:
    """Return a line for each finding, and below it what to do; never wrapped, so that commands can be copied whole."""
    width = max(len(finding.subject) for finding in found)
    lines = []
    for finding in found:
        state = f"{finding.state:<8}", COLOURS[finding.state]
        lines.append(Text.assemble(state, f" {finding.subject:<{width}}  {finding.text}"))
        if finding.advice:
            lines.append(Text(f"{'':<8} {'':<{width}}  -> {finding.advice}"))
    return lines


def outcome(found: Sequence[Finding]) -> str:
    """Return the last line: how many problems and warnings."""
    problems, warnings = ([item.state for item in found].count(state) for state in ("problem", "warning"))
    counts = f"{problems} problem{'s' * (problems != 1)}, {warnings} warning{'s' * (warnings != 1)}."
    return counts if problems or warnings else "Nothing to complain of."


def _variants(suite: Suite) -> str:
    return "matched, paper" if suite.paper else "matched"


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "x".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(*headers: str) -> Table:
    table = Table(header_style="bold")
    for header in headers:
        table.add_column(header)
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row of texts as they are: square brackets are no markup."""
    table.add_row(*map(Text, cells))
