"""Plain progress lines: what runs, how far the run is, what is left."""

import io

from rich.console import Console

from orchestrator.progress import RunProgress
from tests.jobs import FLAT, make_job
from workers.spec import Epoch, Result, Verdict

JOB = make_job([{"kind": "dense", "units": 2}], FLAT)
EPOCH = Epoch(stage_seconds=0.1, train_seconds=1.5, evaluate_seconds=0.1, train_loss=0.2, test_loss=0.3, accuracy=0.97)


def test_a_run_in_plain_lines() -> None:
    stream = io.StringIO()
    gate, lines = (JOB.model_copy(update={"kind": kind}) for kind in ("parity", "lines"))
    with RunProgress(Console(file=stream)) as progress:
        progress.plan(5)
        progress.start(gate, "parity gate")
        progress.finish(gate, Result(job_id="a", status="ok", parity=Verdict(passed=True)))
        progress.finish(gate, Result(job_id="b", status="ok", parity=Verdict(passed=False, reason="bad")), "cached")
        progress.start(JOB, "round 1 of 1")
        progress.finish(JOB, Result(job_id="c", status="ok", epochs=[EPOCH]))
        progress.finish(lines, Result(job_id="e", status="ok", code_lines={"build": 5, "train": 4, "both": 8}))
        progress.finish(JOB, Result(job_id="d", status="timeout", reason="stopped after 1 seconds"))
    assert stream.getvalue().splitlines() == [
        "[1/5] test numpy: parity gate",
        "[1/5] test numpy: gate passed; 4 left, about 0 s",
        "[2/5] test numpy: gate FAILED: bad (cached)",
        "[3/5] test numpy: round 1 of 1",
        "[3/5] test numpy: trained in 1.5 s, accuracy 0.9700; 2 left, about 0 s",
        "[4/5] test numpy: 8 lines; 1 left, about 0 s",
        "[5/5] test numpy: timeout: stopped after 1 seconds",
    ]
