"""The page of the parity gate over the whole matrix, and its columns as data: one for each framework."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchestrator.catalogue import FrameworkEntry, every_entry
from orchestrator.recipe import current_recipes, recipe_hash
from orchestrator.report.tables import table
from workers.spec import Verdict

Cell = tuple[str, str, str]  # model, optimiser, schedule
TABLES = ("Layers", "Optimisers", "Schedules")  # each tells its rows apart by that place of a cell
FAILED, CRASHED = "**failed**", "**crashed**"


class Column(BaseModel):
    """What a framework's cells came to. ``words``: {table: {row: the worst of its cells}}; ``recipe_hash``: of what."""

    recipe_hash: str
    words: dict[str, dict[str, str]]

    @property
    def failed(self) -> bool:
        return any(text in (FAILED, CRASHED) for rows in self.words.values() for text in rows.values())


def column(found: Mapping[Cell, Any], entry: FrameworkEntry) -> Column:
    """Return a framework's column: of each row of each table the worst of its cells, in words."""
    words = {}
    for place, title in enumerate(TABLES):
        names = dict.fromkeys(cell[place] for cell in found)
        words[title] = {name: in_words(item for cell, item in found.items() if cell[place] == name) for name in names}
    return Column(recipe_hash=recipe_hash(entry, "cpu"), words=words)


def in_words(found: Iterable[Any]) -> str:
    """Return the worst of several cells: the error nearest its bound, and how much of the bound it takes."""
    tried = [item for item in found if "refused" not in item]
    if not tried:
        return "unsupported"
    if any("crashed" in item for item in tried):
        return CRASHED
    verdicts = [Verdict.model_validate(item) for item in tried]
    if not all(verdict.passed for verdict in verdicts):
        return FAILED
    errors = [worst for verdict in verdicts for worst in verdict.worst]
    share, error = max(((worst.error or 0.0) / (worst.bound or 1.0), worst.error or 0.0) for worst in errors)
    return f"{error:.0e} ({share:.0%})"


def read_columns(path: Path) -> dict[str, Column]:
    return {label: Column.model_validate(item) for label, item in json.loads(path.read_text("utf-8")).items()}


def write_columns(columns: Mapping[str, Column], path: Path) -> None:
    data = {label: columns[label].model_dump() for label in sorted(columns)}
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def page(columns: Mapping[str, Column], counts: tuple[int, int, int]) -> str:
    """Return the page: which columns are of another recipe than today's, which are missing, and the tables.

    ``counts``: of models, optimisers and schedules.
    """
    models, optimisers, schedules = counts
    labels = [entry.label for entry in every_entry()]
    known = [label for label in labels if label in columns]
    recipes = current_recipes()
    outdated = [label for label in known if columns[label].recipe_hash != recipes[label, "cpu"]]
    missing = [label for label in labels if label not in columns and label != "numpy"]
    parts = [
        "# Parity",
        f"Made by `make parity`: {models * optimisers * schedules} cells ({models} models x {optimisers} optimisers x "
        f"{schedules} schedules) in each framework, each held to the float64 reference as "
        "[the gate](architecture.md#the-parity-gate) does it in every run. A number is the relative error of an "
        "update, the one nearest its bound in all cells of its row, and in brackets how much of the bound it takes. "
        "A large error beside a small share is one that rounding alone decides: a bias before batch normalisation has "
        "no gradient, and Adam divides by its size.",
        *_again("Of an earlier recipe than today's", outdated),
        *_again("Not measured yet", missing),
        *(_matrix(title, {label: columns[label].words[title] for label in known}) for title in TABLES),
    ]
    return "\n\n".join(parts) + "\n"


def _again(why: str, labels: Sequence[str]) -> list[str]:
    if not labels:
        return []
    return [f'{why}: {", ".join(labels)}. `make parity OPTIONS="--frameworks {",".join(labels)}"` measures them.']


def _matrix(title: str, found: Mapping[str, Mapping[str, str]]) -> str:
    names = dict.fromkeys(name for rows in found.values() for name in rows)
    rows = [[name, *(found[label].get(name, "-") for label in found)] for name in names]
    return f"## {title}\n\n{table(rows, ('', *found))}"
