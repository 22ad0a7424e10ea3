"""Every number of the tidy tables, computed again in a few lines from the raw results."""

import json
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from orchestrator.report.tidy import KEY, TABLES, Reported, Row, read_run, tables
from orchestrator.store import RunStore
from orchestrator.suite import SUITES_DIR
from orchestrator.summary import Pair
from tests.unit.made_runs import INFO, made_gate, made_job, made_result, made_run, with_failed_gate
from workers.spec import Environment, Resources, Result, TensorError, Verdict


def kept_run(folder: Path, pairs: list[Pair], suite: str = "kovalev2016", **info: Any) -> Reported:
    """Return a run that is written to a folder and read back."""
    store = RunStore(folder)
    store.write_info(INFO.model_copy(update=info))
    store.keep_suite(SUITES_DIR / f"{suite}.yaml")
    for job, result in pairs:
        store.write_job(job)
        if result is not None:
            store.write_result(result)
    return read_run(folder)


def raw(folder: Path) -> dict[str, dict[str, Any]]:
    """Return {job id: its result}, read without our own code."""
    files = folder.glob("jobs/*/result.json")
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}


def studied_pairs() -> list[Pair]:
    """Return three rounds of two frameworks on a workload of a study, gates, resources and counted lines with them."""
    pairs: list[Pair] = []
    worst = [TensorError(pass_name="recipe", tensor="dense_1/bias", error=2e-6, bound=1e-3)]
    for framework, base in (("tf", 2.0), ("torch", 3.0)):
        pairs.append(made_gate("tanh-1x100", framework, Verdict(passed=True, worst=worst)))
        for variant in ("matched", "paper"):
            for repeat in range(3):
                job = made_job("tanh-1x100", framework, repeat, variant=variant, read_at_epochs=[1, 2])
                job = job.model_copy(update={"id": f"{job.id}-{variant}"})
                used = [Resources(phase=name, seconds=1.5 + repeat, samples=9, cpu_percent=50.0 + repeat)
                        for name in ("train", "other")]  # fmt: skip
                environment = Environment(engine="docker", recipe_hash="ab", cpu_model="A processor")
                pairs.append((job, made_result(job, base + 0.1 * repeat, resources=used, environment=environment)))
        counted = made_job("tanh-1x100", framework, kind="lines")
        counted = counted.model_copy(update={"id": f"{counted.id}-lines"})
        lines = {"build": 20, "train": 30, "both": 45}
        pairs.append((counted, Result(job_id=counted.id, status="ok", code_lines=lines)))
    return pairs


@pytest.fixture
def run(tmp_path: Path) -> Reported:
    return kept_run(tmp_path / "run", studied_pairs())


def of(rows: list[Row], **wanted: Any) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def test_every_row_begins_with_the_same_columns_and_a_table_has_one_set_of_them(run: Reported) -> None:
    found = tables([run])
    assert list(found) == list(TABLES)
    for name, rows in found.items():
        assert {tuple(row)[: len(KEY)] for row in rows} <= {KEY}, name
        assert len({tuple(row) for row in rows}) <= 1, name


def test_cells_are_medians_of_the_raw_results(run: Reported) -> None:
    rows, results = tables([run])["cells"], raw(run.folder)
    assert len(rows) == 2 * 2 * 2  # frameworks, variants, readings
    for row in rows:
        own = [results[f"tanh-1x100-{row['framework']}-r{repeat}-{row['variant']}"] for repeat in range(3)]
        read = [result["epochs"][: row["epochs"]] for result in own]
        assert row["train_seconds"] == median(sum(epoch["train_seconds"] for epoch in epochs) for epochs in read)
        assert row["train_seconds_low"] < row["train_seconds"] < row["train_seconds_high"]
        assert row["accuracy"] == median(epochs[-1]["accuracy"] for epochs in read)
        assert row["test_loss"] == median(epochs[-1]["test_loss"] for epochs in read)
        assert row["predict_seconds"] == median(median(result["predict_seconds"]) for result in own)
        assert row["build_seconds"] == median(result["phases"]["build_seconds"] for result in own)
    (slower,) = of(rows, framework="torch", variant="matched", epochs=2)
    assert slower["ratio"] == pytest.approx(median((3.0 + 0.1 * r) / (2.0 + 0.1 * r) for r in range(3)))
    (fastest,) = of(rows, framework="tf", variant="matched", epochs=2)
    assert (fastest["fastest"], fastest["ratio"], slower["fastest"], slower["tie"]) == (True, 1.0, False, False)


def test_epochs_are_the_raw_ones_with_their_cumulated_seconds(run: Reported) -> None:
    rows, results = tables([run])["epochs"], raw(run.folder)
    assert len(rows) == sum(len(result["epochs"]) for result in results.values())
    for row in rows:
        epochs = results[row["job_id"]]["epochs"]
        epoch = epochs[row["epoch"] - 1]
        assert {name: row[name] for name in epoch} == epoch
        assert row["elapsed_seconds"] == pytest.approx(sum(e["train_seconds"] for e in epochs[: row["epoch"]]))


def test_phases_add_up_to_all_the_seconds_of_a_result(run: Reported) -> None:
    rows = tables([run])["phases"]
    for name, result in raw(run.folder).items():
        if not result["epochs"]:
            assert of(rows, job_id=name) == []
            continue
        parts = ("stage_seconds", "train_seconds", "evaluate_seconds")
        seconds = sum(epoch[part] for epoch in result["epochs"] for part in parts)
        seconds += sum(result["predict_seconds"]) + sum(result["latency_seconds"])
        seconds += result["phases"]["build_seconds"] + result["resources"][1]["seconds"]
        assert sum(row["seconds"] for row in of(rows, job_id=name)) == pytest.approx(seconds)
        assert "import" not in {row["phase"] for row in of(rows, job_id=name)}  # not known of these


def test_resources_are_medians_over_rounds(run: Reported) -> None:
    rows, results = tables([run])["resources"], raw(run.folder)
    assert len(rows) == 2 * 2 * 2  # frameworks, variants, phases
    own = [results[f"tanh-1x100-tf-r{repeat}-paper"] for repeat in range(3)]
    (row,) = of(rows, framework="tf", variant="paper", phase="train")
    assert row["cpu_percent"] == median(result["resources"][0]["cpu_percent"] for result in own)


def test_lines_stand_beside_the_median_of_the_epochs_after_the_first(run: Reported) -> None:
    (row,) = of(tables([run])["lines"], framework="torch")
    assert (row["build_lines"], row["train_lines"], row["both_lines"]) == (20, 30, 45)
    own = [raw(run.folder)[f"tanh-1x100-torch-r{repeat}-matched"] for repeat in range(3)]
    assert row["steady_epoch_seconds"] == median(result["epochs"][1]["train_seconds"] for result in own)


def test_said_stands_beside_measured_with_their_ratio(tmp_path: Path) -> None:
    pairs = studied_pairs()
    for job, result in pairs:  # the study read after 1, 5 and 10 epochs
        job.read_at_epochs = [1]
        assert result is not None
    run = kept_run(tmp_path / "run", pairs)
    rows = tables([run])["said"]
    (row,) = of(rows, framework="tf", variant="paper", epochs=1)
    (figure,) = [f for f in run.figures if (f.framework, f.workload, f.epochs) == ("Tensorflow", "tanh-1x100", 1)]
    (cell,) = [c for c in run.summary.cells if (c.framework, c.variant, c.epochs) == ("tf", "paper", 1)]
    assert cell.train_seconds is not None
    assert row["said_train_seconds"] == figure.train_seconds
    assert row["ratio_train_seconds"] == cell.train_seconds.median / (figure.train_seconds or 0)
    assert row["ratio_accuracy"] == (cell.accuracy or 0) / (figure.accuracy or 0)
    alone = [row for row in rows if row["framework"] is None]
    assert {row["said_framework"] for row in alone} >= {"Caffe", "Deeplearning4J"}
    assert all(row["measured_train_seconds"] is None for row in alone)


def test_gates_give_the_largest_error_of_each_pass_and_its_share_of_the_bound(run: Reported) -> None:
    rows, results = tables([run])["gates"], raw(run.folder)
    assert len(rows) == sum(len(r["parity"]["worst"]) for r in results.values() if r["parity"])
    for row in rows:
        (worst,) = results[row["job_id"]]["parity"]["worst"]
        assert (row["tensor"], row["error"], row["bound"]) == (worst["tensor"], worst["error"], worst["bound"])
        assert row["error_over_bound"] == worst["error"] / worst["bound"]


def test_all_that_is_no_comparable_number_is_a_problem_with_a_next_step(tmp_path: Path) -> None:
    pairs = with_failed_gate(made_run(), "mlp", "torch")
    pairs = [(job, None if job.id == "cnn-tf-r1" else result) for job, result in pairs]
    job = next(job for job, _ in pairs if job.id == "cnn-theano-r2")
    killed = Result(job_id=job.id, status="out_of_memory", reason="over 1 GiB", log_tail="Killed")
    pairs = [(other, killed if other is job else result) for other, result in pairs]
    run = kept_run(tmp_path / "run", pairs, unavailable={"torch7": "it has no image"})
    found = {(r["kind"], r["workload"], r["framework"]): r for r in tables([run])["problems"]}
    assert {place: row["status"] for place, row in found.items()} == {
        ("parity", "mlp", "torch"): "gate failed",
        ("train", "cnn", "theano"): "out_of_memory",
        ("cell", "mlp", "torch"): "not comparable",
        ("cell", "cnn", "tf"): "2 of 3 rounds ok",
        ("cell", "cnn", "theano"): "2 of 3 rounds ok",
        ("framework", None, "torch7"): "unavailable",
    }
    assert found["train", "cnn", "theano"]["log_tail"] == "Killed"
    assert all(row["reason"] and row["next_step"] for row in found.values())


def test_environments_and_datasets_are_those_of_the_results(run: Reported) -> None:
    found = tables([run])
    counts = {row["framework"]: row["results"] for row in found["environments"]}
    assert counts == {"tf": 6, "torch": 6}
    assert {row["recipe_hash"] for row in found["environments"]} == {"ab"}
    assert [(row["dataset"], row["test_rows"]) for row in found["datasets"]] == [("digits", 360)]


def test_agreement_counts_the_rows_that_two_frameworks_put_in_the_same_class(tmp_path: Path) -> None:
    run = kept_run(tmp_path / "run", made_run({("mlp", "tf"): (1.0,), ("mlp", "torch"): (2.0,)}))
    scores = np.array([[0.1, 0.6, 0.1, 0.1, 0.1], [0.6, 0.1, 0.1, 0.1, 0.1]], np.float32)
    for name, kept in (("tf", scores), ("torch", scores[[0, 0]])):
        np.savez_compressed(run.folder / "jobs" / f"mlp-{name}-r0" / "predictions.npz", scores=kept)
    (row,) = tables([run])["agreement"]
    assert (row["framework"], row["other_framework"], row["outputs"], row["outputs_alike"]) == ("tf", "torch", 2, 1)
    assert (row["share_alike"], row["largest_difference"]) == (0.5, 0.5)


def test_predictions_that_are_not_there_or_broken_agree_with_nothing(tmp_path: Path) -> None:
    run = kept_run(tmp_path / "run", made_run({("mlp", "tf"): (1.0,), ("mlp", "torch"): (2.0,)}))
    (run.folder / "jobs" / "mlp-tf-r0" / "predictions.npz").write_bytes(b"PK no archive")
    assert tables([run])["agreement"] == []


def test_several_runs_stand_in_the_same_tables(tmp_path: Path) -> None:
    runs = [kept_run(tmp_path / name, made_run(), suite="quick", name=name) for name in ("one", "two")]
    assert {row["run"] for row in tables(runs)["cells"]} == {"one", "two"}
