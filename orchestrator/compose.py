"""The service ``bench`` of compose.yaml: finds the frameworks' containers, runs ``bench orchestrate``, ends them all.

python -m orchestrator.compose, in a folder with runs/. README.md lists the settings, which are in the environment.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from orchestrator.catalogue import find
from orchestrator.engines.compose import service_of
from orchestrator.errors import BenchError, EngineError, UsageError
from orchestrator.request import framework_labels, named_labels
from workers.turns import POLL_SECONDS, Presence, present, turns_folder, write_json

Value = TypeVar("Value")
RUNS = Path("runs")
BENCH = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
TAIL_LINES = 40


def main() -> int:
    try:
        become_user()
        options = setting("BENCH_OPTIONS", shlex.split, "words of a command line", "")
        first = setting("BENCH_FIRST_SECONDS", float, "a number of seconds", "1800")
        grace = setting("BENCH_GRACE_SECONDS", float, "a number of seconds", "20")
        presence = _presence()
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    turns = turns_folder(RUNS)
    for stale in (*turns.glob("*.order.json"), *turns.glob("*.ended.json"), *turns.glob("finished.json")):
        stale.unlink(missing_ok=True)
    session = uuid.uuid4().hex
    presence.say({"session": session})
    labels = chosen_frameworks(turns, first, grace)
    # From here on, a container that comes is told that it is too late.
    presence.say({"session": session, "services": services_up(turns)})
    code, lines = run_bench(orchestrate_words(labels, options))
    compared = sorted({service_of(find(label)) for label in labels})
    finished = {"session": session, "code": code, "summary": summary_of(lines), "compared": compared}
    write_json(turns / "finished.json", finished)
    # The other containers end when this process's lock is gone, and compose may then stop this one too: so it ends at
    # once, with its own code.
    sys.stdout.flush()
    os._exit(code)


def setting(name: str, read: Callable[[str], Value], wanted: str, default: str) -> Value:
    """Return a setting of the environment. Raises UsageError."""
    text = os.environ.get(name) or default
    try:
        return read(text)
    except ValueError:
        raise UsageError([f"{name} is {text!r}; give {wanted}."]) from None


def become_user() -> None:
    """As root: give folders that Docker has made to BENCH_UID and BENCH_GID, and go on as that user."""
    if os.getuid() != 0:
        return
    uid, gid = (setting(name, int, "a number", "1000") for name in ("BENCH_UID", "BENCH_GID"))
    if RUNS.stat().st_uid == 0:
        os.chown(RUNS, uid, gid)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _presence() -> Presence:
    """Return the orchestrator's lock on the runs folder. Raises EngineError."""
    turns = turns_folder(RUNS)
    try:
        turns.mkdir(exist_ok=True)
        return Presence(turns / "orchestrator.present")
    except BlockingIOError:
        raise EngineError(f"Another orchestrator uses this runs folder ({turns}). Wait for its end.") from None
    except PermissionError as error:
        owner = RUNS.stat()
        raise EngineError(
            f"{error.filename} cannot be written by user {os.getuid()}; the runs folder is user {owner.st_uid}'s. Set "
            f"BENCH_UID={owner.st_uid} BENCH_GID={owner.st_gid}, or BENCH_RUNS_DIR to another folder."
        ) from None


# ---------------------------------------------------------------------------- which frameworks


def services_up(turns: Path) -> list[str]:
    """Return the services whose container is there."""
    found = (path.name.removesuffix(".present") for path in turns.glob("*.present") if present(path))
    return sorted(set(found) - {"orchestrator"})


def chosen_frameworks(turns: Path, first: float, grace: float) -> list[str]:
    """Return those of the asked frameworks whose containers come in time; none for bad names."""
    text = os.environ.get("BENCH_FRAMEWORKS") or "all"
    mistakes: list[str] = []
    asked = framework_labels(text, mistakes)
    # What is built on an image of the user's own has a container only where somebody starts it.
    asked = [label for label in asked if find(label).base_argument is None or label in named_labels(text)]
    wanted = {service_of(find(label)) for label in asked} | {"numpy"}
    print(f"Waiting for the containers {', '.join(sorted(wanted))}.", flush=True)
    up = awaited(turns, wanted, first, grace)
    if text == "all":  # somebody started another container, so wants it
        asked += [label for label in framework_labels("all-versions", []) if service_of(find(label)) in {*up} - wanted]
    chosen = [label for label in asked if service_of(find(label)) in up]
    absent = [label for label in asked if label not in chosen]
    print(f"Up: {', '.join(up) or 'none'}." + (f" Not up, so not compared: {', '.join(absent)}." if absent else ""))
    return [] if mistakes else chosen


def awaited(turns: Path, wanted: set[str], first: float, grace: float) -> list[str]:
    """Return the services that are up: once all wanted ones are, or ``grace`` seconds after the first framework's.

    Of `docker compose run theano`, compose starts this service first, and may then build Theano's image for minutes.
    """
    deadline = time.monotonic() + first
    begun = False
    while True:
        up = services_up(turns)
        if not begun and set(up) - {"numpy"}:
            begun, deadline = True, time.monotonic() + grace
        if wanted <= set(up) or time.monotonic() >= deadline:
            return up
        time.sleep(POLL_SECONDS)


# ---------------------------------------------------------------------------- bench itself


def orchestrate_words(labels: list[str], options: list[str]) -> list[str]:
    """Return the command line of ``bench`` for the settings."""
    frameworks = ",".join(labels) or os.environ.get("BENCH_FRAMEWORKS") or "all"
    words = ["orchestrate", "--engine", "compose", "--frameworks", frameworks]
    settings = {"--memory": "BENCH_MEMORY", "--suite": "BENCH_SUITE"}
    if "--run" in options:
        del settings["--suite"]  # the run has its own
    for flag, name in settings.items():
        words += [flag, os.environ[name]] if os.environ.get(name) else []
    words += ["--gpu"] if os.environ.get("BENCH_GPU") else []
    return [*words, *options]


def run_bench(words: list[str]) -> tuple[int, list[str]]:
    """Run ``bench`` and pass on its output; return its exit code and its lines."""
    process = subprocess.Popen(
        [*BENCH, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    # Stopped by Docker, bench keeps what is done and says how to go on, as after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.terminate())
    lines = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        lines.append(line)
    return process.wait(), lines


def summary_of(lines: list[str]) -> str:
    """Return what the user of one framework's container should see: the results; or what went wrong."""
    starts = [place for place, line in enumerate(lines) if line.startswith("Results: ")]
    return "".join(lines[starts[-1] :] if starts else lines[-TAIL_LINES:]).rstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
