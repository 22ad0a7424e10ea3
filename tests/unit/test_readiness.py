"""A framework that waits for something only the user has: `all` goes on without it; by name, it is tried."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import ImageNotFound
from rich.console import Console

from orchestrator import session
from orchestrator.catalogue import FRAMEWORKS, FrameworkEntry
from orchestrator.engines import Prepared, Say
from orchestrator.engines.docker import DockerEngine
from orchestrator.engines.local import LocalEngine
from orchestrator.errors import EngineError, UsageError
from orchestrator.options import Asked
from orchestrator.plan import make_plan
from orchestrator.readiness import unready, without_unready
from orchestrator.recipe import recipe_hash
from orchestrator.request import Request
from orchestrator.summary import Summary
from tests.unit.test_orchestrate import InstantEngine

TORCH7 = FRAMEWORKS["torch7"]
REASON = "no image with Torch7 is given; next: bench build torch7 --base IMAGE (docs/torch7.md says what it must hold)"
TAG = f"bakeoff/torch7:cpu-{recipe_hash(TORCH7, 'cpu')[:12]}"


@pytest.fixture(autouse=True)
def _no_base_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_TORCH7_BASE", raising=False)


def docker_with(*tags: str) -> DockerEngine:
    """Return the docker engine of a daemon that has these images and no others."""

    def get(tag: str) -> Any:
        if tag not in tags:
            raise ImageNotFound(tag)
        return SimpleNamespace(id="sha256:built", labels={})

    engine = DockerEngine()
    engine._client = SimpleNamespace(images=SimpleNamespace(get=get))
    return engine


def test_without_a_base_and_an_image_the_reason_and_the_next_step_come_first() -> None:
    engine = docker_with()
    assert engine.why_not_ready(TORCH7, "cpu") == REASON
    with pytest.raises(EngineError) as raised:
        engine.prepare(TORCH7, "cpu", print)
    first, second = str(raised.value).splitlines()
    assert first == f"torch7: {REASON}."
    assert f"docker build --file docker/torch7/Dockerfile --build-arg TORCH7_BASE=IMAGE --tag {TAG} ." in second


def test_an_image_of_the_present_recipe_is_enough_whoever_built_it() -> None:
    engine = docker_with(TAG)
    assert engine.why_not_ready(TORCH7, "cpu") is None
    assert engine.prepare(TORCH7, "cpu", print) == Prepared(
        TORCH7, "cpu", recipe_hash(TORCH7, "cpu"), TAG, "sha256:built"
    )


def test_a_base_makes_it_ready_named_for_the_build_or_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert docker_with().why_not_ready(replace(TORCH7, base="mine"), "cpu") is None
    monkeypatch.setenv("BENCH_TORCH7_BASE", "mine")
    assert docker_with().why_not_ready(TORCH7, "cpu") is None


def test_another_base_than_the_images_own_builds_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str | None] = []
    monkeypatch.setattr(DockerEngine, "_build", lambda self, *arguments: built.append(arguments[-1]))
    engine = docker_with(TAG, "mine")
    engine.prepare(TORCH7, "cpu", print)
    assert built == []
    engine.prepare(replace(TORCH7, base="mine"), "cpu", print)  # the image has no label that names it
    assert built == ["sha256:built"]


def test_every_other_framework_is_ready_in_the_docker_engine() -> None:
    assert {entry.name for entry in FRAMEWORKS.values() if docker_with().why_not_ready(entry, "cpu")} == {"torch7"}


def test_the_local_engine_says_why_it_cannot_run_it(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"torch7: the local engine cannot run it, since .*; next: --engine docker\."):
        LocalEngine(tmp_path).prepare(TORCH7, "cpu", print)
    assert list(tmp_path.iterdir()) == []


def test_only_one_that_is_not_named_is_left_out() -> None:
    labels = ["torch", "torch7"]
    assert unready("all", labels, docker_with(), "cpu") == {"torch7": REASON}
    assert unready("all-versions", labels, docker_with(), "cpu") == {"torch7": REASON}
    assert unready("torch,Torch7", labels, docker_with(), "cpu") == {}
    assert unready("all,torch7", labels, docker_with(), "cpu") == {}
    assert unready("all", labels, docker_with(), "gpu") == {}  # there it is unsupported, whatever is given


def test_a_plan_is_made_again_without_them_and_says_so_in_lines() -> None:
    request = Request(frameworks="all", workloads="mlp", repeats=1)
    plan = make_plan(request, [0])
    smaller, lines = without_unready(plan, request, [0], docker_with())
    assert "torch7" in plan.frameworks
    assert {job.framework.label for job in smaller.train} == set(plan.frameworks) - {"torch7"}
    assert smaller.unavailable == {"torch7": REASON}
    assert lines == [f"Left out: torch7 is unavailable: {REASON}."]


def test_a_plan_whose_frameworks_are_all_ready_stays_as_it_is() -> None:
    request = Request(frameworks="torch,torch7", workloads="mlp", repeats=1)
    plan = make_plan(request, [0])
    same, lines = without_unready(plan, request, [0], docker_with())
    assert same is plan
    assert lines == []


def test_what_a_study_did_not_have_is_said_too() -> None:
    request = Request(frameworks="tf,jax", suite="kovalev2016", variant="both", repeats=1, limit_rows=10)
    plan = make_plan(request, [0])
    _, lines = without_unready(plan, request, [0], docker_with())
    assert lines == ["Left out: jax: kovalev2016 did not have it, so it has no row of variant paper."]


# ---------------------------------------------------------------------------- in a run, and in a build


class Waiting(InstantEngine):
    """Runs nothing; torch7 waits for its image."""

    ready = False

    def why_not_ready(self, entry: FrameworkEntry, device: str) -> str | None:
        return REASON if entry.base_argument and not self.ready else None

    def prepare(self, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        if self.why_not_ready(entry, device):
            raise EngineError(f"{entry.label}: {REASON}.\nmore")
        return super().prepare(entry, device, say)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Waiting:
    found = Waiting()
    monkeypatch.setattr(session, "choose_engine", lambda *asked: (found, "as asked"))
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    return found


def run(tmp_path: Path, frameworks: str | None, folder: Path | None = None) -> tuple[Summary, str]:
    given = {"workloads": "mlp", "repeats": 1, "threads": "1"} if folder is None else {}
    given |= {"frameworks": frameworks} if frameworks else {}
    console = Console(record=True, width=200)
    asked = Asked(given, "local", None, tmp_path / "runs", folder, again=False, command=["orchestrate"])
    return session.run(asked, console), console.export_text()


def compared(summary: Summary) -> set[str]:
    return {cell.framework for cell in summary.cells}


def test_all_goes_on_without_it_names_it_and_does_not_fail(engine: Waiting, tmp_path: Path) -> None:
    summary, output = run(tmp_path, "all")
    assert compared(summary) == set(FRAMEWORKS) - {"numpy", "torch7"}
    assert not summary.failed
    assert summary.run.unavailable == {"torch7": REASON}
    assert f"torch7 is unavailable: {REASON}." in summary.notes
    assert f"Left out: torch7 is unavailable: {REASON}." in " ".join(output.split())


def test_a_run_that_goes_on_has_it_once_its_image_is_there(engine: Waiting, tmp_path: Path) -> None:
    run(tmp_path, "all")
    (folder,) = (tmp_path / "runs").iterdir()
    engine.ready = True
    summary, _ = run(tmp_path, None, folder)
    assert "torch7" in compared(summary)
    assert summary.run.unavailable == {}


def test_a_run_that_names_it_has_rows_that_say_why_and_fails(engine: Waiting, tmp_path: Path) -> None:
    summary, _ = run(tmp_path, "torch,torch7")
    assert compared(summary) == {"torch", "torch7"}
    assert summary.failed
    assert {(item.framework, item.status) for item in summary.problems} == {("torch7", "unavailable")}
    assert {item.reason for item in summary.problems} == {f"torch7: {REASON}."}


def test_building_all_goes_on_without_it_and_building_it_fails(engine: Waiting) -> None:
    lines = list(session.build("all", "local", False, Console(quiet=True)))
    assert f"torch7: unavailable; {REASON}." in lines
    assert len(lines) == len(FRAMEWORKS)  # the engine's, and one for each but numpy
    with pytest.raises(EngineError, match="no image with Torch7"):
        list(session.build("torch7", "local", False, Console(quiet=True)))


def test_a_base_for_frameworks_that_take_none_is_a_mistake(engine: Waiting) -> None:
    with pytest.raises(UsageError, match=r"--base is 'mine', but none of these .* One that is: torch7\."):
        list(session.build("torch,tf", "local", False, Console(quiet=True), "mine"))
