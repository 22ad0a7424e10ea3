"""python -m workers JOB_FOLDER: run one job by hand, in a container or out of it."""

import argparse
import faulthandler
import json
import sys
from pathlib import Path

from . import threads
from .spec import Job, ValidationError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m workers",
        description="Run the job in JOB_FOLDER/job.json and leave JOB_FOLDER/result.json. The job's data and "
        "weights are in JOB_FOLDER/../../inputs. Exits with 0 if the job is ok, else with 1; 2: no such job.",
    )
    parser.add_argument("job_folder", type=Path)
    folder = parser.parse_args().job_folder
    try:
        job = Job.model_validate(json.loads((folder / "job.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        print("{}: not a job: {}".format(folder / "job.json", error), file=sys.stderr)
        return 2
    threads.pin(job.threads, job.limits.cpu_set)
    faulthandler.enable()
    # A job that hangs is killed by its engine; just before that, its log gets the place where it hangs.
    faulthandler.dump_traceback_later(job.limits.timeout_seconds)
    from .harness import run_job  # imports NumPy, so only now

    result = run_job(job, folder)
    print("{}: {}{}".format(job.id, result.status, " (" + result.reason + ")" if result.reason else ""))
    return 0 if result.status == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
