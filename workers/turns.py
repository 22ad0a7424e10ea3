"""A framework's container under ``docker compose``: it waits, idle, and runs the jobs that it is given, one at a time.

python -m workers.turns RUNS_FOLDER SERVICE

The orchestrator's container gives orders (orchestrator/engines/compose.py). The two share no network, only files in
RUNS_FOLDER/.turns, each a JSON document that is written whole:

    orchestrator.present   held (by flock) while the orchestrator lives: its session; the services that it has found
    SERVICE.present        held while this container lives: its token, recipe hash and Python
    SERVICE.order.json     one job: session, number, folder, environment, timeout_seconds; taken away, it is stopped
    SERVICE.ended.json     how that job ended: session, number, code, timed_out, out_of_memory, error
    measuring.lock         held while a job runs: one measures at a time, whoever gives the orders
    finished.json          the session is over: exit code, summary, the services whose frameworks were compared
"""

import argparse
import contextlib
import fcntl
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.25
LOCK_SECONDS = 2.0  # another may look at a lock, and so hold it, for a moment
GRACE_SECONDS = 1.0  # for the stack trace that a hanging worker writes at its deadline
COMES_SECONDS = 120.0  # how long to wait for an orchestrator ...
GONE_SECONDS = 30.0  # ... and for one that was there and left without a word
NOBODY = "no orchestrator came in {:g} seconds".format(COMES_SECONDS)
NO_RUN = 3  # the exit code where there is no run to take part in
OOM_COUNTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")  # cgroup v2, v1

Facts = Dict[str, Any]


# ---------------------------------------------------------------------------- files, for both sides


def turns_folder(runs: Path) -> Path:
    return runs / ".turns"


def write_json(path: Path, facts: Facts) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(facts), encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> Facts:
    """Return what the file says; nothing where it is not there or not whole."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


class Presence:
    """A file that tells others who is there, and is locked for as long as its writer lives."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises BlockingIOError where another holds it."""
        self.file = path.open("a+", encoding="utf-8")
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self.file.close()
                    raise
                time.sleep(0.05)
        self.say({})

    def say(self, facts: Facts) -> None:
        # In place, since a renamed file would leave the lock behind. Half a document reads as nothing said yet.
        self.file.seek(0)
        self.file.truncate()
        self.file.write(json.dumps(facts))
        self.file.flush()

    def end(self) -> None:
        self.file.close()


def present(path: Path) -> Facts:
    """Return what the holder of the file says; nothing where nobody holds it, or has said nothing yet."""
    try:
        with path.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return read_json(path)
    except OSError:
        pass
    return {}


# ---------------------------------------------------------------------------- the container


class Server:
    """Takes part in one session: announces itself, runs what is ordered, and ends with the orchestrator."""

    def __init__(self, runs: Path, service: str, root: Path = ROOT) -> None:
        self.turns = turns_folder(runs)
        self.service = service
        self.root = root
        self.started = time.time()
        self.session: Optional[str] = None
        self.done: Tuple[Any, Any] = (None, None)

    def say(self, text: str) -> None:
        print("{}: {}".format(self.service, text), flush=True)

    def serve(self) -> int:
        """Return the exit code: the session's own, or 3 where there was no session to take part in."""
        self.say("waiting for the orchestrator")
        if not waited(lambda: os.access(str(self.turns), os.W_OK), COMES_SECONDS):
            return self._alone(NOBODY)
        # An order that lies there already was for a container before this one.
        self.done = _number(self._read("order.json"))
        try:
            presence = Presence(self.turns / (self.service + ".present"))
        except BlockingIOError:
            return self._alone("another container of this service is running; stop that one first")
        presence.say(self._facts())
        try:
            return self._session()
        finally:
            presence.end()

    def _session(self) -> int:
        seen = time.monotonic()
        while True:
            finished = self._finished()
            if finished:
                return self._end(finished)
            orchestrator = present(self.turns / "orchestrator.present")
            if orchestrator:
                seen = time.monotonic()
                self._join(orchestrator["session"])
                if self.service not in orchestrator.get("services", [self.service]):
                    return self._alone("a run without this framework is under way; try again when it is over")
            order = self._read("order.json")
            if order.get("session") == self.session and _number(order) != self.done:
                self._run(order)
                self.done = _number(order)
                continue
            waiting = time.monotonic() - seen
            if self.session is None and waiting > COMES_SECONDS:
                return self._alone(NOBODY)
            if self.session is not None and waiting > GONE_SECONDS:
                return self._alone("the orchestrator has been gone for {:g} seconds".format(GONE_SECONDS))
            time.sleep(POLL_SECONDS)

    def _join(self, session: str) -> None:
        if session != self.session:
            self.session = session
            self.say("part of the run; idle until it is this framework's turn")

    def _finished(self) -> Facts:
        """Return what ended this session, or one that was over before this container had seen it."""
        path = self.turns / "finished.json"
        finished = read_json(path)
        if not finished or finished.get("session") == self.session:
            return finished
        return finished if self.session is None and path.stat().st_mtime >= self.started else {}

    def _end(self, finished: Facts) -> int:
        # Compose may be told to stop everything when one container ends, so the orchestrator ends first.
        waited(lambda: not present(self.turns / "orchestrator.present"), GONE_SECONDS)
        if finished["compared"] == [self.service]:
            print("\n" + finished["summary"], flush=True)
        return int(finished["code"])

    def _alone(self, why: str) -> int:
        self.say(why)
        return NO_RUN

    def _read(self, suffix: str) -> Facts:
        return read_json(self.turns / "{}.{}".format(self.service, suffix))

    def _facts(self) -> Facts:
        baked = self.root / "recipe_hash"
        return {
            "token": uuid.uuid4().hex,
            "recipe_hash": baked.read_text().strip() if baked.exists() else None,
            "python": platform.python_version(),
            "container": platform.node(),
        }

    def _run(self, order: Facts) -> None:
        """Run an order when nobody else measures, and say how it ended."""
        folder = Path(order["folder"])
        self.say("{}: starts".format(folder.name))
        start = time.monotonic()
        try:
            with (self.turns / "measuring.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                ended = run_job(folder, order, self.root, lambda: self._read("order.json") == order)
        except OSError as error:
            ended = {"code": 1, "error": str(error)}
        answer = dict(ended, session=order["session"], number=order["number"])
        write_json(self.turns / "{}.ended.json".format(self.service), answer)
        self.say("{} [{:.1f} s]".format(_outcome(folder, ended), time.monotonic() - start))


def _number(order: Facts) -> Tuple[Any, Any]:
    return order.get("session"), order.get("number")


def waited(holds: Callable[[], bool], seconds: float) -> bool:
    """Return whether something came to hold within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


# ---------------------------------------------------------------------------- a job


def run_job(folder: Path, order: Facts, root: Path, wanted: Callable[[], bool]) -> Facts:
    """Run the job, while it is wanted, as a process of its own, nothing of which is left; return how it ended."""
    kills = oom_kills()
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers", str(folder)],
            cwd=str(root),
            env=dict(os.environ, **order["environment"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with _killed_at_the_end(process):
            with contextlib.suppress(OSError):  # if memory runs out, the job goes, not the one that reports it
                Path("/proc/{}/oom_score_adj".format(process.pid)).write_text("1000")
            timed_out = not _ended(process, order["timeout_seconds"] + GRACE_SECONDS, wanted)
        code = process.returncode
    out_of_memory = oom_kills() > kills
    return {"code": code if code >= 0 else 128 - code, "timed_out": timed_out, "out_of_memory": out_of_memory}


def _ended(process: Any, seconds: float, wanted: Callable[[], bool]) -> bool:
    """Wait until the process ends or is no longer wanted; False: its time was over first."""
    deadline = time.monotonic() + seconds
    while wanted():
        try:
            process.wait(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
            return True
        except subprocess.TimeoutExpired:
            if time.monotonic() >= deadline:
                return False
    return True


@contextlib.contextmanager
def _killed_at_the_end(process: Any) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def oom_kills() -> int:
    """Return how many processes of this container the kernel has killed for want of memory; 0 where it does not say."""
    for path in OOM_COUNTS:
        with contextlib.suppress(OSError):
            found = re.search(r"^oom_kill (\d+)", Path(path).read_text(), re.MULTILINE)
            if found:
                return int(found.group(1))
    return 0


def _outcome(folder: Path, ended: Facts) -> str:
    """Return how a job ended, in the worker's own last words if it had any."""
    if "error" in ended:
        return "{}: {}".format(folder.name, ended["error"])
    for what in ("timed_out", "out_of_memory"):
        if ended[what]:
            return "{}: {}".format(folder.name, what.replace("_", " "))
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line for line in lines if line.startswith(folder.name + ": ")]
    return said[-1] if said else "{}: ended with exit code {}".format(folder.name, ended["code"])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m workers.turns",
        description="Take part in a run under docker compose: wait for jobs and run them, one at a time. Exits as the "
        "orchestrator does; with 3 if there is no run to take part in.",
    )
    parser.add_argument("runs_folder", type=Path)
    parser.add_argument("service")
    given = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    return Server(given.runs_folder.resolve(), given.service).serve()


if __name__ == "__main__":
    sys.exit(main())
