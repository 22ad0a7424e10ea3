"""Threads: pinned before a framework is imported, and counted by what the operating system saw them use."""

import os
from typing import Dict, List, Optional

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "MXNET_OMP_MAX_THREADS",
    "NPROC",
)
BUSY_SHARE = 0.05


def pin(threads: int, cpu_set: List[int]) -> None:
    """Set what frameworks read when they are imported, and the CPUs that this process may use.

    Call before NumPy is imported. CPUs that are not available here (a container has its own set) are left out.
    """
    for name in VARIABLES:
        os.environ[name] = str(threads)
    allowed = set(cpu_set) & os.sched_getaffinity(0)
    if allowed:
        os.sched_setaffinity(0, allowed)


class ThreadClock:
    """Counts the operating-system threads that used at least 5% of the CPU time spent inside the block.

    ``seen`` is None where the kernel does not tell. It reads before and after the block, never during it.
    """

    seen: Optional[int] = None

    def __enter__(self) -> "ThreadClock":
        self._before = _cpu_nanoseconds()
        return self

    def __exit__(self, *error: object) -> None:
        after = _cpu_nanoseconds()
        used = [value - self._before.get(thread, 0) for thread, value in after.items()]
        if sum(used) > 0:
            self.seen = sum(1 for value in used if value >= BUSY_SHARE * sum(used))


def _cpu_nanoseconds() -> Dict[str, int]:
    """Return the CPU time of each thread of this process; empty where it cannot be read."""
    times = {}
    try:
        for thread in os.listdir("/proc/self/task"):
            with open("/proc/self/task/{}/schedstat".format(thread)) as file:
                times[thread] = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return {}
    return times
