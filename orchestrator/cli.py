"""The command ``bench``: parses, calls, prints, maps errors to exit codes. No logic."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from orchestrator import errors

app = typer.Typer(
    help="Compare deep-learning frameworks so that the comparison can be believed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# A pipe or a file has no width of its own; COLUMNS, where it is set, holds for it too.
out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 132)
err = Console(stderr=True)


@app.command()
def orchestrate(
    frameworks: Annotated[
        str | None, typer.Option(help="Which to compare, with commas: tf,torch:compile; or all, or all-modes. [all]")
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="A built-in suite's name, or a YAML file of your own. [quick]")
    ] = None,
    workloads: Annotated[str | None, typer.Option(help="Only these workloads of the suite, with commas.")] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="matched: the same computation everywhere; paper: as the study had it; both. [matched]"),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="auto, docker or local. auto takes docker where it answers. [auto]")
    ] = None,
    gpu: Annotated[
        bool | None, typer.Option("--gpu", help="Run on the GPU, in the CUDA variants of the images.")
    ] = None,
    threads: Annotated[
        str | None, typer.Option(help="CPU threads per job, with commas: each is measured. [one per CPU]")
    ] = None,
    repeats: Annotated[int | None, typer.Option(help="Repeats of every job, in rounds. [the suite's]")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first repeat; repeat r uses seed + r.")] = None,
    epochs: Annotated[
        str | None, typer.Option(help="Train so long in place of the suite's epochs; 1,5,10: read after each.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows per training step, in place of the suite's.")] = None,
    limit_rows: Annotated[int | None, typer.Option(help="Use at most so many training and test rows.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which a job is stopped. [1800]")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory limit of a job, such as 8GiB or 500MiB. [8GiB]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where dataset files are. [$BENCH_DATA_DIR]")] = None,
    output: Annotated[Path, typer.Option(help="The folder that gets the run's folder.")] = Path("runs"),
    run: Annotated[
        Path | None, typer.Option(help="Go on with this run, as it was asked for: what is done is not run again.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="With --run: measure the asked frameworks' rows anew.")
    ] = False,
) -> None:
    """Train the same models in each framework and say who was how fast, how accurate, and how sure that is."""
    from orchestrator import session

    options = {
        "frameworks": frameworks,
        "suite": suite,
        "workloads": workloads,
        "variant": variant,
        "gpu": gpu,
        "threads": threads,
        "repeats": repeats,
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "limit_rows": limit_rows,
        "timeout_seconds": timeout,
        "memory_bytes": memory,
    }
    asked = session.Asked(
        given={name: value for name, value in options.items() if value is not None},
        engine=engine,
        data_dir=data_dir,
        output=output,
        run=run,
        again=again,
        command=sys.argv[1:],
    )
    summary = session.run(asked, out)
    from orchestrator.report import tables

    out.print()
    out.print(tables.as_rich(summary))
    raise typer.Exit(errors.JOB_FAILED if summary.failed else errors.OK)


@app.command()
def build(
    frameworks: Annotated[list[str], typer.Argument(help="The frameworks to prepare, or all.")],
    engine: Annotated[str, typer.Option(help="auto, docker or local.")] = "auto",
    gpu: Annotated[bool, typer.Option("--gpu", help="The CUDA variants.")] = False,
) -> None:
    """Build the images, or the local environments, without running anything."""
    from orchestrator import session

    for line in session.build(",".join(frameworks), engine, gpu, out):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def frameworks() -> None:
    """List the frameworks, their pinned versions and where they run."""
    from orchestrator.catalogue import FRAMEWORKS

    table = Table(header_style="bold")
    for header in ("name", "also", "what", "version", "Python", "devices"):
        table.add_column(header)
    for entry in FRAMEWORKS.values():
        devices, also = ", ".join(entry.devices), ", ".join(entry.aliases)
        table.add_row(entry.name, also, entry.title, entry.version, entry.python, devices)
    out.print(table)


@app.command()
def show(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    format: Annotated[str, typer.Option(help="table, json, csv, markdown or latex.")] = "table",
) -> None:
    """Print a run's results."""
    from orchestrator.explain import nearest
    from orchestrator.recipe import current_recipes
    from orchestrator.report import tables
    from orchestrator.store import RunStore
    from orchestrator.summary import summarise

    if format != "table" and format not in tables.TEXT_FORMATS:
        raise errors.UsageError([f"Unknown format {format!r}. {nearest(format, ['table', *tables.TEXT_FORMATS])}"])
    store = RunStore(run)
    summary = summarise(store.read_info(), store.jobs(), current_recipes())
    if format == "table":
        out.print(tables.as_rich(summary))
    else:
        sys.stdout.write(tables.TEXT_FORMATS[format](summary))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    output: Annotated[Path | None, typer.Option(help="The file to write. Default: to the terminal.")] = None,
) -> None:
    """Write a run as a Markdown page: who wins, beside the study that it repeats, and where the numbers come from."""
    import shlex

    from orchestrator.recipe import current_recipes
    from orchestrator.report import page
    from orchestrator.store import RunStore, write_text
    from orchestrator.summary import summarise

    store = RunStore(run)
    pairs = list(store.jobs())
    summary = summarise(store.read_info(), pairs, current_recipes())
    text = page.as_page(store, summary, pairs, shlex.join(["bench", *sys.argv[1:]]))
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(output, text)
        out.print(f"Written: {output}", highlight=False)


@app.command()
def schema(
    document: Annotated[str, typer.Argument(help="job, result, suite or summary.")],
) -> None:
    """Print the JSON Schema of a document."""
    import json

    from orchestrator.explain import nearest
    from orchestrator.suite import Suite
    from orchestrator.summary import Summary
    from workers.spec import Job, Result

    models: dict[str, Any] = {"job": Job, "result": Result, "suite": Suite, "summary": Summary}
    if document not in models:
        raise errors.UsageError([f"Unknown document {document!r}. {nearest(document, models)}"])
    sys.stdout.write(json.dumps(models[document].model_json_schema(), indent=1) + "\n")


def main() -> None:
    """Run the command; every error a user can see is printed here, without a traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped run is stopped as by Ctrl-C
    try:
        app()
    except errors.BenchError as error:
        err.print(f"bench: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("bench: stopped.")
        sys.exit(errors.Interrupted.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
