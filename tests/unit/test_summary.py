"""From jobs and results to numbers: who was how fast, how sure that is, and who may not be compared."""

from typing import Any

import numpy as np
import pytest

from orchestrator.cells import Cell
from orchestrator.summary import Gate, Pair, Summary
from tests.unit.made_runs import (
    FAILED,
    TIMES,
    altered,
    bad_result,
    made_gate,
    made_job,
    made_result,
    made_run,
    summary_of,
    with_failed_gate,
)
from workers.spec import Environment, TensorError, Verdict

WIDENING = 2.986  # of the bootstrap's half width at three rounds; docs/statistics.md


def interval(values: Any) -> tuple[float, float, float]:
    """Return (median, low, high) of three values, computed anew: their bootstrap reaches from end to end."""
    middle, half = float(np.median(values)), WIDENING * (np.log(max(values)) - np.log(min(values))) / 2
    return middle, float(middle * np.exp(-half)), float(middle * np.exp(half))


def cell(summary: Summary, workload: str, framework: str) -> Cell:
    (found,) = [c for c in summary.cells if (c.workload, c.framework) == (workload, framework)]
    return found


def said(summary: Summary) -> list[str]:
    """Return the notes, but for those on the spread: the made times of cnn differ between rounds on purpose."""
    return [note for note in summary.notes if "varies by more than 10%" not in note]


def parts(value: Any) -> tuple[float, float | None, float | None]:
    return value.median, value.low, value.high


# ---------------------------------------------------------------------------- the numbers


def test_one_cell_for_each_framework_and_workload_fastest_first() -> None:
    summary = summary_of(made_run())
    assert [(found.workload, found.framework) for found in summary.cells] == [
        ("cnn", "torch"),
        ("cnn", "tf"),
        ("cnn", "theano"),
        ("mlp", "tf"),
        ("mlp", "torch"),
        ("mlp", "theano"),
    ]
    assert (summary.jobs, summary.jobs_done) == (18, 18)


def test_a_cell_says_what_ran() -> None:
    found = cell(summary_of(made_run()), "mlp", "tf")
    assert (found.version, found.device, found.threads) == ("2.21", "cpu", 2)
    assert (found.rounds, found.rounds_ok, found.parity, found.comparable) == (3, 3, "passed", True)


@pytest.mark.parametrize(("workload", "framework"), TIMES)
def test_training_time_is_the_median_over_rounds_with_its_interval(workload: str, framework: str) -> None:
    found = cell(summary_of(made_run()), workload, framework).train_seconds
    assert parts(found) == pytest.approx(interval(TIMES[workload, framework]), rel=1e-6)


@pytest.mark.parametrize(("workload", "fastest"), [("mlp", "tf"), ("cnn", "torch")])
@pytest.mark.parametrize("framework", ["tf", "torch", "theano"])
def test_ratios_pair_by_round_with_the_fastest(workload: str, fastest: str, framework: str) -> None:
    found = cell(summary_of(made_run()), workload, framework)
    ratios = np.array(TIMES[workload, framework]) / np.array(TIMES[workload, fastest])
    assert parts(found.ratio) == pytest.approx(interval(ratios), rel=1e-6)
    assert found.fastest is (framework == fastest)


def test_ratios_see_through_rounds_that_were_slow_for_everyone() -> None:
    found = cell(summary_of(made_run()), "cnn", "tf")
    assert found.train_seconds is not None
    assert found.ratio is not None
    assert (found.train_seconds.low, found.train_seconds.high) == pytest.approx((3.88, 103), rel=0.01)
    assert (found.ratio.low, found.ratio.high) == pytest.approx((1.96, 2.04), rel=0.01)


def test_a_tie_is_where_the_interval_of_the_ratio_includes_one() -> None:
    ties = {(found.workload, found.framework): found.tie for found in summary_of(made_run()).cells}
    assert ties == {
        ("mlp", "tf"): True,  # the fastest, and somebody ties with it
        ("mlp", "torch"): True,
        ("mlp", "theano"): False,
        ("cnn", "torch"): False,
        ("cnn", "tf"): False,
        ("cnn", "theano"): False,
    }


def test_the_other_numbers_are_medians_over_rounds() -> None:
    found = cell(summary_of(made_run()), "mlp", "torch")
    # In round r: 0.1 (r + 1) s for 360 rows, 1 (r + 1) ms for one, accuracy 0.91 + r / 100 after the last epoch.
    assert found.predict_rows_per_second == pytest.approx(360 / 0.2)
    assert found.latency_seconds == pytest.approx(0.002)
    assert found.accuracy == pytest.approx(0.92)
    assert found.test_loss == pytest.approx(0.5)
    assert found.build_seconds == pytest.approx(3.0)


def test_what_a_virtual_machine_warms_up_counts_as_building() -> None:
    pairs = made_run()
    for job, result in pairs:
        if job.framework.name == "torch":
            result.phases.warm_up_seconds = 4.0
    assert cell(summary_of(pairs), "mlp", "torch").build_seconds == pytest.approx(7.0)


def test_what_was_not_measured_is_null() -> None:
    pairs: list[Pair] = []
    for repeat in range(3):
        job = made_job("mlp", "tf", repeat)
        result = made_result(job, predict_seconds=[], latency_seconds=[])
        result.epochs[-1].accuracy = None  # regression
        result.phases.build_seconds = None
        pairs.append((job, result))
    found = summary_of(pairs).cells[0]
    assert found.predict_rows_per_second is None
    assert found.latency_seconds is None
    assert found.accuracy is None
    assert found.build_seconds is None
    assert found.test_loss == pytest.approx(0.5)


def test_a_mode_is_a_framework_of_its_own() -> None:
    compiled = made_job("mlp", "torch").framework.model_copy(update={"mode": "compile"})
    pairs = made_run({("mlp", "torch"): (2.0, 2.0, 2.0)})
    for repeat in range(3):
        job = made_job("mlp", "torch", repeat).model_copy(update={"framework": compiled})
        pairs.append((job, made_result(job, 1.0)))
    assert [found.framework for found in summary_of(pairs).cells] == ["torch:compile", "torch"]


@pytest.mark.parametrize(("field", "here", "there"), [("threads", 2, 1), ("device", "cpu", "gpu")])
def test_only_the_same_device_and_threads_are_ranked_together(field: str, here: Any, there: Any) -> None:
    quick, slow = (1.0, 1.1, 1.0), (9.0, 9.1, 9.0)
    pairs = made_run({("mlp", "tf"): quick, ("mlp", "torch"): slow})
    for job, result in made_run({("mlp", "tf"): slow, ("mlp", "torch"): quick}):
        pairs.append((job.model_copy(update={field: there}), result))
    cells = summary_of(pairs).cells
    assert {getattr(found, field): found.framework for found in cells if found.fastest} == {here: "tf", there: "torch"}


# ---------------------------------------------------------------------------- who may not be compared


def test_a_run_that_went_well_has_not_failed() -> None:
    summary = summary_of(made_run())
    assert not summary.failed
    assert summary.problems == []
    assert said(summary) == []


def test_a_failed_gate_bars_its_framework_on_its_workload_only() -> None:
    summary = summary_of(with_failed_gate(made_run(), "mlp", "tf"))
    found = cell(summary, "mlp", "tf")
    assert (found.parity, found.comparable) == ("failed", False)
    assert (found.ratio, found.tie, found.fastest) == (None, None, False)
    assert found.train_seconds is not None  # shown, never ranked
    assert cell(summary, "mlp", "torch").fastest  # the next one leads
    assert cell(summary, "cnn", "tf").comparable
    assert summary.failed


def test_a_failed_gate_is_a_problem_with_its_reason() -> None:
    summary = summary_of(with_failed_gate(made_run(), "mlp", "tf"))
    (problem,) = summary.problems
    assert (problem.job_id, problem.kind, problem.status) == ("mlp-tf-parity", "parity", "gate failed")
    assert problem.reason == FAILED.reason
    assert Gate(workload="mlp", framework="tf", passed=False, reason=FAILED.reason) in summary.gates


@pytest.mark.parametrize("status", ["failed", "timeout", "out_of_memory", "diverged", "did_not_learn", "lost"])
def test_a_job_that_is_not_ok_bars_its_framework_and_is_a_problem(status: str) -> None:
    summary = summary_of(altered(made_run(), "mlp-tf-r1", status=status, reason="because", log_tail="the last line"))
    found = cell(summary, "mlp", "tf")
    assert (found.rounds, found.rounds_ok, found.comparable) == (3, 2, False)
    assert (found.ratio, found.fastest) == (None, False)
    (problem,) = summary.problems
    assert problem.model_dump() == {
        "job_id": "mlp-tf-r1",
        "workload": "mlp",
        "framework": "tf",
        "kind": "train",
        "status": status,
        "reason": "because",
        "log_tail": "the last line",
    }
    assert summary.failed


def test_without_a_gate_nothing_is_comparable() -> None:
    pairs = [(job.model_copy(update={"parity": None}), result) for job, result in made_run() if job.kind == "train"]
    for found in summary_of(pairs).cells:
        assert (found.parity, found.comparable, found.ratio, found.fastest) == ("not run", False, None, False)


def test_rounds_that_are_not_ok_do_not_count_in_the_medians() -> None:
    summary = summary_of(altered(made_run(), "mlp-tf-r1", status="timeout", reason="slow"))
    median, low, high = parts(cell(summary, "mlp", "tf").train_seconds)
    assert median == pytest.approx(2.05)
    assert (low, high) == (None, None)


def test_a_gate_whose_job_ended_without_a_verdict_has_failed() -> None:
    summary = summary_of(altered(made_run(), "mlp-tf-parity", status="timeout", reason="stopped"))
    (gate,) = [gate for gate in summary.gates if not gate.passed]
    assert (gate.workload, gate.framework) == ("mlp", "tf")
    assert gate.reason == "the gate's job is timeout: stopped"
    assert summary.failed


def unsupported(pairs: list[Pair], framework: str, reference: bool) -> list[Pair]:
    """Return the pairs with every job of a framework unsupported; ``reference``: found out by running the gate."""
    found: list[Pair] = []
    for job, result in pairs:
        if job.framework.name == framework:
            result = bad_result(job, "unsupported", "no such device")
            job = job.model_copy(update={"parity": None, "reference_sha256": "ab" if reference else None})
            job = job if job.kind == "parity" else job.model_copy(update={"reference_sha256": None})
        found.append((job, result))
    return found


@pytest.mark.parametrize("reference", [False, True])
def test_unsupported_alone_does_not_fail_a_run(reference: bool) -> None:
    summary = summary_of(unsupported(made_run(), "theano", reference))
    assert not summary.failed
    found = cell(summary, "mlp", "theano")
    assert (found.rounds, found.rounds_ok, found.parity, found.comparable) == (3, 0, "not run", False)
    assert found.train_seconds is None
    assert {problem.status for problem in summary.problems} == {"unsupported"}
    assert all(gate.framework != "theano" for gate in summary.gates)
    assert cell(summary, "mlp", "tf").fastest  # the others are ranked all the same


def test_cells_without_a_time_stand_last() -> None:
    summary = summary_of(unsupported(made_run(), "tf", True))
    assert [found.framework for found in summary.cells if found.workload == "mlp"] == ["torch", "theano", "tf"]


def test_a_framework_alone_has_nobody_to_be_compared_with() -> None:
    (found,) = summary_of(made_run({("mlp", "tf"): (2.0, 2.1, 2.2)})).cells
    assert found.comparable
    assert (found.ratio, found.tie, found.fastest) == (None, None, False)


def test_the_variant_of_a_paper_is_never_ranked() -> None:
    pairs = [(job.model_copy(update={"variant": "paper"}), result) for job, result in made_run()]
    assert all(not found.comparable and found.ratio is None for found in summary_of(pairs).cells)


def test_a_job_that_makes_a_reference_is_no_gate() -> None:
    job = made_job("mlp", "numpy", kind="parity", parity=None, id="mlp-numpy-parity")
    summary = summary_of([*made_run(), (job, made_result(job, reference_sha256="ab"))])
    assert all(gate.framework != "numpy" for gate in summary.gates)
    assert not summary.failed


def test_a_reference_that_could_not_be_made_fails_the_run() -> None:
    job = made_job("mlp", "numpy", kind="parity", parity=None, id="mlp-numpy-parity")
    summary = summary_of([*made_run(), (job, bad_result(job, "failed", "broken"))])
    assert [problem.framework for problem in summary.problems] == ["numpy"]
    assert summary.failed


# ---------------------------------------------------------------------------- few rounds, and notes

FEW = "Under three rounds there is no interval and no winner; --repeats 3 or more gives both."


@pytest.mark.parametrize("rounds", [1, 2])
def test_under_three_rounds_there_are_ratios_but_no_winner(rounds: int) -> None:
    summary = summary_of(made_run({key: seconds[:rounds] for key, seconds in TIMES.items()}))
    for found in summary.cells:
        assert found.comparable
        assert (found.fastest, found.tie) == (False, None)
        for value in (found.train_seconds, found.ratio):
            assert value is not None
            assert (value.low, value.high) == (None, None)
    theano = cell(summary, "cnn", "theano").ratio
    assert theano is not None
    assert theano.median == pytest.approx(np.median(np.array([40.0, 80.5])[:rounds] / np.array([5.0, 10.1])[:rounds]))
    assert FEW in summary.notes


def test_jobs_that_are_still_to_do_are_counted() -> None:
    summary = summary_of(altered(altered(made_run(), "mlp-tf-r1"), "cnn-tf-r2"))
    assert (summary.jobs, summary.jobs_done) == (18, 16)
    assert said(summary) == ["2 of 18 jobs have no result yet; bench orchestrate --run goes on with them."]
    assert not cell(summary, "mlp", "tf").comparable
    assert not summary.failed  # nothing went wrong so far


TOO_MANY = "tf: up to 4 threads shared the work, though 2 were asked for."


@pytest.mark.parametrize("seen", [None, 1, 2])
def test_as_many_busy_threads_as_asked_for_need_no_note(seen: int | None) -> None:
    pairs = made_run()
    for _, result in pairs:
        if result:
            result.environment = Environment(threads_seen=seen)
    assert said(summary_of(pairs)) == []


def test_more_busy_threads_than_asked_for_are_noted_once_with_the_most() -> None:
    pairs = made_run()
    for job, result in pairs:
        if result and job.framework.name == "tf":
            result.environment = Environment(threads_seen=3 + job.repeat)
    assert said(summary_of(pairs)) == ["tf: up to 5 threads shared the work, though 2 were asked for."]


def test_what_a_gate_declares_is_noted() -> None:
    verdict = Verdict(
        passed=True,
        declared_differences=["maxpool2d: ties share the gradient"],
        ill_conditioned=["conv2d_1/bias", "conv2d_2/bias"],
        worst=[TensorError(pass_name="recipe", tensor="conv2d_1/bias", error=0.1, bound=0.2)],
    )
    summary = summary_of([made_gate("cnn", "theano", verdict), *made_run()[6:]])
    assert said(summary) == [
        "theano on cnn: maxpool2d: ties share the gradient",
        "theano on cnn: the gate says nothing of conv2d_1/bias, conv2d_2/bias (ill-conditioned).",
    ]
    (gate,) = summary.gates
    assert gate.worst == verdict.worst
    assert not summary.failed


def test_the_gates_of_a_run() -> None:
    summary = summary_of(made_run())
    assert {(gate.workload, gate.framework, gate.passed) for gate in summary.gates} == {(*key, True) for key in TIMES}
