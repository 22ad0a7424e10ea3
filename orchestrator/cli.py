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
    frameworks: Annotated[str, typer.Option(help="Which to compare, with commas: tf,torch,theano; or all.")] = "all",
    suite: Annotated[str, typer.Option(help="A built-in suite's name, or a YAML file of your own.")] = "quick",
    workloads: Annotated[str | None, typer.Option(help="Only these workloads of the suite, with commas.")] = None,
    engine: Annotated[str, typer.Option(help="auto, docker or local. auto takes docker where it answers.")] = "auto",
    gpu: Annotated[bool, typer.Option("--gpu", help="Run on the GPU, in the CUDA variants of the images.")] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads per job. Default: one per CPU.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Repeats of every job. Default: the suite's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first round; round r uses seed + r.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which a job is stopped.")] = 1800.0,
    memory: Annotated[str, typer.Option(help="Memory limit of a job, such as 8GiB or 500MiB.")] = "8GiB",
    data_dir: Annotated[Path | None, typer.Option(help="Where dataset files are. Default: $BENCH_DATA_DIR.")] = None,
    output: Annotated[Path, typer.Option(help="The folder that gets the run's folder.")] = Path("runs"),
    run: Annotated[Path | None, typer.Option(help="Continue this run: what it has done is not run again.")] = None,
) -> None:
    """Train the same models in each framework and say who was how fast, how accurate, and how sure that is."""
    from orchestrator import session

    asked = session.Asked(
        frameworks=frameworks,
        suite=suite,
        workloads=workloads,
        engine=engine,
        gpu=gpu,
        threads=threads,
        rounds=rounds,
        seed=seed,
        timeout_seconds=timeout,
        memory=memory,
        data_dir=data_dir,
        output=output,
        run=run,
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
    from orchestrator.report import tables
    from orchestrator.store import RunStore
    from orchestrator.suite import nearest
    from orchestrator.summary import summarise

    if format != "table" and format not in tables.TEXT_FORMATS:
        raise errors.UsageError([f"Unknown format {format!r}. {nearest(format, ['table', *tables.TEXT_FORMATS])}"])
    store = RunStore(run)
    summary = summarise(store.read_info(), store.jobs())
    if format == "table":
        out.print(tables.as_rich(summary))
    else:
        sys.stdout.write(tables.TEXT_FORMATS[format](summary))


@app.command()
def schema(
    document: Annotated[str, typer.Argument(help="job, result, suite or summary.")],
) -> None:
    """Print the JSON Schema of a document."""
    import json

    from orchestrator.suite import Suite, nearest
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
