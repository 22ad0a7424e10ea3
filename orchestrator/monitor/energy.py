"""The energy that the machine's processors took, by RAPL: of the whole packages, whoever kept them busy."""

from pathlib import Path

from orchestrator.monitor.samples import Readings

POWERCAP = Path("/sys/class/powercap")
MICROJOULES = 1e-6


class Rapl:
    """Sums the packages' counters, each of which starts again at zero once it has reached its range."""

    def __init__(self, root: Path = POWERCAP) -> None:
        """Raises OSError where there is no package, or where only root may read it."""
        names = {zone: (zone / "name").read_text(encoding="utf-8") for zone in root.glob("intel-rapl:*")}
        packages = [zone for zone, name in names.items() if name.startswith("package")]
        self._ranges = {zone: _number(zone / "max_energy_range_uj") for zone in packages}
        self._last = {zone: _number(zone / "energy_uj") for zone in packages}
        if not packages:
            raise OSError(f"no processor package in {root}")
        self._microjoules = 0

    def read(self) -> Readings:
        for zone, before in self._last.items():
            now = _number(zone / "energy_uj")
            self._microjoules += now - before if now >= before else now + self._ranges[zone] - before
            self._last[zone] = now
        return {"energy_joules": self._microjoules * MICROJOULES}


def _number(path: Path) -> int:
    return int(path.read_text(encoding="utf-8"))
