"""Runs a worker through the harness, right and with defects, and its plain script after each, in one process.

usage: python beside_plain.py LABEL FOLDER    with FOLDER/settings.json: {job, workload, epochs, rounds, defects},
FOLDER/run (a run's folder that holds the job), FOLDER/data (the rows) and FOLDER/plain.py.
Writes FOLDER/times.json: {defect, or "none": [[the harness's result, what the plain script printed], ...]}.
Both sides read this process's CPU time for seconds: with one thread it is what they would take on an idle machine,
whatever else runs.
"""

import contextlib
import gc
import importlib
import io
import json
import runpy
import sys
import time
from pathlib import Path

LABEL, FOLDER = sys.argv[1], Path(sys.argv[2])

from workers import threads  # noqa: E402

threads.pin(1, [])

import defects  # noqa: E402

from workers import harness  # noqa: E402
from workers.spec import Job  # noqa: E402


def planted(worker_class, defect):
    worker = worker_class()
    if defect != "none":
        getattr(defects, defect)(worker)
    return worker


def plain(settings):
    """Return what the plain script prints, run as it is."""
    sys.argv = ["plain.py", str(FOLDER / "data"), settings["workload"], str(settings["epochs"]), "--threads", "1"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(FOLDER / "plain.py"), run_name="__main__")
    return json.loads(printed.getvalue())


def main():
    time.perf_counter = time.process_time
    harness.PREDICT_SECONDS, harness.LATENCY_CALLS = 0.05, 1
    settings = json.loads((FOLDER / "settings.json").read_text())
    folder = FOLDER / "run" / "jobs" / settings["job"]
    job = Job.model_validate(json.loads((folder / "job.json").read_text()))
    module = importlib.import_module(f"workers.{LABEL}_worker")
    worker_class = module.WORKER
    gc.freeze()  # the harness collects before each phase; the framework's own objects stay out of it
    times = {defect: [] for defect in settings["defects"]}
    for _ in range(settings["rounds"]):
        for defect, pairs in times.items():
            module.WORKER = lambda chosen=defect: planted(worker_class, chosen)
            result = harness.run_job(job, folder)
            pairs.append([result.model_dump(mode="json"), plain(settings)])
    (FOLDER / "times.json").write_text(json.dumps(times))


main()
