"""The only clock of a job: times its phases with the device idle on both sides, and notes when each began."""

import gc
import time
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple

from .worker import Worker


class Clock:
    """Times actions. ``phases.txt`` says when each phase began, in seconds of the machine's monotonic clock, for those
    who watch the job from outside; between phases stands ``other``. It is written outside of what is timed."""

    worker: Optional[Worker] = None  # what must be idle, once there is one

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)
        self._mark("other")

    def __enter__(self) -> "Clock":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _mark(self, phase: str) -> None:
        self._file.write("{:.6f} {}\n".format(time.monotonic(), phase))

    def timed(self, phase: str, action: Callable[[], Any]) -> Tuple[Any, float]:
        """Return (what ``action`` returned, its seconds)."""
        gc.collect()
        self._synchronize()
        self._mark(phase)
        start = time.perf_counter()
        value = action()
        self._synchronize()
        seconds = time.perf_counter() - start
        self._mark("other")
        return value, seconds

    def repeated(self, phase: str, action: Callable[[], Any], least: int, most: int, seconds: float) -> List[float]:
        """Return the seconds of each call: at least ``least``, then until ``most`` calls or ``seconds`` in all."""
        times: List[float] = []
        self._mark(phase)
        while len(times) < least or (len(times) < most and sum(times) < seconds):
            start = time.perf_counter()
            action()
            self._synchronize()
            times.append(time.perf_counter() - start)
        self._mark("other")
        return times

    def _synchronize(self) -> None:
        if self.worker is not None:
            self.worker.synchronize()
