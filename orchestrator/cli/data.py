"""``bench data``: list, fetch, verify and import datasets."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import errors
from orchestrator.cli.terminal import examples, out

commands = typer.Typer(
    name="data",
    help="List, fetch, verify and import datasets.",
    epilog=examples(
        "bench data list                            which there are, and what is on this machine",
        "bench data fetch mnist cifar10             before the network goes away",
        "bench data import ~/recording              files of your own, under a name of their own",
    ),
    no_args_is_help=True,
)


@commands.command(
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


@commands.command(
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


@commands.command(
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


@commands.command(
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
