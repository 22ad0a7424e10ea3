"""What the kernel says of processes: resident memory and context switches of any, CPU time of a tree of them."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from orchestrator.monitor.samples import Readings

PROC = Path("/proc")


class Switches:
    """Counts the context switches of threads that come and go; an ended one's are those that it was last seen with."""

    def __init__(self) -> None:
        self._ended = [0, 0]
        self._living: dict[str, tuple[int, int]] = {}

    def count(self, threads: dict[str, tuple[int, int]]) -> Readings:
        """Return (voluntary, involuntary) switches so far, of the threads that live now and of those that ended."""
        for name, seen in self._living.items():
            now = threads.get(name)
            if now is None or now < seen:  # it ended; a smaller count is another thread's under the same number
                self._ended = [self._ended[0] + seen[0], self._ended[1] + seen[1]]
        self._living = threads
        voluntary, involuntary = (
            ended + sum(counts[place] for counts in threads.values()) for place, ended in enumerate(self._ended)
        )
        return {"voluntary_switches": voluntary, "involuntary_switches": involuntary}


class Processes:
    """Reads a changing set of processes."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._switches = Switches()

    def read(self, pids: Iterable[int]) -> Readings:
        """Return what could be read of them; nothing where none is there any more."""
        threads: dict[str, tuple[int, int]] = {}
        rss_bytes, seen = 0, False
        for pid in pids:
            for name, status in self._statuses(pid):
                with contextlib.suppress(KeyError, ValueError):
                    threads[f"{pid}/{name}"] = (
                        int(status["voluntary_ctxt_switches"]),
                        int(status["nonvoluntary_ctxt_switches"]),
                    )
                if name == str(pid) and "VmRSS" in status:  # a thread's memory is its process's
                    rss_bytes += int(status["VmRSS"].split()[0]) * 1024
                    seen = True
        readings = dict(self._switches.count(threads)) if threads else {}
        return {**readings, "rss_bytes": rss_bytes} if seen else readings

    def _statuses(self, pid: int) -> Iterable[tuple[str, dict[str, str]]]:
        folder = f"{self._proc}/{pid}/task"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                with contextlib.suppress(OSError), open(f"{folder}/{name}/status", encoding="utf-8") as file:
                    yield name, dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)


class ProcessTree:
    """A process and all that it started: what the local engine's job is."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._processes = Processes()

    def read(self) -> Readings:
        tree = [self._root, *self._root.children(recursive=True)]
        cpu_seconds = 0.0
        for process in tree:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()  # with those of its children that it has waited for
                cpu_seconds += times.user + times.system + times.children_user + times.children_system
        readings = self._processes.read(process.pid for process in tree)
        return {**readings, "cpu_seconds": cpu_seconds} if readings else {}
