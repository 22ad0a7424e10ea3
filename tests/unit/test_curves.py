"""What a run says beside its main table: epochs as CSV, resources as a table."""

import csv
import io
from typing import Any

import pytest

from orchestrator.report import curves, resources
from orchestrator.report.tables import score_words, target_words
from orchestrator.summary import Pair
from tests.unit.made_runs import made_run, summary_of
from workers.spec import Resources, Target


def used(phase: str, **figures: Any) -> Resources:
    return Resources(phase=phase, seconds=1.0, samples=10, **figures)


def changed(prefix: str, **changes: Any) -> list[Pair]:
    """Return a run that went well, with something changed in the results of these jobs."""
    return [
        (job, result.model_copy(update=changes) if result and job.id.startswith(prefix) else result)
        for job, result in made_run()
    ]


# ---------------------------------------------------------------------------- curves


def test_every_epoch_of_every_measured_job_is_a_line_with_its_time_so_far() -> None:
    pairs = made_run()
    lines = list(csv.DictReader(io.StringIO(curves.as_csv(pairs))))
    trained = [(job, result) for job, result in pairs if job.kind == "train" and result is not None]
    assert len(lines) == sum(len(result.epochs) for _, result in trained)
    for job, result in trained:
        own = [line for line in lines if (line["workload"], line["framework"], line["repeat"]) ==
               (job.workload, job.framework.label, str(job.repeat))]  # fmt: skip
        assert float(own[-1]["train_seconds_so_far"]) == pytest.approx(result.train_seconds)
        assert [int(line["epoch"]) for line in own] == list(range(1, len(result.epochs) + 1))


def test_a_job_that_went_wrong_keeps_its_curve_and_says_so() -> None:
    pairs = changed("mlp-tf-r1", status="did_not_learn", reason="at chance")
    lines = list(csv.DictReader(io.StringIO(curves.as_csv(pairs))))
    assert {line["status"] for line in lines} == {"ok", "did_not_learn"}


# ---------------------------------------------------------------------------- resources


def test_resources_are_shown_in_their_units_and_a_figure_that_nobody_has_is_left_out() -> None:
    found = [used("build", cpu_percent=50.0), used("train", cpu_percent=98.5, peak_rss_bytes=512.0 * 2**20)]
    summary = summary_of(changed("mlp-tf-r", resources=found))
    headers, lines = resources.rows(summary)
    assert headers == ["workload", "framework", "phase", "seconds", "CPU %", "peak"]
    assert lines == [["mlp", "tf", "train", "1.00", "98.5", "512"]]
    assert [line[2] for line in resources.rows(summary, phases=None)[1]] == ["build", "train"]
    assert "98.5" in (resources.as_markdown(summary) or "")


def test_without_samples_there_is_no_table_of_zeros() -> None:
    summary = summary_of(made_run())
    assert resources.rows(summary)[1] == []
    assert resources.as_markdown(summary) is None
    assert "No resources were sampled" in str(resources.as_rich(summary, None))


# ---------------------------------------------------------------------------- scores by their names


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"accuracy": 0.98765}, "0.9877"),  # four digits
        ({"accuracy": None, "perplexity": 114.79}, "perplexity 114.8"),
        ({"accuracy": 0.2, "perplexity": 114.79}, "perplexity 114.8"),
        ({"accuracy": None, "squared_error": 0.0123, "constant_errors": {"squared_error": 0.05}},
         "squared error 0.0123 (mean's: 0.0500)"),
        ({"accuracy": 0.9, "synthetic": True}, "meaningless (synthetic)"),
        ({"accuracy": None}, "-"),
    ],
)  # fmt: skip
def test_a_score_has_its_name(changes: dict[str, Any], words: str) -> None:
    cell = summary_of(made_run()).cells[0].model_copy(update=changes)
    assert score_words(cell) == words


def test_a_time_to_a_target_says_which_and_after_how_many_epochs() -> None:
    target = Target(metric="accuracy", value=0.99)
    cell = summary_of(made_run()).cells[0].model_copy(update={"target": target, "epochs_to_target": 7.0})
    assert target_words(cell) == "to accuracy 0.99 in 7 epochs"
