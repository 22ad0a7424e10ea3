"""Runs jobs through the harness, and the plain script of their framework on the same rows, by turns in one process.

usage: python beside_plain.py LABEL FOLDER
FOLDER/settings.json: {"threads", "cpu_time", "rounds", "defects", "jobs": [{"job", "words"}]}, where words
are the plain script's arguments behind its folder of data; FOLDER/run (the folder of a run with the jobs), FOLDER/data,
FOLDER/plain.py and, where a defect is to be put into the worker, FOLDER/defects.py.
Writes FOLDER/times.json: {job: {defect, or "none": [[the harness's result, what the plain script printed], ...]}}.
Must run on every Python that a worker runs on.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import sys
import time
from pathlib import Path

LABEL, FOLDER = sys.argv[1], Path(sys.argv[2])
NAME, _, os.environ["BENCH_MODE"] = LABEL.partition(":")  # as the harness does, before the worker is imported
SETTINGS = json.loads((FOLDER / "settings.json").read_text())

from workers import threads  # noqa: E402

threads.pin(SETTINGS["threads"], [])

from workers import harness  # noqa: E402
from workers.spec import Job  # noqa: E402


def planted(worker_class, defect):
    worker = worker_class()
    if defect != "none":
        sys.path.insert(0, str(FOLDER))
        getattr(importlib.import_module("defects"), defect)(worker)
    return worker


def plain(words):
    """Return what the plain script prints, run as it is."""
    sys.argv = ["plain.py", str(FOLDER / "data"), *words]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(FOLDER / "plain.py"), run_name="__main__")
    return json.loads(printed.getvalue().strip().splitlines()[-1])


def by_turns(job, words, number):
    """Return both sides' times, now the one first and now the other: what slows down favours one of them."""
    folder = FOLDER / "run" / "jobs" / job.id
    theirs = plain(words) if number % 2 else None
    ours = harness.run_job(job, folder).model_dump(mode="json")
    return [ours, theirs or plain(words)]


def main():
    if SETTINGS["cpu_time"]:  # with one thread, the seconds of an idle machine, whatever else runs on this one
        time.perf_counter = time.process_time
    harness.PREDICT_PASSES, harness.PREDICT_SECONDS, harness.LATENCY_CALLS = 10, 0, 1  # as many as the plain scripts
    module = importlib.import_module("workers.{}_worker".format(NAME.partition("@")[0]))
    worker_class, times = module.WORKER, {}
    if hasattr(gc, "freeze"):  # from Python 3.7; the harness collects before each phase
        gc.freeze()  # the framework's own objects stay out of it
    for item in SETTINGS["jobs"]:
        text = (FOLDER / "run" / "jobs" / item["job"] / "job.json").read_text()
        job, found = Job.model_validate(json.loads(text)), {defect: [] for defect in SETTINGS["defects"]}
        for number in range(SETTINGS["rounds"]):
            for defect, pairs in found.items():
                module.WORKER = lambda chosen=defect: planted(worker_class, chosen)
                pairs.append(by_turns(job, item["words"], number))
        times[item["job"]] = found
    (FOLDER / "times.json").write_text(json.dumps(times))


main()
