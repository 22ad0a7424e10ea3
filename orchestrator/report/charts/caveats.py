"""What makes a figure's numbers another experiment than its suite's: said in its title and in the drawing itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from orchestrator.data.builtin import BUILTIN
from orchestrator.report.charts.draw import heading
from orchestrator.report.charts.figure import Figure, Place
from orchestrator.report.tidy import Row


@dataclass(frozen=True)
class Setting:
    """What of a cell decides that."""

    run: str
    workload: str
    device: str
    threads: int
    scale: float
    synthetic: bool
    dataset: str
    cpus: int | None

    def at(self, place: Place) -> bool:
        here = (self.run, self.device) == (place.run, place.device)
        return here and place.workload in (None, self.workload) and place.threads in (None, self.threads)

    @property
    def words(self) -> Iterator[str]:
        if self.scale != 1:
            yield f"scaled to {self.scale:g} of its suite"
        if self.synthetic:
            yield "synthetic data"
        elif self.dataset not in BUILTIN:
            yield f"on {self.dataset}"
        if self.cpus is not None and self.threads > self.cpus:
            yield f"{self.threads} threads on {self.cpus} {'CPU' if self.cpus == 1 else 'CPUs'}"


def settings_of(cells: Iterable[Row]) -> list[Setting]:
    fields = Setting.__dataclass_fields__
    return list(dict.fromkeys(Setting(**{name: row[name] for name in fields}) for row in cells))


def with_caveats(figure: Figure, settings: Iterable[Setting]) -> Figure:
    """Return a figure that says what holds for any of its cells."""
    found = dict.fromkeys(word for setting in settings if setting.at(figure.place) for word in setting.words)
    if not found:
        return figure
    words = ", ".join(found)
    title = {**heading(words), "anchor": "start"}
    return replace(figure, title=f"{figure.title} ({words})", chart={**figure.chart, "title": title})
