"""A framework's container takes its turns: real processes and files, on a copy of the package with small patience."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.turns import Containers, wait_for
from workers import turns
from workers.turns import Presence, present, read_json, turns_folder, write_json

PATIENCE = {"COMES_SECONDS = 120.0": "COMES_SECONDS = 2.0", "GONE_SECONDS = 30.0": "GONE_SECONDS = 1.0"}


class Session:
    """The orchestrator's side, played by the test, and the processes of containers."""

    def __init__(self, folder: Path) -> None:
        self.containers = Containers(folder, patience=PATIENCE)
        self.containers.do_what_folders_say()
        self.recipe_hash = (self.containers.root / "recipe_hash").read_text().strip()
        self.runs = folder / "runs"
        self.turns = turns_folder(self.runs)
        self.turns.mkdir(parents=True)
        self.number = 0
        self.orchestrator: Presence | None = None

    def start(self, service: str) -> "subprocess.Popen[str]":
        return self.containers.start(self.runs, service)

    def open(self, **facts: Any) -> None:
        self.orchestrator = Presence(self.turns / "orchestrator.present")
        self.orchestrator.say({"session": "s", **facts})

    def joined(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = wait_for(lambda: present(self.turns / f"{service}.present"))
        return found

    def order(self, service: str, script: str, timeout: float = 20.0, number: int | None = None) -> Path:
        self.number = number or self.number + 1
        folder = self.runs / "run" / "jobs" / f"job-{service}-{self.number}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "script.py").write_text(script)
        order = {"session": "s", "number": self.number, "folder": str(folder)}
        order |= {"environment": {"GIVEN": "yes"}, "timeout_seconds": timeout}
        write_json(self.turns / f"{service}.order.json", order)
        return folder

    def ended(self, service: str) -> dict[str, Any]:
        path = self.turns / f"{service}.ended.json"
        wait_for(lambda: read_json(path).get("number") == self.number)
        return read_json(path)

    def finish(self, code: int = 0, compared: tuple[str, ...] = ()) -> None:
        facts = {"session": "s", "code": code, "summary": "THE TABLE", "compared": list(compared)}
        write_json(self.turns / "finished.json", facts)
        self.leave()

    def leave(self) -> None:
        if self.orchestrator is not None:
            self.orchestrator.end()

    def end(self) -> None:
        self.leave()
        self.containers.end()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = Session(tmp_path)
    yield made
    made.end()


def test_a_job_is_run_in_its_folder_with_the_orders_environment_and_answered(session: Session) -> None:
    session.open()
    process = session.start("theano")
    facts = session.joined("theano")
    assert (facts["recipe_hash"], facts["python"].count(".")) == (session.recipe_hash, 2)
    folder = session.order("theano", "import os\nprint(os.environ['GIVEN'])\nprint(folder.name + ': ok')")
    answer = session.ended("theano")
    assert (answer["code"], answer["timed_out"], answer["out_of_memory"]) == (0, False, False)
    assert (folder / "log.txt").read_text().splitlines() == ["yes", f"{folder.name}: ok"]
    session.finish(code=1, compared=("theano",))
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"theano: {folder.name}: ok [" in output
    assert output.rstrip().endswith("THE TABLE")


def test_only_the_one_framework_that_was_compared_prints_the_summary(session: Session) -> None:
    session.open()
    processes = [session.start(service) for service in ("numpy", "theano")]
    for service in ("numpy", "theano"):
        session.joined(service)
    session.finish(compared=("theano",))
    outputs = [process.communicate(timeout=20)[0] for process in processes]
    assert ["THE TABLE" in output for output in outputs] == [False, True]
    assert [process.returncode for process in processes] == [0, 0]


@pytest.mark.parametrize(("script", "code"), [("sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_how_a_job_ended_is_told_as_a_shell_counts(session: Session, script: str, code: int) -> None:
    session.open()
    session.start("tf")
    session.joined("tf")
    session.order("tf", script)
    assert session.ended("tf")["code"] == code


def test_a_job_that_hangs_is_killed_with_all_that_it_started(session: Session) -> None:
    session.open()
    session.start("tf")
    session.joined("tf")
    script = (
        "import subprocess, time\nchild = subprocess.Popen(['sleep', '300'])\n"
        "(folder / 'child').write_text(str(child.pid))\ntime.sleep(300)"
    )
    folder = session.order("tf", script, timeout=0.5)
    assert session.ended("tf")["timed_out"] is True
    wait_for(lambda: gone(int((folder / "child").read_text())))
    session.order("tf", "print('next')")
    assert session.ended("tf")["code"] == 0


def gone(pid: int) -> bool:
    """A zombie that nobody waits for is gone too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_one_measures_at_a_time(session: Session) -> None:
    """Two orders at once: the second job starts when the first has ended, whoever gave the orders."""
    session.open()
    for service in ("tf", "torch"):
        session.start(service)
        session.joined(service)
    script = "import time\na = time.monotonic()\ntime.sleep(1)\n(folder / 'span').write_text(f'{a} {time.monotonic()}')"
    folders = [session.order(service, script, number=1) for service in ("tf", "torch")]
    for service in ("tf", "torch"):
        session.ended(service)
    spans = sorted([float(word) for word in (folder / "span").read_text().split()] for folder in folders)
    assert spans[0][1] <= spans[1][0]


def test_waiting_takes_no_cpu(session: Session) -> None:
    session.open()
    process = session.start("torch")
    session.joined("torch")

    def cpu_seconds() -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_seconds()
    time.sleep(5)
    assert cpu_seconds() - before <= 0.1


def test_sigterm_ends_it_at_once_and_its_job_too(session: Session) -> None:
    session.open()
    process = session.start("tf")
    session.joined("tf")
    folder = session.order("tf", "import os, time\n(folder / 'pid').write_text(str(os.getpid()))\ntime.sleep(300)")
    pid = int(wait_for(lambda: (folder / "pid").exists() and (folder / "pid").read_text()))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=5)
    assert process.returncode == 143
    assert "Traceback" not in output
    wait_for(lambda: gone(pid), 2)
    assert present(session.turns / "tf.present") == {}


def test_a_job_whose_order_is_taken_away_is_stopped(session: Session) -> None:
    session.open()
    session.start("tf")
    session.joined("tf")
    folder = session.order("tf", "import os, time\n(folder / 'pid').write_text(str(os.getpid()))\ntime.sleep(300)")
    pid = int(wait_for(lambda: (folder / "pid").exists() and (folder / "pid").read_text()))
    (session.turns / "tf.order.json").unlink()
    wait_for(lambda: gone(pid), 2)
    session.order("tf", "print('next')")
    assert session.ended("tf")["code"] == 0


def test_an_order_for_a_container_before_this_one_is_not_run(session: Session) -> None:
    session.open()
    old = session.order("tf", "pass")
    session.start("tf")
    session.joined("tf")
    session.order("tf", "print('mine')", number=2)
    session.ended("tf")
    assert not (old / "log.txt").exists()


def test_an_order_of_another_session_is_not_run(session: Session) -> None:
    session.open()
    session.start("tf")
    session.joined("tf")
    folder = session.order("tf", "pass")
    order = json.loads((session.turns / "tf.order.json").read_text())
    session.ended("tf")
    shutil.rmtree(folder)
    write_json(session.turns / "tf.order.json", order | {"session": "another", "number": 2})
    time.sleep(1)
    assert not folder.exists()


def test_a_job_whose_folder_cannot_be_written_is_answered_with_the_cause(session: Session) -> None:
    session.open()
    session.start("tf")
    session.joined("tf")
    folder = session.order("tf", "pass")
    session.ended("tf")
    shutil.rmtree(folder)
    write_json(
        session.turns / "tf.order.json",
        {"session": "s", "number": 2, "folder": str(folder), "environment": {}, "timeout_seconds": 5.0},
    )
    session.number = 2
    assert "No such file" in session.ended("tf")["error"]


def ended_alone(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 3, output
    return output


def test_without_an_orchestrator_it_ends_and_says_so(session: Session) -> None:
    assert "theano: no orchestrator came in 2 seconds" in ended_alone(session.start("theano"))


def test_an_orchestrator_that_is_gone_is_not_waited_for(session: Session) -> None:
    session.open()
    process = session.start("theano")
    wait_for(lambda: present(session.turns / "theano.present"))
    time.sleep(1)
    session.leave()
    assert "theano: the orchestrator has been gone for 1 seconds" in ended_alone(process)


def test_a_run_without_this_framework_is_not_joined(session: Session) -> None:
    session.open(services=["numpy", "tf"])
    assert "a run without this framework is under way" in ended_alone(session.start("theano"))


def test_a_second_container_of_a_service_ends(session: Session) -> None:
    session.open()
    session.start("theano")
    session.joined("theano")
    assert "another container of this service is running" in ended_alone(session.start("theano"))


def test_the_end_of_an_earlier_session_is_no_end_of_this_one(session: Session) -> None:
    write_json(session.turns / "finished.json", {"session": "old", "code": 5, "summary": "OLD", "compared": ["tf"]})
    session.open()
    process = session.start("tf")
    session.joined("tf")
    time.sleep(1)
    assert process.poll() is None
    session.finish()
    output, _ = process.communicate(timeout=20)
    assert (process.returncode, "OLD" in output) == (0, False)


def test_a_session_that_is_over_before_it_was_seen_is_an_end_too(session: Session) -> None:
    """A mistake in what was asked for ends the orchestrator within a second."""
    process = session.start("tf")
    session.joined("tf")
    session.open()
    session.leave()
    session.finish(code=2)
    process.communicate(timeout=20)
    assert process.returncode == 2


def test_looking_at_a_presence_neither_takes_nor_breaks_it(tmp_path: Path) -> None:
    path = tmp_path / "tf.present"
    assert present(path) == {}
    first = Presence(path)
    first.say({"token": "1"})
    assert present(path) == {"token": "1"}
    with pytest.raises(BlockingIOError):
        Presence(path)
    first.end()
    assert present(path) == {}
    with contextlib.closing(path.open()):
        second = Presence(path)
    second.end()


@pytest.mark.parametrize(
    ("text", "kills"),
    [
        ("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\n", 3),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        ("oom_kill_disable 0\n", 0),
    ],
)
def test_kills_for_memory_are_read_from_both_forms_of_cgroups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, kills: int
) -> None:
    (tmp_path / "counts").write_text(text)
    monkeypatch.setattr(turns, "OOM_COUNTS", (str(tmp_path / "absent"), str(tmp_path / "counts")))
    assert turns.oom_kills() == kills
