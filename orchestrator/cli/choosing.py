"""What a run can be of: ``bench frameworks`` and ``suites``; ``bench lines``: the code that each takes for each."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import completion, errors
from orchestrator.cli.terminal import examples, out

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "bench frameworks",
        "bench frameworks --layers       which framework can build which layer",
        "bench frameworks --properties   language, GPU, licence, last release, ...: then and now",
        "bench frameworks --properties --format csv",
    )
)
def frameworks(
    layers: Annotated[
        bool, typer.Option("--layers", help="Instead: which layer kinds each can build, and what it composes.")
    ] = False,
    properties: Annotated[
        bool,
        typer.Option("--properties", help="Instead: what papers stated of each, and what holds now, with sources."),
    ] = False,
    format: Annotated[str, typer.Option(help="With --properties: table, json, csv or markdown.")] = "table",
) -> None:
    """List the frameworks: names, versions, devices, modes.

    The names, those in the second column too, are what --frameworks takes. A mode, NAME:MODE, is another way to run
    the same framework.
    """
    from orchestrator.catalogue import FRAMEWORKS
    from orchestrator.explain import nearest
    from orchestrator.report import lists

    mistakes = ["Give one of --layers and --properties."] if layers and properties else []
    if format not in completion.FORMATS["frameworks"]:
        mistakes.append(f"Unknown format {format!r}. {nearest(format, completion.FORMATS['frameworks'])}")
    elif format != "table" and not properties:
        mistakes.append(f"--format is {format!r}, but only --properties has formats. Give both, or neither.")
    if mistakes:
        raise errors.UsageError(mistakes)
    if properties:
        _print_properties(format)
        return
    entries = list(FRAMEWORKS.values())
    if not layers:
        out.print(lists.frameworks(entries))
        return
    out.print(lists.layers(entries))
    out.print(*(f"{mark} {word}" for word, mark in lists.MARKS.items()), sep="   ", highlight=False)
    out.print("composed: in some of its forms, from the framework's own operations, namely:\n", highlight=False)
    for line in lists.composed(entries):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_properties(format: str) -> None:
    from orchestrator.properties import load_properties
    from orchestrator.report import properties

    found = load_properties()
    if format != "table":
        sys.stdout.write(properties.TEXT_FORMATS[format](found))
        return
    for table in properties.as_tables(found):
        out.print(table)
    for line in properties.footnotes(found):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@commands.command(
    epilog=examples(
        "bench lines --frameworks tf,torch --suite quick",
        "bench lines --workloads mlp --engine local",
        "bench lines --run runs/quick-20260101-120000    of that run, and kept in it for its report",
    )
)
def lines(
    frameworks: Annotated[str | None, typer.Option(help="Which to count, as for `bench orchestrate`. [all]")] = None,
    suite: Annotated[
        str | None, typer.Option(help="A built-in suite's name, or a YAML file of your own. [quick]")
    ] = None,
    workloads: Annotated[str | None, typer.Option(help="Only these workloads of the suite, with commas.")] = None,
    engine: Annotated[str, typer.Option(help="auto, docker or local. auto takes docker where it answers.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="Where dataset files are. [$BENCH_DATA_DIR]")] = None,
    run: Annotated[
        Path | None, typer.Option(help="A run's folder: count its frameworks and workloads, and keep that in it.")
    ] = None,
) -> None:
    """Count the lines of code of each framework for a workload.

    Each framework builds the model and trains it on a few rows while the statements of its worker that run are
    counted: a statement is one, on however many lines it is written; imports, definitions and docstrings are none.
    build: what makes and compiles the model; train: the loop; both: together, each once. Nothing is timed.
    """
    from orchestrator import session
    from orchestrator.report import lists

    asked = {"frameworks": frameworks, "suite": suite, "workloads": workloads}
    given = {name: value for name, value in asked.items() if value is not None}
    counted = session.count_lines(given, engine, data_dir, run, out)
    out.print(lists.lines(counted))
    for text in lists.uncounted(counted):
        out.print(text, markup=False, highlight=False, soft_wrap=True)
    failed = any(result.status not in ("ok", "unsupported", "unavailable") for _, result in counted)
    raise typer.Exit(errors.JOB_FAILED if failed else errors.OK)


@commands.command(
    epilog=examples(
        "bench suites                    every built-in suite",
        "bench suites quick              its workloads: layers, parameters, recipes",
        "bench suites mine.yaml          the same of a file of your own; mistakes in it are named",
    )
)
def suites(
    suite: Annotated[str | None, typer.Argument(help="A built-in suite's name, or a YAML file of your own.")] = None,
) -> None:
    """List the built-in suites, or the workloads of one.

    A suite is a list of workloads; a workload is a dataset, a model and a recipe.
    """
    from orchestrator.report import lists
    from orchestrator.suite import builtin_suites, load_suite

    if suite is None:
        out.print(lists.suites(map(load_suite, builtin_suites())))
        return
    for line in lists.suite_lines(load_suite(suite)):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
