"""The four papers' experiments, small, in every framework that is ready, and one page of all: reports/papers.html.

usage: python -m benchmarks.papers [--frameworks all] [--repeats 3] [--threads 1] [--runs runs/papers] [--output PAGE]

Each experiment is a run of its own. One that is there already is continued, so that a stopped command goes on.
`bench data import` must have registered cifar10-part and imdb-reranked: whichever part of CIFAR-10, and file in the
format of Keras' imdb.npz, is there.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

import typer

from orchestrator import errors

MADE_BY = "make papers"
BENCH = [sys.executable, "-c", "from orchestrator.cli import main; main()"]


class Part(NamedTuple):
    """What of a suite is run, of how many rows; ``options``: of bench orchestrate, besides."""

    name: str
    suite: str
    scale: float
    epochs: int
    workloads: str
    options: tuple[str, ...] = ()


PARTS = [
    Part("depth-and-width", "kovalev2016", 0.05, 3, "tanh-1x100,tanh-2x100,tanh-4x100,tanh-1x1024"),
    Part("grey-images", "albdour2020", 0.02, 3, "cnn-mnist"),
    Part(
        name="colour-images",
        suite="albdour2020",
        scale=0.05,
        epochs=3,
        workloads="cnn-cifar10",
        options=("--batch-size", "32", "--dataset", "cifar10=cifar10-part"),
    ),
    Part("digits", "dlbench2021", 0.02, 3, "cnn-mnist"),
    Part("digits-and-reviews", "kabakus2020", 0.1, 3, "fnn-mnist,lstm-imdb", ("--dataset", "imdb=imdb-reranked")),
]
"""As much as two CPUs finish in two hours, and of so many steps that each model learns: VGG16 does not from a fiftieth
of CIFAR-10, nor an LSTM from one of the Penn Treebank. On CIFAR-10 batches of 32, not of 128, make up for few rows."""


def newest(part: Part, runs: Path) -> Path | None:
    return max((runs / part.name).glob(f"{part.suite}-*"), default=None)


def bench(*words: str) -> None:
    """Run a command of Bakeoff; a job that fails is a result, and the page says so."""
    code = subprocess.run([*BENCH, *words]).returncode
    if code not in (errors.OK, errors.JOB_FAILED):
        raise SystemExit(code)


def command(part: Part, frameworks: str, repeats: int, threads: int, runs: Path) -> list[str]:
    """Return the command that starts a part, or continues the newest run of it."""
    run = newest(part, runs)
    if run is not None:
        return ["orchestrate", "--run", str(run)]
    words = ["orchestrate", "--suite", part.suite, "--workloads", part.workloads, "--frameworks", frameworks]
    words += ["--scale", f"{part.scale:g}", "--epochs", str(part.epochs), "--repeats", str(repeats)]
    words += ["--threads", str(threads), "--engine", "docker", "--output", str(runs / part.name)]
    return [*words, *part.options]


def pack(runs: Iterable[Path], archive: Path) -> None:
    """Write what a page's links lead to, under the names that they have from here: all but inputs and predictions."""
    with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
        for run in runs:
            for file in sorted(run.rglob("*")):
                if file.is_file() and "inputs" not in file.relative_to(run).parts and file.suffix != ".npz":
                    packed.write(file)


def draw(run: str, picture: Path) -> None:
    """Write the chart that sums a run up, for pages that lead to the report."""
    with tempfile.TemporaryDirectory() as folder:
        bench("report", run, "--format", "svg", "--output", folder)
        (summed_up,) = Path(folder).glob("overall*.svg")
        shutil.copy(summed_up, picture)


def main(
    frameworks: Annotated[str, typer.Option(help="As for bench orchestrate.")] = "all",
    repeats: Annotated[int, typer.Option(help="Rounds.")] = 3,
    threads: Annotated[int, typer.Option(help="CPU threads of a job.")] = 1,
    runs: Annotated[Path, typer.Option(help="Where the runs are, or will be.")] = Path("runs/papers"),
    output: Annotated[Path, typer.Option(help="The page.")] = Path("reports/papers.html"),
) -> None:
    """Run what is not done yet, count lines of code, then make the page and its picture, and pack its raw results."""
    done = []
    for part in PARTS:
        bench(*command(part, frameworks, repeats, threads, runs))
        done.append(str(newest(part, runs)))
        bench("lines", "--run", done[-1])
    bench("report", *done, "--output", str(output), "--made-by", MADE_BY)
    bench("index", str(output.parent))
    pack(map(Path, done), output.with_suffix(".zip"))
    draw(done[0], output.with_suffix(".svg"))


if __name__ == "__main__":
    typer.run(main)
