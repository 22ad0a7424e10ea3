"""``bench orchestrate``: its options, and what it prints at the end."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import errors
from orchestrator.cli.terminal import examples, out

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "bench orchestrate --frameworks tf,torch,theano --suite quick",
        "bench orchestrate --frameworks tf,torch --workloads mlp,lstm --threads 2",
        "bench orchestrate --frameworks all --suite mine.yaml --memory 4GiB --timeout 600",
        "bench orchestrate --run runs/quick-20260101-120000    go on with that run",
    )
)
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
    scale: Annotated[
        float | None,
        typer.Option(help="Use this share of the suite's rows, and of its epochs: 0.05 for a small machine. [1]"),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="OLD=NEW: another dataset in place of one of the suite's (`bench data list`). Repeatable."),
    ] = None,
    synthetic: Annotated[
        bool | None,
        typer.Option("--synthetic", help="Random numbers in the shapes of the suite's datasets: for times alone."),
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which a job is stopped. [the suite's]")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory limit of a job, such as 8GiB or 500MiB. [8GiB]")] = None,
    sample_seconds: Annotated[
        float, typer.Option(help="Seconds between two samples of what a job uses, from outside of it; 0: none.")
    ] = 0.1,
    data_dir: Annotated[Path | None, typer.Option(help="Where dataset files are. [$BENCH_DATA_DIR]")] = None,
    output: Annotated[Path, typer.Option(help="The folder that gets the run's folder.")] = Path("runs"),
    run: Annotated[
        Path | None, typer.Option(help="Go on with this run, as it was asked for: what is done is not run again.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="With --run: measure the asked frameworks' rows anew.")
    ] = False,
) -> None:
    """Run a suite in several frameworks and print a comparison.

    Each framework trains the same models, from the same weights, on the same batches, in an environment of its own
    that is made on first use. Before anything is timed, a gate holds each to a reference. The table says who was how
    fast, how accurate, and how sure that is. Everything is kept in a folder below --output.

    Ctrl-C stops the run, keeps what is done and says how to go on. In square brackets: what holds where an option is
    left out.
    """
    from orchestrator import session
    from orchestrator.options import Asked

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
        "scale": scale,
        "datasets": dataset or None,
        "synthetic": synthetic,
        "timeout_seconds": timeout,
        "memory_bytes": memory,
    }
    asked = Asked(
        given={name: value for name, value in options.items() if value is not None},
        engine=engine,
        data_dir=data_dir,
        output=output,
        run=run,
        again=again,
        command=sys.argv[1:],
        sample_seconds=sample_seconds,
    )
    summary = session.run(asked, out)
    from orchestrator.report import resources, tables

    out.print()
    out.print(tables.as_rich(summary))
    out.print(resources.as_rich(summary, phases=("train",)))
    raise typer.Exit(errors.JOB_FAILED if summary.failed else errors.OK)
