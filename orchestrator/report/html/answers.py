"""The sections that answer a reader's first questions: who wins, how it was said, how fast, how good, how it scales."""

from collections.abc import Sequence

from orchestrator import notes
from orchestrator.report import study, tables
from orchestrator.report.charts.figure import natural
from orchestrator.report.html import winners
from orchestrator.report.html.columns import files_of_cells, of_cells, plain, round_of, where
from orchestrator.report.html.parts import Folded, Listed, Part, Pictures, Section, Winner, Winners, Words
from orchestrator.report.html.views import Column, View, filled
from orchestrator.report.tidy import Row, last_rows

INTERVALS = "A tie is a ratio whose interval includes 1: these rounds do not tell the framework from the fastest one."
NOBODY = "Nothing was measured in variant `matched`, so that nobody can win."
BESIDE = (
    "Said is what the study printed, on its own machine: compare its accuracies and the order of its times, not its "
    "seconds. Variant `paper` runs each framework here as the study's code had it, and is never ranked; `matched` is "
    "the same computation in each, held to the parity gate. What differs explains a ratio far from 1."
)


def in_short(part: Part) -> Listed:
    """Return who wins in a run, in as few lines as say it: over all its workloads, or else on each."""
    summary = part.run.summary
    found = winners.groups(part.tables["cells"])
    over_all = tables.overall_lines(summary)
    each = [f"{title}: {' '.join(winners.sentences(group))}" for title, group in _titled(found)]
    said = [*over_all, *winners.counted(found)] if over_all else each
    return Listed([*(said or [NOBODY]), *notes.of_experiments(summary.cells)])


def who_wins(part: Part) -> Section:
    summary = part.run.summary
    found = winners.groups(part.tables["cells"])
    over_all = [
        picture for picture in part.pictures if picture.section == "winners" and "workload" not in picture.facets
    ]
    blocks = [
        Listed([*tables.overall_lines(summary), *winners.counted(found)]),
        *map(Words, notes.of_experiments(summary.cells)),
        Words(f"{tables.caption(summary)} {INTERVALS}"),
        *([Pictures(over_all)] if over_all else []),
        Winners(_winners(part, found)) if found else Words(NOBODY, missing=True),
    ]
    return Section("winners", "Who wins", blocks)


def _titled(found: Sequence[Sequence[Row]]) -> list[tuple[str, Sequence[Row]]]:
    """Return each group with its workload, and with its device and threads where groups differ in them."""
    several = len({(group[0]["device"], group[0]["threads"]) for group in found}) > 1
    return [
        (row["workload"] + (f" ({row['device']}, threads: {row['threads']})" if several else ""), group)
        for group in found
        for row in group[:1]
    ]


def _winners(part: Part, found: Sequence[Sequence[Row]]) -> list[Winner]:
    items = []
    for title, group in _titled(found):
        row = group[0]
        facets = {name: row[name] for name in ("workload", "device", "threads")}
        own = [picture for picture in part.pictures if picture.section == "winners" and picture.facets == facets]
        cells = [(cell["framework"], part.cell_id(cell)) for cell in group]
        items.append(Winner(facets, title, winners.sentences(group), cells, own))
    return items


def said(part: Part) -> Section:
    run, rows = part.run, part.tables["said"]
    blocks: list[object] = [Words(BESIDE)]
    if not rows:
        words = "Its study gave no figures for these workloads." if run.suite.source else "It repeats no study."
        words += " `bench suites` lists those that do; a suite's own figures stand beside its file, in SUITE.csv."
        return Section("papers", "Said, as published, and matched", [Words(f"Suite {run.suite.suite}: {words}", True)])
    if run.suite.source:
        blocks.insert(0, Words(f"The study: {run.suite.source}."))
    differences = tables.differences(run.summary)
    absent = study.not_run(run.suite.paper, run.figures, run.summary.cells)
    blocks += [Listed(differences)] if differences else []
    blocks += [Words(f"Not measured here: {', '.join(absent)}.")] if absent else []
    return Section("papers", "Said, as published, and matched", [*blocks, *part.of("papers"), _said_table(part, rows)])


def _said_table(part: Part, rows: Sequence[Row]) -> View:
    names = {name: name.replace("_seconds", " s").replace("_percent", " %").replace("_", " ") for name in study.NUMBERS}
    numbers = [(f"{kind}_{name}", f"{kind}: {words}") for name, words in names.items() for kind in KINDS]
    columns = [
        *where(part, rows),
        Column("said_framework", "in the study"),
        Column("epochs", "epochs", "count"),
        *plain(numbers, rows),
        *filled([Column("said_device", "the study's device"), Column("differs", "what differs from matched")], rows),
    ]
    return View(part.id("said"), "Said by the study, measured here, and measured over said", columns, rows)


KINDS = ("said", "measured", "ratio")


def times(part: Part) -> Section:
    rows = sorted(part.tables["cells"], key=lambda row: natural(row["workload"]))
    last = last_rows(rows)
    earlier = [row for row in rows if row not in last]
    blocks: list[object] = [*part.of("times"), _cells(part, "cells", "Every cell, read after its last epoch", last)]
    if earlier:
        columns = of_cells(part, earlier)
        view = View(part.id("readings"), "Every cell, read after fewer epochs", columns, earlier,
                    identify=lambda row: part.cell_id(row, row["epochs"]))  # fmt: skip
        blocks.append(Folded("Earlier readings", [view]))
    return Section("times", "Training and prediction time", blocks)


def _cells(part: Part, name: str, caption: str, rows: Sequence[Row]) -> View:
    columns = [*of_cells(part, rows), *files_of_cells(part)]
    return View(part.id(name), caption, columns, rows, identify=part.cell_id, first=100)


def convergence(part: Part) -> Section:
    rows = part.tables["epochs"]
    numbers = [
        ("train_seconds", "training s"),
        ("train_loss", "training loss"),
        ("test_loss", "test loss"),
        ("accuracy", "accuracy"),
        ("perplexity", "perplexity"),
        ("squared_error", "squared error"),
        ("absolute_error", "absolute error"),
        ("validation_loss", "validation loss"),
        ("validation_accuracy", "validation accuracy"),
        ("stage_seconds", "staging s"),
        ("evaluate_seconds", "evaluation s"),
        ("validate_seconds", "validation s"),
    ]
    columns = [*where(part, rows), round_of(), Column("epoch", "epoch", "count"), *plain(numbers, rows)]
    table = View(part.id("epochs"), "Every epoch of every training, as measured", columns, rows, first=10)
    return part.section("convergence", "Convergence", [table], rows, "No training has a result yet.")


def accuracy_time(part: Part) -> Section:
    found = part.of("accuracy_time")
    words = "No score is known: the data are synthetic, or no training has a result yet."
    return Section("accuracy_time", "Accuracy against time", found or [Words(words, True)])


def scaling(part: Part) -> Section:
    words = (
        "Nothing scales in this run. `bench orchestrate --threads 1,2,4` measures several thread counts; the suite "
        "kovalev2016 has models of several depths and widths."
    )
    return Section("scaling", "Scaling: depth, width, threads", part.of("scaling") or [Words(words, True)])
