"""The command ``bench``: parses, calls, prints, maps errors to exit codes. No logic."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from orchestrator import completion, errors


def examples(*lines: str) -> str:
    """Return lines as the end of a help text; the first character keeps them from being wrapped."""
    return "\b\n" + "\n".join(("Examples:", *(f"  {line}" for line in lines)))


app = typer.Typer(
    help="Compare deep-learning frameworks so that the comparison can be believed.",
    epilog=examples(
        "bench doctor                               is this machine ready?",
        "bench orchestrate --frameworks tf,torch    compare two on the suite quick",
        "bench show runs/quick-20260101-120000      print that run's table again",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# A pipe or a file has no width of its own; COLUMNS, where it is set, holds for it too.
out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 132)
err = Console(stderr=True)


@app.command(
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


@app.command(
    epilog=examples(
        "bench build tf torch",
        "bench build all --engine local       prints each environment's interpreter",
        "bench build torch7 --base IMAGE      on an image of yours that has Torch7 (docs/torch7.md)",
    )
)
def build(
    frameworks: Annotated[
        list[str], typer.Argument(help="The frameworks to prepare, as `bench frameworks` names them; or all.")
    ],
    engine: Annotated[
        str, typer.Option(help="docker: images; local: virtual environments; auto: docker where it answers.")
    ] = "auto",
    gpu: Annotated[bool, typer.Option("--gpu", help="Prepare the variants for NVIDIA GPUs.")] = False,
    base: Annotated[str | None, typer.Option(help="For torch7: your image that has it. [$BENCH_TORCH7_BASE]")] = None,
) -> None:
    """Prepare images or environments, and run nothing.

    A run prepares what it needs by itself; this does it beforehand, as where the network goes away later. What is
    there already is kept, so that a second call takes no time.
    """
    from orchestrator import session

    for line in session.build(",".join(frameworks), engine, gpu, out, base):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command(
    epilog=examples(
        "bench doctor",
        "bench doctor --format json",
    )
)
def doctor(
    format: Annotated[str, typer.Option(help="table, or json for a program to read.")] = "table",
) -> None:
    """Say whether this machine is ready, and what to do if not.

    Looks at Docker, GPU, disk, memory, CPU clock, load, interpreters and data, and changes nothing. A problem stops
    runs; a warning spoils their times, or closes one way of several. Exits with 1 if there is a problem, else with 0.
    """
    import json
    from dataclasses import asdict

    from orchestrator.doctor import examine, has_problem
    from orchestrator.explain import nearest
    from orchestrator.machine import read_machine
    from orchestrator.report import lists

    if format not in completion.FORMATS["doctor"]:
        raise errors.UsageError([f"Unknown format {format!r}. {nearest(format, completion.FORMATS['doctor'])}"])
    found = examine(read_machine())
    if format == "json":
        sys.stdout.write(json.dumps({"findings": [asdict(item) for item in found]}, indent=1) + "\n")
    else:
        for line in lists.findings(found):
            out.print(line, soft_wrap=True)
        out.print(lists.outcome(found), highlight=False)
    raise typer.Exit(errors.NOT_READY if has_problem(found) else errors.OK)


@app.command(
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


@app.command(
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


@app.command(
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


@app.command(
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


@app.command(
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


@app.command(
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
) -> None:
    """Write runs as a page or as files of their charts.

    The HTML page holds charts, sortable tables and every number, and makes no request. The Markdown page holds one run.
    """
    import shlex

    from orchestrator.report import formats

    command = shlex.join(["bench", *sys.argv[1:]])
    sys.stdout.write(formats.write(runs, format, output, command))


@app.command(
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


@app.command(
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


data = typer.Typer(
    name="data",
    help="List, fetch, verify and import datasets.",
    epilog=examples(
        "bench data list                            which there are, and what is on this machine",
        "bench data fetch mnist cifar10             before the network goes away",
        "bench data import ~/recording              files of your own, under a name of their own",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(data)


@data.command(
    "list",
    epilog=examples(
        "bench data list",
        "bench data list --data-dir ~/data",
    ),
)
def list_datasets(
    data_dir: Annotated[Path | None, typer.Option(help="Where dataset files are. [$BENCH_DATA_DIR]")] = None,
) -> None:
    """List the datasets, and which of them are on this machine.

    A look at what is there: nothing is read or downloaded. Behind the built-in ones stand those that were imported.
    """
    from orchestrator import datasets, holdings
    from orchestrator.report import lists

    place = datasets.find_data_dir(data_dir)
    infos = [datasets.describe(name) for name in datasets.names()]
    out.print(lists.datasets(holdings.holding(info, datasets.cache_dir(), place) for info in infos))


@data.command(
    epilog=examples(
        "bench data fetch mnist cifar10",
        "bench data fetch all --data-dir ~/data",
    )
)
def fetch(
    datasets: Annotated[list[str], typer.Argument(help="Names, as `bench data list` has them; or all.")],
    data_dir: Annotated[Path | None, typer.Option(help="Where dataset files are. [$BENCH_DATA_DIR]")] = None,
) -> None:
    """Put datasets into the cache, and run nothing.

    Files are taken from --data-dir if they are there, else downloaded; a download that broke off goes on. Any but the
    published or the imported ones are refused. A run does the same for what it needs. all: everything that can be had,
    about 2 GB, most of it SVHN's extra rows.
    """
    from orchestrator import holdings

    wrong = []
    for line, error in holdings.fetch(datasets, data_dir, sys.stderr.isatty()):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
        wrong += [error] if error else []
    if wrong:
        raise errors.DataError("\n".join(wrong))


@data.command(
    epilog=examples(
        "bench data verify",
        "bench data verify cifar10-subset",
    )
)
def verify(
    datasets: Annotated[list[str] | None, typer.Argument(help="Names, as `bench data list` has them. [all]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where dataset files are. [$BENCH_DATA_DIR]")] = None,
) -> None:
    """Hash again what is there of datasets, and name what is wrong.

    That is the arrays in the cache, downloads, the files in --data-dir, and those that were imported, where they still
    are. Exits with 4 if anything is wrong.
    """
    from orchestrator import holdings
    from orchestrator.report import lists

    found = list(holdings.verify(datasets or [], data_dir))
    for line in lists.checks(found):
        out.print(line, soft_wrap=True)
    if any(item.wrong for item in found):
        raise typer.Exit(errors.DataError.exit_code)


@data.command(
    "import",
    epilog=examples(
        "bench data import ~/recording",
        "bench data import cifar-10-batches-py --like cifar10 --name cifar10-subset",
    ),
)
def import_files(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the files.")],
    like: Annotated[
        str | None, typer.Option(help="The dataset whose format they have. [told by the files' names]")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The name that they get. [imported-LIKE-ROWSxROWS, by the rows]")
    ] = None,
) -> None:
    """Register files of your own as a dataset.

    They are read, never run: pickles too. The name goes into suites, and stands in every result. Noted are the sha256
    of each file and of the arrays; from then on those are taken and no others. The folder stays where it is.
    Published files need no name of their own: they are recognised.
    """
    from orchestrator import datasets

    made = datasets.import_folder(folder, like, name)
    rows = f"{made.train_rows:,} rows to train on and {made.test_rows:,} to test on"
    if made.canonical:
        text = f"These are the published files of {made.like}: nothing is registered. It is in the cache: {rows}."
    else:
        text = f"Registered: {made.name}, {rows}, from {made.files:,} files in the format of {made.like}."
    out.print(text, markup=False, highlight=False, soft_wrap=True)


for command in (*app.registered_commands, *data.registered_commands):
    completion.attach(command.callback)


def main() -> None:
    """Run the command; every error a user can see is printed here, without a traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped run is stopped as by Ctrl-C
    try:
        app(prog_name="bench")
    except errors.BenchError as error:
        err.print(f"bench: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("bench: stopped.")
        sys.exit(errors.Interrupted.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
