"""The charts of a report, from its tidy tables. Nothing is drawn where there is nothing to show."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from orchestrator.report.charts.caveats import settings_of, with_caveats
from orchestrator.report.charts.code import agreement, lines
from orchestrator.report.charts.figure import Figure, slug
from orchestrator.report.charts.papers import papers
from orchestrator.report.charts.scaling import scaling
from orchestrator.report.charts.times import times
from orchestrator.report.charts.training import accuracy_time, convergence
from orchestrator.report.charts.usage import phases, resources
from orchestrator.report.charts.winners import winners
from orchestrator.report.tidy import Tables

__all__ = ["SECTIONS", "Figure", "figures"]

SECTIONS: dict[str, Callable[[Tables], Iterator[Figure]]] = {
    "winners": winners,
    "papers": papers,
    "times": times,
    "convergence": convergence,
    "accuracy_time": accuracy_time,
    "scaling": scaling,
    "resources": resources,
    "phases": phases,
    "lines": lines,
    "agreement": agreement,
}


def figures(tables: Tables) -> list[Figure]:
    """Return all figures, section by section, each with a name of its own."""
    settings = settings_of(tables["cells"])
    found = [with_caveats(figure, settings) for draw in SECTIONS.values() for figure in draw(tables)]
    if len({figure.place.run for figure in found}) > 1:
        found = [_of_its_run(figure) for figure in found]
    counts: dict[str, int] = {}
    named = []
    for figure in found:
        counts[figure.name] = count = counts.get(figure.name, 0) + 1
        named.append(figure if count == 1 else replace(figure, name=f"{figure.name}-again-{count}"))
    return named


def _of_its_run(figure: Figure) -> Figure:
    run = figure.place.run
    return replace(figure, name=f"{figure.name}-{slug(run)}", title=f"{run}: {figure.title}")
