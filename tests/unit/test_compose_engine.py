"""The engine ``compose`` gives orders to real processes in the place of containers, and tells how each job ended."""

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.catalogue import FRAMEWORKS, Mode
from orchestrator.engines import Prepared
from orchestrator.engines.compose import ComposeEngine, service_of
from orchestrator.errors import EngineError
from orchestrator.session import choose_engine
from tests.jobs import FLAT, make_job
from tests.turns import Containers, wait_for
from workers.spec import Job, Result, pretty_json
from workers.turns import Presence, present, turns_folder

JOB = make_job([{"kind": "dense", "units": 2}], FLAT)
NUMPY = FRAMEWORKS["numpy"]
OK = '(folder / \'result.json\').write_text(\'{"job_id": "test", "status": "ok"}\')\n'


class Session:
    """An open session, its engine, and a container of NumPy's image that does what a job's folder says."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self.turns = turns_folder(self.runs)
        self.turns.mkdir(parents=True)
        self.presence = Presence(self.turns / "orchestrator.present")
        self.presence.say({"session": "s"})
        self.containers = Containers(folder)
        self.containers.do_what_folders_say()
        (self.containers.root / "recipe_hash").write_text(self.recipe_hash())
        self.engine = ComposeEngine()
        self.container = self.start()

    def recipe_hash(self) -> str:
        return (self.containers.root / "recipe_hash").read_text()

    def start(self):  # type: ignore[no-untyped-def]
        container = self.containers.start(self.runs, "numpy")
        wait_for(lambda: present(self.turns / "numpy.present"))
        return container

    def prepare(self) -> Prepared:
        return self.engine.prepare(NUMPY, "cpu", print)

    def run(self, script: str, prepared: Prepared, job: Job = JOB, cache: bool = False) -> Result:
        folder = self.runs / "run" / "jobs" / job.id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "script.py").write_text(script)
        (folder / "job.json").write_text(pretty_json(job))
        compiled = folder / "compiled"
        if cache:
            compiled.mkdir()
        return self.engine.run(prepared, job, folder, compiled if cache else None)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("BENCH_TURNS_DIR", str(tmp_path / "runs" / ".turns"))
    made = Session(tmp_path)
    yield made
    made.containers.end()
    made.presence.end()


def test_a_job_runs_in_its_container_and_its_result_says_what_ran_it(session: Session) -> None:
    assert session.engine.why_not() is None
    prepared = session.prepare()
    result = session.run(OK, prepared)
    assert result.status == "ok"
    environment = result.environment
    assert (environment.engine, environment.recipe_hash) == ("compose", session.recipe_hash().strip())
    assert list(session.turns.glob("*.order.json")) == []


def test_a_compiler_finds_its_cache_in_the_jobs_folder(session: Session) -> None:
    prepared = session.prepare()
    prepared = replace(prepared, entry=replace(NUMPY, compile_cache={"KEPT_IN": "at={folder}"}))
    script = OK + "import os\nprint(os.environ['KEPT_IN'] == 'at=' + str(folder / 'compiled'))"
    result = session.run(script, prepared, cache=True)
    assert result.environment.compile_cache == "cold"
    assert (session.runs / "run" / "jobs" / "test" / "log.txt").read_text() == "True\n"


def test_a_job_that_hangs_is_a_timeout(session: Session) -> None:
    limits = JOB.limits.model_copy(update={"timeout_seconds": 0.5})
    result = session.run("import time; time.sleep(300)", session.prepare(), JOB.model_copy(update={"limits": limits}))
    assert (result.status, result.reason) == ("timeout", "stopped after 0.5 seconds; --timeout sets another limit")


def test_a_job_that_dies_is_lost(session: Session) -> None:
    result = session.run("import os; os.kill(os.getpid(), 9)", session.prepare())
    assert (result.status, result.reason) == ("lost", "the process ended without a result (killed by SIGKILL)")


def test_a_container_that_ends_while_a_job_runs_loses_it_and_has_none_of_the_next(session: Session) -> None:
    prepared = session.prepare()
    threading.Timer(1.5, session.container.kill).start()
    lost = session.run("import time; time.sleep(8)", prepared)
    assert (lost.status, lost.reason) == ("lost", "the container numpy ended while the job ran")
    after = session.run(OK, prepared)
    assert (after.status, after.reason) == ("unavailable", "the container numpy is no longer up")
    session.container.communicate()
    session.start()
    assert session.run(OK, prepared).status == "ok"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, as it does in a terminal, whatever started the tests: some ignore it for their children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_stops_the_job_and_passes_on(session: Session) -> None:
    prepared = session.prepare()
    threading.Timer(1.5, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        session.run("import time; time.sleep(300)", prepared)
    assert session.run(OK, prepared).status == "ok"


def test_a_framework_whose_container_is_not_up_cannot_be_had(session: Session) -> None:
    with pytest.raises(EngineError, match=r"theano: its container is not up. Start it: docker compose up"):
        session.engine.prepare(FRAMEWORKS["theano"], "cpu", print)


def test_an_image_of_another_state_of_the_project_is_refused(session: Session) -> None:
    session.container.kill()
    session.container.communicate()
    (session.containers.root / "recipe_hash").write_text("ab12\n")
    session.start()
    with pytest.raises(EngineError, match=r"its container is of recipe ab12, .* docker compose build bench numpy"):
        session.prepare()


def test_the_engine_is_refused_where_no_session_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_TURNS_DIR", raising=False)
    with pytest.raises(EngineError, match=r"--engine compose: it works in a container of compose.yaml alone"):
        choose_engine("compose")
    monkeypatch.setenv("BENCH_TURNS_DIR", str(tmp_path))
    with pytest.raises(EngineError, match=r"no session is open in .* Use `docker compose up`"):
        choose_engine("compose")


def test_a_mode_runs_in_its_frameworks_container_unless_it_has_packages_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modes = {"eager": Mode("Eager"), "jax": Mode("On JAX", requirements={"cpu": "requirements-jax.txt"})}
    entry = replace(FRAMEWORKS["tf"], modes=modes)
    monkeypatch.setitem(FRAMEWORKS, "tf", entry)
    assert [service_of(each) for each in (entry, entry.in_mode("eager"), entry.in_mode("jax"))] == [
        "tf",
        "tf",
        "tf-jax",
    ]
