"""The command ``bench``: parses, calls, prints, maps errors to exit codes. No logic."""

import os
import signal
import sys

import typer

from orchestrator import completion, errors
from orchestrator.cli import choosing, data, orchestrate, preparing, reading
from orchestrator.cli.terminal import err, examples

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
# Help lists the commands in this order.
for part in (orchestrate.commands, preparing.commands, choosing.commands, reading.commands, data.commands):
    for command in part.registered_commands:
        completion.attach(command.callback)
    app.add_typer(part)


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
