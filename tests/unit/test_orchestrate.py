"""The loop, driven by an engine that answers at once: order, caching, resuming, refusing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import orchestrator.orchestrate
from orchestrator.capabilities import Capabilities, capabilities
from orchestrator.catalogue import FrameworkEntry
from orchestrator.engines import Prepared, Say
from orchestrator.errors import EngineError
from orchestrator.orchestrate import orchestrate
from orchestrator.plan import Plan, Request, make_plan
from orchestrator.recipe import recipe_hash
from orchestrator.store import RunStore
from orchestrator.summary import Summary, summarise
from tests.failures import Quiet
from tests.unit.made_runs import INFO
from workers.spec import Environment, Epoch, Job, Result, Verdict

EPOCH = Epoch(stage_seconds=1.0, train_seconds=1.0, evaluate_seconds=1.0, train_loss=1.0, test_loss=1.0, accuracy=0.9)


def passing(job: Job) -> Result:
    if job.kind == "train":
        return Result(job_id=job.id, status="ok", epochs=[EPOCH] * job.recipe.epochs)
    return Result(job_id=job.id, status="ok", parity=Verdict(passed=True))


def slow_gate(job: Job) -> Result:
    return passing(job) if job.kind == "train" else Result(job_id=job.id, status="timeout", reason="too slow")


class InstantEngine:
    """Runs nothing: ``answer`` says what becomes of a job; ``ran`` remembers which were asked for, in order."""

    name = "local"

    def __init__(self, answer: Callable[[Job], Result] = passing) -> None:
        self.answer = answer
        self.ran: list[Job] = []

    def why_not(self) -> None:
        return None

    why_no_gpu = why_not

    def clear(self, run_folder: Path) -> None:
        pass

    def prepare(self, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        return Prepared(entry, device, recipe_hash(entry, device), "nowhere")

    def run(self, prepared: Prepared, job: Job, folder: Path, compile_cache: Path | None) -> Result:
        self.ran.append(job)
        if job.kind == "parity" and job.reference_sha256 is None:
            np.savez(folder / "reference.npz", a=np.zeros(1))
            return Result(job_id=job.id, status="ok")
        environment = Environment(engine=self.name, recipe_hash=prepared.recipe_hash)
        return self.answer(job).model_copy(update={"environment": environment})


@pytest.fixture
def run(tmp_path: Path) -> Callable[[InstantEngine, Plan], Summary]:
    """Run a plan in one and the same folder, and summarise it."""
    store = RunStore(tmp_path / "run")

    def go(engine: InstantEngine, plan: Plan) -> Summary:
        for _ in orchestrate(plan, engine, store, tmp_path / "cache", None, Quiet()):
            pass
        return summarise(INFO, store.jobs())

    return go


Run = Callable[[InstantEngine, Plan], Summary]


def plan_of(frameworks: str = "tf,torch,theano", rounds: int = 3, workloads: str = "mlp", gpu: bool = False) -> Plan:
    return make_plan(
        Request(frameworks=frameworks, workloads=workloads, repeats=rounds, threads=[1], gpu=gpu), cpus=[0]
    )


def test_references_and_gates_come_first_then_rounds_in_rotating_order(run: Run) -> None:
    engine = InstantEngine()
    summary = run(engine, plan_of())
    order = [(job.kind, job.framework.name) for job in engine.ran if not job.id.endswith("-warm")]
    assert order == [
        *[("parity", name) for name in ("numpy", "tf", "torch", "theano")],
        *[("train", name) for name in ("tf", "torch", "theano")],
        *[("train", name) for name in ("theano", "tf", "torch")],
        *[("train", name) for name in ("torch", "theano", "tf")],
    ]
    assert [cell.comparable for cell in summary.cells] == [True] * 3
    assert all(job.parity is not None for job in engine.ran if job.kind == "train")


def test_what_is_done_is_not_run_again(run: Run) -> None:
    run(InstantEngine(), plan_of(rounds=1))
    again = InstantEngine()
    summary = run(again, plan_of(rounds=2))
    assert {job.repeat for job in again.ran} == {1}
    assert summary.jobs_done == 6


def test_what_failed_is_tried_again(run: Run) -> None:
    failing = InstantEngine(lambda job: passing(job) if job.kind == "parity" else lost(job))
    assert run(failing, plan_of("tf", rounds=1)).failed
    again = InstantEngine()
    assert not run(again, plan_of("tf", rounds=1)).failed
    assert [job.kind for job in again.ran] == ["train"], "the gate's verdict is cached"


def lost(job: Job) -> Result:
    return Result(job_id=job.id, status="lost", reason="killed")


def test_a_gate_that_fails_leaves_its_cells_out_of_the_ranking(run: Run) -> None:
    engine = InstantEngine(slow_gate)
    summary = run(engine, plan_of("tf", rounds=1))
    assert summary.failed
    assert [(cell.parity, cell.comparable) for cell in summary.cells] == [("failed", False)]


def test_a_gate_that_passes_later_reaches_the_jobs_done_before(run: Run) -> None:
    run(InstantEngine(slow_gate), plan_of("tf", rounds=1))
    again = InstantEngine()
    summary = run(again, plan_of("tf", rounds=1))
    assert [job.kind for job in again.ran] == ["parity"], "only the gate is tried again"
    assert [(cell.parity, cell.comparable) for cell in summary.cells] == [("passed", True)]
    assert not summary.failed


def test_a_framework_without_a_gpu_variant_is_unsupported_and_the_rest_goes_on(run: Run) -> None:
    engine = InstantEngine()
    summary = run(engine, plan_of("torch,theano", rounds=1, gpu=True))
    assert {job.framework.name for job in engine.ran} == {"numpy", "torch"}
    unsupported = {problem.framework for problem in summary.problems if problem.status == "unsupported"}
    assert unsupported == {"theano"}
    assert all("libgpuarray" in problem.reason for problem in summary.problems)


def test_an_unsupported_gate_is_not_a_failed_one(run: Run) -> None:
    def refuse(job: Job) -> Result:
        return Result(job_id=job.id, status="unsupported", reason="no such layer kind")

    engine = InstantEngine(refuse)
    summary = run(engine, plan_of("tf", rounds=1))
    assert [job.kind for job in engine.ran if job.framework.name == "tf"] == ["parity"], "nothing is measured"
    assert not summary.failed


def test_no_environment_at_all_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: InstantEngine, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        if entry.name == "numpy":
            return Prepared(entry, device, "hash", "nowhere")
        raise EngineError("no network")

    monkeypatch.setattr(InstantEngine, "prepare", refuse)
    with pytest.raises(EngineError, match="None of the frameworks' environments"):
        run(InstantEngine(), plan_of())


def test_a_changed_worker_makes_its_own_results_stale(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run(InstantEngine(), plan_of("tf,torch", rounds=1))

    def changed(self: InstantEngine, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
        hashed = recipe_hash(entry, device)
        return Prepared(entry, device, hashed[::-1] if entry.name == "torch" else hashed, "nowhere")

    monkeypatch.setattr(InstantEngine, "prepare", changed)
    again = InstantEngine()
    run(again, plan_of("tf,torch", rounds=1))
    assert {job.framework.name for job in again.ran} == {"torch"}


def test_what_a_worker_declares_unsupported_is_refused_before_anything_is_built(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a kind, or by a form of it; of the framework with nothing to run not even the environment is made."""
    prepared: list[str] = []

    class Watched(InstantEngine):
        def prepare(self, entry: FrameworkEntry, device: str, say: Say) -> Prepared:
            prepared.append(entry.label)
            return super().prepare(entry, device, say)

    def declares(name: str) -> Capabilities:
        own = capabilities(name)
        limits = {"torch": {"conv2d": "no such layer"}, "theano": {"maxpool2d.padding=valid": "pads always"}}
        return replace(own, unsupported=limits.get(name, {}))

    monkeypatch.setattr(orchestrator.orchestrate, "capabilities", declares)
    engine = Watched()
    summary = run(engine, plan_of("tf,torch,theano", rounds=1, workloads="cnn"))
    assert prepared == ["numpy", "tf"]
    assert {job.framework.name for job in engine.ran} == {"numpy", "tf"}
    reasons = {problem.framework: problem.reason for problem in summary.problems}
    assert reasons == {"torch": "conv2d: no such layer", "theano": "maxpool2d.padding=valid: pads always"}
