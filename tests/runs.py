"""Runs that are hard to report, as folders on disk: planned as `bench orchestrate` plans them, their results made up.

``RUNS`` names them; each takes the folder that it is to fill, and returns it.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from orchestrator.documents import RunInfo
from orchestrator.plan import identified, make_plan
from orchestrator.request import Request
from orchestrator.store import RunStore
from orchestrator.suite import suite_path
from orchestrator.summary import Pair
from tests.results import GATE_PASSED, gate_result, ok_result
from workers.spec import MEASURED, Job, Result, TensorError, Verdict

CPUS = range(64)
LOG = "Epoch 1: done\nWarning: 3 < 4 & nothing is wrong\n"
GATE_FAILED = Verdict(
    passed=False,
    reason="dense_1/kernel is off by 0.5 in the pass gradient, allowed is 0.001",
    first_difference=TensorError(pass_name="gradient", tensor="dense_1/kernel", error=0.5, bound=0.001),
)
MARKUP = "<img src=x onerror=\"document.title='it ran'\">"
SCRIPT = "</script><script>document.title='it ran'</script>"
Alter = Callable[[Job, Result], Pair]


def write_run(
    folder: Path,
    request: Request,
    alter: Alter = lambda job, result: (job, result),
    unavailable: Mapping[str, str] | None = None,
    lines: bool = False,
    predictions: bool = True,
    **info: Any,
) -> Path:
    """Write a whole run. ``alter``: what becomes of a job and its good result; ``lines``: with jobs that count lines.

    ``info``: what its ``run.json`` has in place of what the plan says.
    """
    plan = make_plan(request, CPUS, unavailable)
    store = RunStore(folder)
    store.keep_suite(suite_path(request.suite))
    facts = {
        "name": folder.name,
        "suite": plan.suite.suite,
        "frameworks": plan.frameworks,
        "engine": "docker",
        "device": plan.device,
        "threads": plan.threads,
        "repeats": plan.repeats,
        "altered": request.alterations(),
        "request": request,
        "command": ["bench", "orchestrate", "--suite", request.suite],
        "started": "2026-01-02T03:04:05+00:00",
        "host": {"system": "Linux-6.1-x86_64", "cpus": 64, "memory_bytes": 64 * 2**30, "gpus": None},
        "unavailable": plan.unavailable,
    }
    store.write_info(RunInfo.model_validate({**facts, **info}))
    for job, result in _pairs(plan.parity, plan.train, lines):
        _write(store, *alter(job, result), predictions)
    return folder


def _pairs(gates: Iterable[Job], measured: Iterable[Job], lines: bool) -> Iterable[tuple[Job, Result]]:
    for job in gates:
        job = job.model_copy(update={"reference_sha256": "ab" * 32})
        yield job, gate_result(job)
    for job in measured:
        yield (job := job.model_copy(update={"parity": GATE_PASSED})), ok_result(job)
        if lines and job.repeat == 0:
            count = 10 + crc32(job.framework.label.encode()) % 30
            counted = identified(job, job.framework.label, "lines")
            code_lines = {"build": count, "train": count - 4, "both": 2 * count - 6}
            yield counted, Result(job_id=counted.id, status="ok", code_lines=code_lines)


def _write(store: RunStore, job: Job, result: Result | None, predictions: bool) -> None:
    folder = store.job_folder(job.id)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")  # the store's indents take long
    if result is None:
        return
    (folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")
    if predictions:
        (folder / "log.txt").write_text(result.log_tail or LOG, encoding="utf-8")
    if predictions and job.kind in MEASURED and result.status == "ok":
        rng = np.random.default_rng(job.seed)
        scores = rng.random((50, *job.model.layers[-1].output_shape[-1:]), dtype=np.float32)
        noise = np.random.default_rng(crc32(job.id.encode())).normal(0, 1e-3, scores.shape).astype(np.float32)
        np.savez_compressed(folder / "predictions.npz", scores=scores + noise)


def bad(job: Job, status: str, reason: str, **fields: Any) -> Result:
    return Result.model_validate({"job_id": job.id, "status": status, "reason": reason, **fields})


def _is(job: Job, workload: str, framework: str, repeat: int = 0) -> bool:
    return (job.workload, job.framework.label, job.repeat) == (workload, framework, repeat)


# ---------------------------------------------------------------------------- the runs


def well(folder: Path) -> Path:
    """Three models, three frameworks, three rounds, lines counted: nothing went wrong."""
    return write_run(folder, Request(frameworks="tf,torch,theano", threads=[2]), lines=True)


def failed_gate(folder: Path) -> Path:
    """Theano's gate on the MLP is failed, and its measured jobs carry that."""

    def alter(job: Job, result: Result) -> Pair:
        if (job.workload, job.framework.name) != ("mlp", "theano"):
            return job, result
        if job.kind == "parity":
            return job, result.model_copy(update={"parity": GATE_FAILED})
        return job.model_copy(update={"parity": GATE_FAILED}), result

    return write_run(folder, Request(frameworks="tf,torch,theano", threads=[2]), alter)


def killed_job(folder: Path) -> Path:
    """One job was killed, one timed out, one diverged after an epoch, and one is still to come."""

    def alter(job: Job, result: Result) -> Pair:
        if job.kind == "parity":
            return job, result
        if _is(job, "mlp", "torch", repeat=1):
            return job, bad(job, "lost", "killed by SIGKILL", log_tail="Killed")
        if _is(job, "cnn", "theano"):
            return job, bad(job, "timeout", "stopped after 60 seconds", log_tail="Epoch 3 of 10\n" * 30)
        if _is(job, "lstm", "tf", repeat=2):
            return job, bad(job, "diverged", "the loss of epoch 2 is not a number", epochs=result.epochs[:1])
        return job, None if _is(job, "lstm", "torch", repeat=2) else result

    return write_run(folder, Request(frameworks="tf,torch,theano", threads=[2]), alter)


def missing_framework(folder: Path) -> Path:
    """Torch7 has no base image, and Caffe cannot build an LSTM."""

    def alter(job: Job, result: Result) -> Pair:
        if job.framework.name == "caffe" and job.workload == "lstm":
            return job, bad(job, "unsupported", "caffe: its LSTM has one output per sequence alone")
        return job, result

    absent = {"torch7": "no base image is given. See docs/torch7.md."}
    request = Request(frameworks="tf,torch,caffe,torch7", threads=[1])
    return write_run(folder, request, alter, absent)


def one_repeat(folder: Path) -> Path:
    """One round: no interval, no winner."""
    return write_run(folder, Request(frameworks="tf,torch,theano", threads=[2], repeats=1))


def one_framework(folder: Path) -> Path:
    """Nobody to compare with."""
    return write_run(folder, Request(frameworks="torch", threads=[2]))


def nothing_done(folder: Path) -> Path:
    """A run that has jobs and no result yet."""
    return write_run(folder, Request(frameworks="tf,torch", threads=[2]), lambda job, result: (job, None))


def scores(folder: Path) -> Path:
    """A language model (perplexity), a regression (errors), and a target that one round missed."""

    def alter(job: Job, result: Result) -> Pair:
        if job.kind == "target" and job.framework.name == "torch" and job.repeat == 1:
            reason = "perplexity 121 after 13 epochs, wanted at most 114.79"
            return job, bad(job, "missed_target", reason, epochs=result.epochs)
        return job, result

    workloads = "cnn-driving,lstm-ptb-small,lstm-ptb-small-to-perplexity"
    request = Request(
        suite="albdour2020", frameworks="tf,torch", workloads=workloads, threads=[1, 2], repeats=3, scale=0.25
    )
    return write_run(folder, request, alter)


def synthetic(folder: Path) -> Path:
    """Random data: times alone mean something."""

    def alter(job: Job, result: Result) -> Pair:
        job = job.model_copy(update={"dataset": job.dataset.model_copy(update={"synthetic": True})})
        return job, result if job.kind == "parity" else ok_result(job)

    return write_run(folder, Request(frameworks="tf,torch", threads=[2], synthetic=True), alter)


def study(folder: Path) -> Path:
    """As published and matched, beside the study's own figures, with readings after 1, 5 and 10 epochs."""
    request = Request(
        suite="kovalev2016",
        frameworks="tf,torch,keras,theano",
        workloads="tanh-1x100,tanh-2x100,tanh-1x1024",
        variant="both",
        threads=[1],
        repeats=3,
    )
    return write_run(folder, request)


def gpu(folder: Path) -> Path:
    """On a GPU, with what NVML said of it."""
    return write_run(folder, Request(frameworks="tf,torch,torch:compile", threads=[4], gpu=True))


def large(folder: Path, repeats: int = 8) -> Path:
    """16 models, 20 frameworks and modes, four numbers of threads, eight rounds: 10,240 results."""
    labels = "tf,tf:xla,tf:eager,tf@2.2.0,torch,torch:compile,torch@1.6.0,keras,keras:torch,keras:jax,keras:theano"
    labels += ",keras:cntk,keras:tf2.2,theano,theano@0.9.0,mxnet,chainer,caffe,cntk,jax"
    request = Request(suite="kovalev2016", frameworks=labels, threads=[1, 2, 4, 8], repeats=repeats, epochs=[1, 3])
    return write_run(folder, request, predictions=False)


MARKED_SUITE = f"""\
suite: marked
title: '{MARKUP.replace("'", "''")} & {SCRIPT.replace("'", "''")}'
source: '{SCRIPT.replace("'", "''")}'
workloads:
  - name: mlp
    dataset: digits
    layers: [{{kind: flatten}}, {{kind: dense, units: 10}}]
    recipe:
      optimiser: {{kind: sgd, learning_rate: 0.1}}
      loss: {{kind: categorical_cross_entropy}}
      batch_size: 32
      epochs: 3
"""


def markup(folder: Path) -> Path:
    """Every name and text that a run may hold is markup, which a page must show as text."""

    def alter(job: Job, result: Result) -> Pair:
        job = job.model_copy(update={"workload": f"mlp {MARKUP} {SCRIPT}", "differs": [MARKUP]})
        if job.framework.name == "theano":
            framework = job.framework.model_copy(update={"name": f"theano{SCRIPT}", "mode": MARKUP, "version": MARKUP})
            job = job.model_copy(update={"framework": framework, "id": job.id.replace("theano", MARKUP)})
        if job.kind == "parity":
            verdict = Verdict(
                passed=True,
                worst=[TensorError(pass_name=MARKUP, tensor=SCRIPT, error=1e-6, bound=1e-3)],
                ill_conditioned=[MARKUP],
                declared_differences=[f"{MARKUP} {SCRIPT}"],
            )
            return job, Result(job_id=job.id, status="ok", parity=verdict)
        if job.framework.name == "torch" and job.repeat == 1:
            return job, bad(job, "failed", f"{MARKUP} {SCRIPT}", log_tail=f"{SCRIPT}\n{MARKUP}")
        environment = result.environment.model_copy(
            update={"cpu_model": MARKUP, "python": MARKUP, "versions": {MARKUP: SCRIPT}, "image_id": SCRIPT}
        )
        return job, result.model_copy(update={"job_id": job.id, "environment": environment})

    suite = folder.parent / f"{folder.name}-suite.yaml"
    suite.write_text(MARKED_SUITE, encoding="utf-8")
    request = Request(suite=str(suite), frameworks="tf,torch,theano", threads=[2])
    unavailable = {f"caffe {MARKUP}": SCRIPT}
    host = {"system": SCRIPT, MARKUP: MARKUP}
    words = ["bench", "orchestrate", MARKUP, SCRIPT]
    return write_run(
        folder, request, alter, unavailable, name=f"run {MARKUP}", altered=[SCRIPT], command=words, host=host
    )


RUNS: dict[str, Callable[[Path], Path]] = {
    made.__name__: made
    for made in (
        well,
        failed_gate,
        killed_job,
        missing_framework,
        one_repeat,
        one_framework,
        nothing_done,
        scores,
        synthetic,
        study,
        gpu,
        markup,
        large,
    )
}
