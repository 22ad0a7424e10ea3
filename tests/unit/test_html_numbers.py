"""Every number of the HTML page, computed again in a few lines from the raw results, table by table."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from orchestrator.report.html.packing import unpacked
from orchestrator.report.tables import number
from tests.pages import Page, links, page_of, value
from tests.runs import failed_gate, study, well

Raw = list[tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("runs") / "study")


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return page_of([folder], folder.parent)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return well(tmp_path_factory.mktemp("runs") / "well")


@pytest.fixture(scope="module")
def quick_page(quick: Path) -> Page:
    return page_of([quick], quick.parent)


def raw(folder: Path) -> Raw:
    """Return the jobs with their results, read without our own code."""
    return [
        (json.loads(path.read_text()), json.loads(path.with_name("result.json").read_text()))
        for path in sorted(folder.glob("jobs/*/job.json"))
    ]


def label(job: dict[str, Any]) -> str:
    framework = job["framework"]
    version = "@" + framework["version"] if framework["version_chosen"] else ""
    return framework["name"] + version + (":" + framework["mode"] if framework["mode"] else "")


def values(page: Page, name: str) -> list[dict[str, Any]]:
    assert page.tables[name].rows, f"{name} has no rows"
    return [{key: value(cell) for key, cell in row.items()} for row in page.tables[name].rows]


def results_of(found: Raw, row: dict[str, Any], kind: str = "train") -> list[dict[str, Any]]:
    """Return the results of the jobs that a row is of, in the order of their rounds."""
    place = row["workload"], row["framework"], row.get("variant", "matched")
    own = [pair for pair in found if pair[0]["kind"] == kind]
    own = [pair for pair in own if (pair[0]["workload"], label(pair[0]), pair[0]["variant"]) == place]
    return [result for _, result in sorted(own, key=lambda pair: pair[0]["repeat"])]


@pytest.mark.parametrize("table", ["cells", "readings"])
def test_cells_are_medians_over_rounds(page: Page, folder: Path, table: str) -> None:
    found, rows = raw(folder), values(page, table)
    read_at = {(job["workload"], label(job), job["variant"], epochs) for job, _ in found if job["kind"] == "train"
               for epochs in job["read_at_epochs"] or [job["recipe"]["epochs"]]}  # fmt: skip
    last = {(*place, max(epochs for *other, epochs in read_at if other == [*place])) for *place, _ in read_at}
    shown = [(row["workload"], row["framework"], row["variant"], row["epochs"]) for row in rows]
    assert sorted(shown) == sorted(last if table == "cells" else read_at - last)
    for row in rows:
        own = results_of(found, row)
        read = [result["epochs"][: row["epochs"]] for result in own]
        assert row["train_seconds"] == median(sum(epoch["train_seconds"] for epoch in epochs) for epochs in read)
        assert row["accuracy"] == median(epochs[-1]["accuracy"] for epochs in read)
        assert row["test_loss"] == median(epochs[-1]["test_loss"] for epochs in read)
        assert row["predict_seconds"] == median(median(result["predict_seconds"]) for result in own)
        assert row["latency_seconds"] == median(median(result["latency_seconds"]) for result in own)
        assert row["build_seconds"] == median(result["phases"]["build_seconds"] for result in own)
        assert row["rounds_ok"] == len(own) == 3
    for row in rows:
        times = [sum(e["train_seconds"] for e in r["epochs"][: row["epochs"]]) for r in results_of(found, row)]
        if row["variant"] == "paper":
            assert row["ratio"] is None
            continue
        group = [other for other in rows if all(row[k] == other[k] for k in ("workload", "variant", "epochs"))]
        best = min(group, key=lambda other: other["train_seconds"])
        base = [sum(e["train_seconds"] for e in r["epochs"][: row["epochs"]]) for r in results_of(found, best)]
        assert row["ratio"] == pytest.approx(median(a / b for a, b in zip(times, base, strict=True)))


def test_the_words_beside_a_value_are_that_value(page: Page) -> None:
    for row in page.tables["cells"].rows:
        assert row["train_seconds"]["t"].startswith(f"{number(row['train_seconds']['v'])} [")
        assert row["ratio"]["t"].startswith(("fastest", "as published", number(row["ratio"]["v"])))


def test_the_rows_that_stand_as_text_are_the_first_of_the_packed_ones(page: Page) -> None:
    for name, table in page.tables.items():
        assert table.texts, name
        for texts, row in zip(table.texts, table.rows, strict=False):
            for text, cell in zip(texts, row.values(), strict=True):
                if isinstance(cell, int | float) and not isinstance(cell, bool):
                    assert text in (number(cell), str(cell)), name
                elif isinstance(cell, str):
                    assert text == (cell.strip() or "-"), name


def test_epochs_are_the_raw_ones(page: Page, folder: Path) -> None:
    found, rows = raw(folder), values(page, "epochs")
    assert len(rows) == sum(len(result["epochs"]) for _, result in found)
    for row in rows:
        epoch = results_of(found, row)[row["repeat"] - 1]["epochs"][row["epoch"] - 1]
        shown = {name: row[name] for name in epoch if name in row}
        assert shown == {name: epoch[name] for name in shown}
        assert {name for name, what in epoch.items() if what is not None} <= set(row)


def test_said_figures_are_those_of_the_studys_file(page: Page, folder: Path) -> None:
    with (folder / "suite.csv").open(newline="") as file:
        said = {(row["framework"], row["workload"], int(row["epochs"])): row for row in csv.DictReader(file)}
    cells = [*values(page, "cells"), *values(page, "readings")]
    rows = values(page, "said")
    assert {row["framework"] for row in rows} >= {"tf", "torch", "keras", None}
    for row in rows:
        figure = said[row["said_framework"], row["workload"], row["epochs"]]
        assert row["said_train_seconds"] == float(figure["train_seconds"])
        assert row["said_accuracy"] == float(figure["accuracy"])
        if row["framework"] is None:
            assert row["measured_train_seconds"] is None
            continue
        place = ("workload", "framework", "variant", "epochs")
        (cell,) = [cell for cell in cells if all(cell[name] == row[name] for name in place)]
        assert row["measured_train_seconds"] == cell["train_seconds"]
        assert row["ratio_train_seconds"] == cell["train_seconds"] / float(figure["train_seconds"])
        assert row["ratio_accuracy"] == cell["accuracy"] / float(figure["accuracy"])


def test_resources_are_medians_over_rounds(page: Page, folder: Path) -> None:
    found = raw(folder)
    for row in values(page, "resources"):
        own = [
            used for result in results_of(found, row) for used in result["resources"] if used["phase"] == row["phase"]
        ]
        for name in ("seconds", "cpu_percent", "peak_rss_bytes", "involuntary_switches"):
            assert row[name] == median(used[name] for used in own)


def test_phases_are_medians_over_rounds(page: Page, folder: Path) -> None:
    found, rows = raw(folder), values(page, "phases")
    for row in rows:
        assert row["seconds"] == median(_seconds(result)[row["phase"]] for result in results_of(found, row))
    assert {row["phase"] for row in rows} == {phase for job, result in found for phase in _seconds(result)
                                              if job["kind"] == "train"}  # fmt: skip


def _seconds(result: dict[str, Any]) -> dict[str, float]:
    once = {name: result["phases"][f"{name}_seconds"] for name in ("import", "data", "build", "open_device", "warm_up")}
    loop = {name: [epoch[f"{name}_seconds"] for epoch in result["epochs"]]
            for name in ("stage", "train", "evaluate", "validate")}  # fmt: skip
    each = {name: None if None in found or not found else sum(found) for name, found in loop.items()}
    calls = {"predict": sum(result["predict_seconds"]), "latency": sum(result["latency_seconds"])}
    other = {used["phase"]: used["seconds"] for used in result["resources"] or [] if used["phase"] == "other"}
    return {name: what for name, what in {**once, **each, **calls, **other}.items() if what is not None}


def test_lines_are_those_that_were_counted(quick_page: Page, quick: Path) -> None:
    found, rows = raw(quick), values(quick_page, "lines")
    assert len(rows) == 9
    for row in rows:
        (counted,) = results_of(found, row, "lines")
        assert [row[f"{part}_lines"] for part in ("build", "train", "both")] == list(counted["code_lines"].values())
        later = [median(e["train_seconds"] for e in result["epochs"][1:]) for result in results_of(found, row)]
        assert row["steady_epoch_seconds"] == median(later)


def test_agreement_is_that_of_the_kept_predictions(quick_page: Page, quick: Path) -> None:
    kept = {}
    for path in quick.glob("jobs/*/predictions.npz"):
        job = json.loads(path.with_name("job.json").read_text())
        kept[job["workload"], label(job), job["repeat"] + 1] = np.load(path)["scores"]
    rows = values(quick_page, "agreement")
    assert len(rows) == 3 * 3 * 3  # workloads, pairs, rounds
    for row in rows:
        one, other = (kept[row["workload"], row[name], row["repeat"]] for name in ("framework", "other_framework"))
        same = [a.argmax() == b.argmax() for a, b in zip(one, other, strict=True)]
        assert (row["outputs_alike"], row["outputs"], row["share_alike"]) == (sum(same), len(same), np.mean(same))
        assert row["largest_difference"] == pytest.approx(np.abs(one - other).max())


def test_gates_are_the_raw_verdicts(tmp_path: Path) -> None:
    folder = failed_gate(tmp_path / "run")
    found, rows = raw(folder), values(page_of([folder], tmp_path), "gates")
    assert rows[0]["passed"] is False, "what failed stands first"
    assert (rows[0]["workload"], rows[0]["framework"]) == ("mlp", "theano")
    for row in rows:
        (result,) = results_of(found, row, "parity")
        verdict = result["parity"]
        seen = verdict["worst"] or [verdict["first_difference"]]
        (error,) = [item for item in seen if (item["pass_name"], item["tensor"]) == (row["pass_name"], row["tensor"])]
        assert (row["error"], row["bound"], row["passed"]) == (error["error"], error["bound"], verdict["passed"])
        assert row["error_over_bound"] == error["error"] / error["bound"]


def test_jobs_environments_and_data_are_the_raw_ones(page: Page, folder: Path) -> None:
    found = {job["id"]: (job, result) for job, result in raw(folder)}
    rows = values(page, "jobs")
    assert {row["job_id"] for row in rows} == set(found)
    for row in rows:
        job, result = found[row["job_id"]]
        assert (row["kind"], row["seed"], row["status"]) == (job["kind"], job["seed"], result["status"])
        times = [epoch["train_seconds"] for epoch in result["epochs"]]
        assert row["train_seconds"] == (pytest.approx(sum(times)) if times else None)
    for row in values(page, "environments"):
        own = [r["environment"] for j, r in found.values() if j["kind"] == "train" and label(j) == row["framework"]]
        assert row["results"] == len(own)
        assert {(item["recipe_hash"], item["image_id"]) for item in own} == {(row["recipe_hash"], row["image_id"])}
    for row in values(page, "datasets"):
        data = [job["dataset"] for job, _ in found.values() if job["workload"] == row["workload"]]
        assert any(all(row[name] == item[name] for name in ("checksum", "train_rows", "test_rows")) for item in data)


def test_the_rows_behind_a_chart_are_those_of_the_cells(page: Page) -> None:
    cells = {(row["workload"], row["framework"]): row for row in values(page, "cells") if row["variant"] == "matched"}
    figures = list(winners(page))
    assert [workload for workload, _ in figures] == list(dict.fromkeys(row["workload"] for row in cells.values()))
    assert len(figures) == 3
    for workload, rows in figures:
        assert len(rows) == 4
        for row in rows:
            cell = cells[workload, row["framework"]]
            assert (row["ratio"], row["train_seconds"]) == (cell["ratio"], cell["train_seconds"])


def winners(page: Page) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the workload and the rows of each picture in an article."""
    article, workload = False, ""
    for tag, found in page.elements:
        article = article or tag == "article"
        article = article and tag != "section"
        workload = found.get("data-facet-workload", "") if tag == "figure" else workload
        if article and "data-behind" in found:
            yield workload, unpacked(page.packed[found["data-behind"]])


def test_every_table_of_the_page_is_held_to_the_raw_results(page: Page, quick_page: Page) -> None:
    held = {"cells", "readings", "epochs", "said", "resources", "phases", "lines", "agreement", "gates", "jobs"}
    held |= {"environments", "datasets"}
    assert {*page.tables, *quick_page.tables} == held | {"properties"}  # held to its sources in test_properties


def test_every_link_leads_somewhere(page: Page, folder: Path) -> None:
    ids = {*page.attributes("id"), *(name for table in page.tables.values() for name in table.ids if name)}
    cells = [cell for table in page.tables.values() for row in table.rows for cell in row.values()]
    found = {*page.attributes("href"), *(address for cell in cells for address in links(cell))}
    files = {address for address in found if not address.startswith("#")}
    assert {address[1:] for address in found - files} <= ids
    assert {Path(address).name for address in files} == {"result.json", "log.txt"}
    assert all((folder.parent / address).is_file() for address in files)
    for row in page.tables["cells"].rows:
        assert (len(links(row["results"])), len(links(row["logs"]))) == (3, 3)
