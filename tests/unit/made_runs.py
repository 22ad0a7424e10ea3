"""Runs made by hand, without running anything: jobs, results and gates with the numbers that a test chooses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.documents import RunInfo
from orchestrator.request import Request
from orchestrator.summary import Pair, Summary, summarise
from tests.jobs import FLAT, make_job
from workers.spec import Environment, Epoch, Framework, Job, Phases, Result, Verdict

PASSED = Verdict(passed=True)
FAILED = Verdict(passed=False, reason="dense_1/kernel is off by 0.5, allowed is 0.001")
VERSIONS = {"tf": "2.21", "torch": "2.13", "theano": "1.1"}
INFO = RunInfo(
    name="quick-1",
    suite="quick",
    frameworks=["tf", "torch", "theano"],
    engine="local",
    device="cpu",
    threads=[2],
    repeats=3,
    request=Request(),
    command=["bench", "orchestrate"],
    started="2024-01-01T00:00:00+00:00",
)

TIMES: Mapping[tuple[str, str], Sequence[float]] = {
    ("mlp", "tf"): (2.0, 2.2, 2.1),
    ("mlp", "torch"): (2.1, 2.0, 2.3),
    ("mlp", "theano"): (4.0, 4.4, 4.2),
    ("cnn", "tf"): (10.0, 20.0, 30.0),
    ("cnn", "torch"): (5.0, 10.1, 14.9),
    ("cnn", "theano"): (40.0, 80.5, 119.0),
}
"""Training seconds of three rounds: on ``mlp`` tf and torch cannot be told apart, on ``cnn`` everything can."""


def made_job(workload: str, framework: str, repeat: int = 0, **changes: Any) -> Job:
    """Return a measured job with a passed gate and 360 test rows."""
    job = make_job(
        [{"kind": "dense", "units": 5}], FLAT, suite="quick", workload=workload, repeat=repeat, threads=2, epochs=2
    )
    fields = {
        "id": f"{workload}-{framework}-r{repeat}",
        "framework": Framework(name=framework, version=VERSIONS.get(framework, "1")),
        "dataset": job.dataset.model_copy(update={"test_rows": 360}),
        "parity": PASSED,
    }
    return job.model_copy(update={**fields, **changes})


def made_result(job: Job, train_seconds: float = 1.0, **changes: Any) -> Result:
    """Return an ok result: two epochs, a quarter of the time in the first; the rest follows from the repeat."""
    shares, accuracies = (0.25, 0.75), (0.5, 0.91 + 0.01 * job.repeat)
    epochs = [
        Epoch(
            stage_seconds=100.0,
            train_seconds=train_seconds * share,
            evaluate_seconds=100.0,
            train_loss=1.0,
            test_loss=0.25 * (1 + job.repeat),
            accuracy=accuracy,
        )
        for share, accuracy in zip(shares, accuracies, strict=True)
    ]
    fields: dict[str, Any] = {
        "epochs": epochs,
        "predict_seconds": [0.5, 0.1 * (1 + job.repeat), 0.01],
        "latency_seconds": [0.5, 0.001 * (1 + job.repeat), 0.0001],
        "phases": Phases(build_seconds=1.5 * (1 + job.repeat)),
        "environment": Environment(threads_seen=2),
    }
    return Result(job_id=job.id, status="ok", **{**fields, **changes})


def bad_result(job: Job, status: Any, reason: str, log_tail: str | None = None) -> Result:
    return Result(job_id=job.id, status=status, reason=reason, log_tail=log_tail)


def made_gate(workload: str, framework: str, verdict: Verdict = PASSED) -> Pair:
    """Return a gate's job, held to a reference, with its result."""
    job = made_job(workload, framework, kind="parity", parity=None, reference_sha256="ab")
    job = job.model_copy(update={"id": f"{workload}-{framework}-parity"})
    return job, Result(job_id=job.id, status="ok", parity=verdict)


def made_run(times: Mapping[tuple[str, str], Sequence[float]] = TIMES) -> list[Pair]:
    """Return all jobs of a run that went well, gates included."""
    pairs: list[Pair] = [made_gate(workload, framework) for workload, framework in times]
    for (workload, framework), seconds in times.items():
        jobs = [made_job(workload, framework, repeat) for repeat in range(len(seconds))]
        pairs += [(job, made_result(job, value)) for job, value in zip(jobs, seconds, strict=True)]
    return pairs


def altered(pairs: Iterable[Pair], job_id: str, **outcome: Any) -> list[Pair]:
    """Return the pairs with one job's result in another's place: ``status`` and so on, or None for no result."""
    found = list(pairs)
    (place,) = [place for place, (job, _) in enumerate(found) if job.id == job_id]
    job = found[place][0]
    found[place] = (job, bad_result(job, **outcome) if outcome else None)
    return found


def with_failed_gate(pairs: Iterable[Pair], workload: str, framework: str) -> list[Pair]:
    """Return the pairs with one gate failed, as its measured jobs then carry it."""
    found: list[Pair] = []
    for job, result in pairs:
        if (job.workload, job.framework.name) != (workload, framework):
            found.append((job, result))
        elif job.kind == "parity":
            found.append(made_gate(workload, framework, FAILED))
        else:
            found.append((job.model_copy(update={"parity": FAILED}), result))
    return found


def summary_of(pairs: Iterable[Pair], **info: Any) -> Summary:
    return summarise(INFO.model_copy(update=info), pairs)
