"""What makes a machine ready for runs, or says that it is not: ``bench build`` and ``bench doctor``."""

import sys
from typing import Annotated

import typer

from orchestrator import completion, errors
from orchestrator.cli.terminal import examples, out

commands = typer.Typer()


@commands.command(
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


@commands.command(
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
