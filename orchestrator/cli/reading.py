"""What reads runs: ``bench compare``, ``show``, ``report``, ``index``; and ``schema``, which says what they hold."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator import errors
from orchestrator.cli.terminal import examples, out

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "bench compare runs/before runs/after",
        "bench compare runs/before runs/after --threshold 1.1",
        "bench compare runs/before runs/after --format markdown --output changes.md",
    )
)
def compare(
    run_a: Annotated[Path, typer.Argument(help="The folder of the run that is compared with.")],
    run_b: Annotated[Path, typer.Argument(help="The folder of the run in question, mostly the later one.")],
    threshold: Annotated[
        float, typer.Option(help="How many times as long training may take in RUN_B: 1.05 is 5% longer.")
    ] = 1.05,
    across_hosts: Annotated[
        bool, typer.Option("--across-hosts", help="Compare rows of different machines too, and name what differs.")
    ] = False,
    format: Annotated[str, typer.Option(help="table, json, csv or markdown (for GitHub).")] = "table",
    output: Annotated[Path | None, typer.Option(help="The file to write. Default: to the terminal.")] = None,
) -> None:
    """Say what became faster, slower or different between two runs.

    Rows of the same computation on the same machine are held to each other: faster, slower, unchanged or not
    comparable, by training time, and how sure that is. Versions, images and recipes that changed are named.

    Exits with 6 if a row is slower with its whole interval beyond --threshold, or scores worse beyond the tolerance;
    else with 7 if not every row could be compared; else with 0.
    """
    from math import inf

    from orchestrator import comparison
    from orchestrator.explain import nearest
    from orchestrator.report import compare as texts
    from orchestrator.sides import read_sides
    from orchestrator.store import write_text

    mistakes = []
    if format not in texts.TEXT_FORMATS:
        mistakes.append(f"Unknown format {format!r}. {nearest(format, texts.TEXT_FORMATS)}")
    if not 1 <= threshold < inf:
        mistakes.append(f"--threshold is {threshold:g}, but a ratio of at least 1 is needed: 1.05 is 5% slower.")
    found = comparison.compare(*read_sides(run_a, run_b, mistakes), threshold, across_hosts)
    if output is not None:
        write_text(output, texts.TEXT_FORMATS[format](found))
        for line in (*found.decided, f"Written: {output}"):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
    elif format == "table":
        out.print(texts.as_rich(found))
    else:
        sys.stdout.write(texts.TEXT_FORMATS[format](found))
    raise typer.Exit(found.exit_code)


@commands.command(
    epilog=examples(
        "bench show runs/quick-20260101-120000",
        "bench show runs/quick-20260101-120000 --format markdown > results.md",
        "bench show runs/quick-20260101-120000 --resources",
        "bench show runs/quick-20260101-120000 --curves > epochs.csv",
    )
)
def show(
    run: Annotated[
        Path,
        typer.Argument(help="A run's folder, as `bench orchestrate` printed it, such as runs/quick-20260101-120000."),
    ],
    format: Annotated[str, typer.Option(help="table, json, csv, markdown or latex.")] = "table",
    resources: Annotated[
        bool, typer.Option("--resources", help="Instead: what each used in every phase, CPU, memory and GPU.")
    ] = False,
    curves: Annotated[
        bool, typer.Option("--curves", help="Instead: how each training went, a line of CSV per epoch.")
    ] = False,
) -> None:
    """Print a run's results as a table, or for a program.

    json is what `bench schema summary` describes; csv has a line per framework and workload; markdown and latex are
    for pages and papers. A run that still goes on is shown as far as it is.
    """
    from orchestrator.explain import nearest
    from orchestrator.recipe import current_recipes
    from orchestrator.report import curves as epochs
    from orchestrator.report import resources as used
    from orchestrator.report import tables
    from orchestrator.store import RunStore
    from orchestrator.summary import summarise

    if format != "table" and format not in tables.TEXT_FORMATS:
        raise errors.UsageError([f"Unknown format {format!r}. {nearest(format, ['table', *tables.TEXT_FORMATS])}"])
    store = RunStore(run)
    if curves:
        sys.stdout.write(epochs.as_csv(store.jobs()))
        return
    summary = summarise(store.read_info(), store.jobs(), current_recipes())
    if resources:
        out.print(used.as_rich(summary, phases=None))
    elif format == "table":
        out.print(tables.as_rich(summary))
    else:
        sys.stdout.write(tables.TEXT_FORMATS[format](summary))


@commands.command(
    epilog=examples(
        "bench report runs/quick-20260101-120000 --output quick.html",
        "bench report runs/quick-20260101-120000 runs/mine-20260102-090000 --output both.html",
        "bench report runs/quick-20260101-120000 --output quick.md",
        "bench report runs/quick-20260101-120000 --format pdf --output figures",
    )
)
def report(
    runs: Annotated[list[Path], typer.Argument(help="Runs' folders; each is a part of the page.")],
    output: Annotated[
        Path | None, typer.Option(help="The file to write, or the folder. Default: to the terminal.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="html or markdown, whatever the file is called. Default: by its suffix. "
            "svg, pdf: figures for a paper; latex: their tables; csv: all data. Those write a folder of files."
        ),
    ] = None,
    made_by: Annotated[
        str | None, typer.Option(help="The command that the page names as what makes it. Default: this one.")
    ] = None,
) -> None:
    """Write runs as a page or as files of their charts.

    The HTML page holds charts, sortable tables and every number, and makes no request. The Markdown page holds one run.
    """
    import shlex

    from orchestrator.report import formats

    command = made_by or shlex.join(["bench", *sys.argv[1:]])
    sys.stdout.write(formats.write(runs, format, output, command))


@commands.command(
    epilog=examples(
        "bench index reports",
    )
)
def index(
    folder: Annotated[Path, typer.Argument(help="The folder with the HTML pages of bench report.")],
) -> None:
    """List a folder's reports in its index.html.

    Each with its suite, date, frameworks and machine, the newest run first, from what the pages themselves say.
    """
    from orchestrator.report.index import write_index

    out.print(f"Written: {write_index(folder)}", markup=False, highlight=False, soft_wrap=True)


@commands.command(
    epilog=examples(
        "bench schema suite              every field of a suite's file",
        "bench schema summary            what `bench show RUN --format json` prints",
    )
)
def schema(
    document: Annotated[str, typer.Argument(help="job, result, suite, summary or comparison.")],
) -> None:
    """Print the JSON Schema of what bench reads or prints.

    job and result are what lies in a run's folder, suite is what --suite reads, summary what `bench show` prints,
    comparison what `bench compare` does.
    """
    import json

    from orchestrator.comparison import Comparison
    from orchestrator.explain import nearest
    from orchestrator.suite import Suite
    from orchestrator.summary import Summary
    from workers.spec import Job, Result

    models: dict[str, Any] = {
        "job": Job,
        "result": Result,
        "suite": Suite,
        "summary": Summary,
        "comparison": Comparison,
    }
    if document not in models:
        raise errors.UsageError([f"Unknown document {document!r}. {nearest(document, models)}"])
    sys.stdout.write(json.dumps(models[document].model_json_schema(), indent=1) + "\n")
