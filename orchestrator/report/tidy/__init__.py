"""Runs as tidy tables: one row per observation, units in the names, nothing rounded, None where it is not known.

Every row begins with KEY. All that the HTML page, its charts and the files of ``bench report`` say is made of these.
"""

from collections.abc import Callable, Iterable

from orchestrator.report.tidy.cells import cells, overall
from orchestrator.report.tidy.costs import agreements, lines, resources
from orchestrator.report.tidy.evidence import datasets, environments, gates, notes, problems
from orchestrator.report.tidy.jobs import epochs, jobs, phases
from orchestrator.report.tidy.reported import Reported, read_run
from orchestrator.report.tidy.rows import KEY, Row, Tables, last_rows
from orchestrator.report.tidy.said import said

__all__ = ["KEY", "TABLES", "Reported", "Row", "Tables", "last_rows", "read_run", "tables"]

TABLES: dict[str, Callable[[Reported], list[Row]]] = {
    "cells": cells,
    "overall": overall,
    "jobs": jobs,
    "epochs": epochs,
    "phases": phases,
    "resources": resources,
    "lines": lines,
    "said": said,
    "agreement": agreements,
    "gates": gates,
    "problems": problems,
    "environments": environments,
    "datasets": datasets,
    "notes": notes,
}


def tables(runs: Iterable[Reported]) -> Tables:
    """Return all tables by their names; those with nothing in them too."""
    found: Tables = {name: [] for name in TABLES}
    for run in runs:
        for name, rows in TABLES.items():
            found[name] += rows(run)
    return found
