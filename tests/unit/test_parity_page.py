"""The page of the parity gate over the whole matrix: the worst of each row, and columns that go on from run to run."""

import re
from pathlib import Path
from typing import Any

from benchmarks import parity
from benchmarks.parity_page import Column, column, page, read_columns, write_columns
from orchestrator.catalogue import ROOT, find
from orchestrator.recipe import recipe_hash
from workers.spec import TensorError, Verdict

COUNTS = (2, 2, 1)
DOCS = ROOT / "docs"


def verdict(error: float, passed: bool = True) -> dict[str, Any]:
    worst = TensorError(pass_name="recipe", tensor="dense_1/kernel", error=error, bound=0.01)
    return Verdict(passed=passed, worst=[worst]).model_dump(mode="json")


FOUND: dict[tuple[str, str, str], Any] = {
    ("dense", "sgd", "constant"): verdict(0.0001),
    ("dense", "adam", "constant"): verdict(0.0005),
    ("lstm", "sgd", "constant"): {"refused": ["no lstm"]},
    ("lstm", "adam", "constant"): {"refused": ["no lstm"]},
}


def test_a_row_says_the_worst_of_its_cells() -> None:
    words = column(FOUND, find("torch")).words
    assert words["Layers"] == {"dense": "5e-04 (5%)", "lstm": "unsupported"}
    assert words["Optimisers"] == {"sgd": "1e-04 (1%)", "adam": "5e-04 (5%)"}
    assert words["Schedules"] == {"constant": "5e-04 (5%)"}


def test_one_cell_that_fails_or_crashes_is_what_its_rows_say() -> None:
    for item, words in ((verdict(0.5, passed=False), "**failed**"), ({"crashed": "Traceback"}, "**crashed**")):
        found = column({**FOUND, ("dense", "adam", "constant"): item}, find("torch"))
        assert found.failed
        assert found.words["Layers"]["dense"] == found.words["Optimisers"]["adam"] == words
        assert found.words["Optimisers"]["sgd"] == "1e-04 (1%)"
    assert not column(FOUND, find("torch")).failed


def test_columns_of_an_earlier_run_stay_and_those_of_an_earlier_recipe_are_named(tmp_path: Path) -> None:
    now = column(FOUND, find("torch"))
    before = Column(recipe_hash="0" * 64, words=now.words)
    write_columns({"torch": now, "jax": before}, tmp_path / "parity.json")
    text = page(read_columns(tmp_path / "parity.json") | {"mxnet": now}, COUNTS)
    assert re.search(r"^\| +\| torch +\| +jax +\| +mxnet +\|$", text, re.MULTILINE)
    assert "Of an earlier recipe than today's: jax, mxnet. `make parity OPTIONS=" in text, "mxnet's hash is torch's"
    assert re.search(r"^Not measured yet: tf, .*torch7\. `make parity", text, re.MULTILINE)
    assert now.recipe_hash == recipe_hash(find("torch"), "cpu")


def test_the_published_page_is_what_its_data_say() -> None:
    counts = (len(parity.MODELS), len(parity.OPTIMISERS), len(parity.SCHEDULES))
    made = page(read_columns(DOCS / "parity.json"), counts)
    published = (DOCS / "parity.md").read_text(encoding="utf-8")
    start = "## Layers"  # what is outdated changes with the sources; the tables do not
    assert published[published.index(start) :] == made[made.index(start) :]
