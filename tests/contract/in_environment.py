"""Runs many gate cases in one process of a framework's own environment (Theano compiles for seconds per process).

usage: python in_environment.py LABEL FOLDER    with FOLDER/cases.json: [{name, record, job, change}]
Writes FOLDER/verdicts.json: {case: its verdict, or what is refused, or how it crashed}. Where there is a
FOLDER/parts.json, it does besides what in_parts.py says.
Must run on every Python that a worker runs on.
"""

import importlib
import json
import os
import sys
import traceback

LABEL, FOLDER = sys.argv[1:]
NAME, _, os.environ["BENCH_MODE"] = LABEL.partition(":")  # as the harness does, before the worker is imported
FRAMEWORK = NAME.split("@")[0]

from workers import threads  # noqa: E402

threads.pin(1, [])  # two of these run side by side

import defects  # noqa: E402
import in_parts  # noqa: E402
import numpy as np  # noqa: E402

from workers import parity  # noqa: E402
from workers.refusal import refused  # noqa: E402
from workers.spec import Job  # noqa: E402


def main():
    with open(os.path.join(FOLDER, "cases.json")) as file:
        cases = json.load(file)
    module = importlib.import_module("workers.{}_worker".format(FRAMEWORK))
    verdicts = {}
    opened = module.WORKER()
    opened.open_device("cpu", 1)
    for case in cases:
        worker = opened
        if case["change"]:
            worker = module.WORKER()
            worker.open_device("cpu", 1)
            getattr(defects, case["change"])(worker)
        with np.load(os.path.join(FOLDER, case["record"] + ".npz")) as archive:
            record = dict(archive)
        job = Job.model_validate(case["job"])
        reasons = refused(worker, job)
        if reasons:
            verdicts[case["name"]] = {"refused": reasons}
            continue
        try:
            verdict = parity.check(worker, job, record)
            verdicts[case["name"]] = verdict.model_dump(mode="json")
        except Exception:
            verdicts[case["name"]] = {"crashed": traceback.format_exc()}
    with open(os.path.join(FOLDER, "verdicts.json"), "w") as file:
        json.dump(verdicts, file)
    if os.path.exists(os.path.join(FOLDER, "parts.json")):
        in_parts.predict_in_parts(opened, FOLDER)


main()
