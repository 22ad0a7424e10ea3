"""A thread that samples a running job from outside, some times a second. Whatever it cannot read is null; it never
breaks the job."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from orchestrator.gpu import GpuReader
from orchestrator.monitor.energy import Rapl
from orchestrator.monitor.samples import SAMPLES_FILE, Readings, SampleFile
from workers.spec import Job

SAMPLE_SECONDS = 0.1  # between two samples
LEAST_SECONDS, MOST_SECONDS = 0.01, 60.0  # below, sampling would keep a CPU busy
STOP_SECONDS = 5.0  # to wait for a reading that hangs, as a driver's may
SAMPLED = ("train", "target", "null")  # the gate and the counting of lines are not timed


class Source(Protocol):
    """Something that a job's use can be read from."""

    def read(self) -> Readings:
        """Return what can be read now, by the columns' names. Raises what it likes."""


Open = Callable[[], Source]


@contextlib.contextmanager
def sampling(job: Job, folder: Path, seconds: float, processes: Open) -> Iterator[None]:
    """Sample the job during the block, every ``seconds``; 0: not at all. ``processes`` opens what reads the job's."""
    if not seconds or job.kind not in SAMPLED:
        yield
        return
    openers = [processes, Rapl, *([GpuReader] if job.device == "gpu" else [])]
    sampler = Sampler(folder / SAMPLES_FILE, seconds, openers, job.limits.cpu_set)
    sampler.start()
    try:
        yield
    finally:
        sampler.stop()


class Sampler:
    """Writes a line into a file every so many seconds, and a last one when it is stopped."""

    def __init__(self, path: Path, seconds: float, openers: Sequence[Open], avoid: Sequence[int] = ()) -> None:
        self._path, self._seconds, self._openers, self._avoid = path, seconds, openers, avoid
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        with contextlib.suppress(Exception):  # a full disk, say: then there are the samples until then
            keep_off(self._avoid)
            with self._path.open("w", encoding="utf-8", newline="") as file, contextlib.ExitStack() as stack:
                samples = SampleFile(file)
                sources = opened(self._openers, stack)
                due = time.monotonic()
                while True:
                    samples.write(time.monotonic(), readings(sources))
                    due = max(due + self._seconds, time.monotonic())
                    if self._stopped.wait(due - time.monotonic()):
                        break
                samples.write(time.monotonic(), readings(sources))  # the end of the last phase


def keep_off(cpus: Sequence[int]) -> None:
    """Keep the calling thread off the job's CPUs, where this process has others."""
    others = os.sched_getaffinity(0) - set(cpus)
    if others:
        os.sched_setaffinity(0, others)


def opened(openers: Sequence[Open], stack: contextlib.ExitStack) -> list[Source]:
    """Return the sources that can be had here; what they opened is closed with the stack."""
    sources = []
    for opener in openers:
        with contextlib.suppress(Exception):
            source = opener()
            stack.callback(getattr(source, "close", lambda: None))
            sources.append(source)
    return sources


def readings(sources: Sequence[Source]) -> Readings:
    """Return what all sources say now; one that fails says nothing."""
    found: dict[str, float] = {}
    for source in sources:
        with contextlib.suppress(Exception):
            found.update(source.read())
    return found
