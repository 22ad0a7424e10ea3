"""Threads and CPUs: pinned before a framework is imported, and counted by what the operating system saw them use."""

import os
import time
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


class LoadClock:
    """Measures how many CPUs others kept busy inside its blocks: other processes, or a host that took them away.

    ``other_cpus_busy`` is the mean over all blocks so far, None where the kernel does not tell. It reads before and
    after a block, never during it. /proc/stat counts the whole machine, in a container too.
    """

    def __init__(self) -> None:
        self._other_seconds = 0.0
        self._wall_seconds = 0.0

    @property
    def other_cpus_busy(self) -> Optional[float]:
        return max(0.0, self._other_seconds) / self._wall_seconds if self._wall_seconds > 0 else None

    def __enter__(self) -> "LoadClock":
        self._before = _busy_seconds(), time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        machine, own, wall = self._before
        now = _busy_seconds()
        if machine is not None and now is not None:
            self._other_seconds += (now - machine) - (time.process_time() - own)
            self._wall_seconds += time.perf_counter() - wall


def _busy_seconds() -> Optional[float]:
    """Return the seconds that all CPUs of the machine together were not idle (stolen ones too), since it started."""
    try:
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / float(os.sysconf("SC_CLK_TCK"))
