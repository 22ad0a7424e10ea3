"""The control groups of a container, as the kernel's files show them: version 2, version 1, and the two mixed."""

import contextlib
import re
from pathlib import Path

from orchestrator.monitor.processes import PROC, Processes
from orchestrator.monitor.samples import Readings

ROOT = Path("/sys/fs/cgroup")
NANOSECONDS, MICROSECONDS = 1e-9, 1e-6

Places = tuple[tuple[str, str, str, float], ...]  # controller, file, pattern, unit
# Of version 1, then of version 2, which has one folder, "", for every controller.
PLACES: dict[str, Places] = {
    "cpu_seconds": (
        ("cpuacct", "cpuacct.usage", r"^(\d+)", NANOSECONDS),
        ("", "cpu.stat", r"^usage_usec (\d+)", MICROSECONDS),
    ),
    "throttled_seconds": (
        ("cpu", "cpu.stat", r"^throttled_time (\d+)", NANOSECONDS),
        ("", "cpu.stat", r"^throttled_usec (\d+)", MICROSECONDS),
    ),
    "anonymous_bytes": (("memory", "memory.stat", r"^total_rss (\d+)", 1), ("", "memory.stat", r"^anon (\d+)", 1)),
    "charged_bytes": (("memory", "memory.usage_in_bytes", r"^(\d+)", 1), ("", "memory.current", r"^(\d+)", 1)),
}


class Cgroup:
    """Reads what all of a container's processes use together."""

    def __init__(self, pid: int, container_id: str, proc: Path = PROC, root: Path = ROOT) -> None:
        """Find the groups of the container's first process. Raises OSError where there is none of that container.

        A daemon elsewhere (another machine, a virtual one) names process numbers that mean other processes here.
        """
        self._folders = folders(proc / str(pid) / "cgroup", container_id, root)
        if not self._folders:
            raise OSError(f"process {pid} is in no control group of the container {container_id}")
        self._processes = Processes(proc)

    def read(self) -> Readings:
        readings = {name: value for name, value in self._counted().items() if value is not None}
        if not readings:
            return {}  # the container is gone
        return {**readings, **self._processes.read(self._pids())}

    def _counted(self) -> dict[str, float | None]:
        return {name: self._first(places) for name, places in PLACES.items()}

    def _first(self, places: Places) -> float | None:
        """Return the value at the first of the places that is there."""
        for controller, file, pattern, unit in places:
            found = re.search(pattern, self._text(controller, file), re.MULTILINE)
            if found:
                return int(found.group(1)) * unit
        return None

    def _text(self, controller: str, file: str) -> str:
        folder = self._folders.get(controller)
        with contextlib.suppress(OSError):
            return (folder / file).read_text(encoding="utf-8") if folder else ""
        return ""

    def _pids(self) -> list[int]:
        for controller in self._folders:
            text = self._text(controller, "cgroup.procs")
            if text:
                return [int(word) for word in text.split()]
        return []


def folders(memberships: Path, container_id: str, root: Path) -> dict[str, Path]:
    """Return {controller: the container's folder} from a ``/proc/PID/cgroup``; that of version 2 is ""."""
    found = {}
    for line in memberships.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if container_id not in path:
            continue
        for controller in controllers.split(","):
            # Several in one folder go by all their names; beside version 1, version 2 is in a folder of its own.
            places = [root / place / path.lstrip("/") for place in (controllers, controller or "unified")]
            there = next((place for place in places if place.is_dir()), None)
            if there is not None:
                found[controller] = there
    return found
