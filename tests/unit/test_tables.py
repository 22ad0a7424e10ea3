"""The table in every text format: whole snapshots, and what a reader's own tools make of it."""

import csv
import io
import json

import pytest
from rich.console import Console

from orchestrator.cells import Estimate
from orchestrator.report.tables import (
    HEADERS,
    TEXT_FORMATS,
    as_csv,
    as_latex,
    as_markdown,
    as_rich,
    number,
    overall_lines,
    rows,
)
from orchestrator.summary import Summary
from tests.unit.made_runs import TIMES, altered, made_run, summary_of, with_failed_gate

CAPTION = (
    "Suite quick, 3 rounds, cpu, 2 threads, engine local; "
    "medians over rounds, intervals at 95%, ratios paired by round."
)


def troubled() -> Summary:
    """Return a run with a failed gate on ``mlp`` and a job that timed out on ``cnn``."""
    pairs = with_failed_gate(made_run(), "mlp", "theano")
    return summary_of(altered(pairs, "cnn-theano-r2", status="timeout", reason="stopped after 60 seconds"))


def places(summary: Summary) -> dict[tuple[str, str], str]:
    """Return what stands in the column of ratios."""
    return {(cell.workload, cell.framework): row[3] for cell, row in zip(summary.cells, rows(summary), strict=True)}


# ---------------------------------------------------------------------------- words and numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.00"),
        (0.012345, "0.0123"),
        (1.0, "1.00"),
        (9.996, "10.0"),
        (12.345, "12.3"),
        (123.4, "123"),
        (999.4, "999"),
        (999.6, "1,000"),
        (1000.0, "1,000"),
        (1234567.8, "1,234,568"),
        (0.00001, "1.00e-05"),
    ],
)
def test_a_number_has_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_word_tie_stands_exactly_where_the_interval_includes_one() -> None:
    summary = summary_of(made_run())
    found = places(summary)
    assert found["mlp", "tf"] == "fastest, tie"
    assert found["cnn", "torch"] == "fastest"
    followers = [cell for cell in summary.cells if not cell.fastest]
    assert len(followers) == 4
    for cell in followers:
        assert isinstance(cell.ratio, Estimate)
        assert cell.ratio.low is not None
        assert cell.ratio.high is not None
        includes_one = cell.ratio.low <= 1 <= cell.ratio.high
        assert found[cell.workload, cell.framework].endswith("] tie") is includes_one


def test_what_cannot_be_compared_has_words_in_place_of_a_ratio() -> None:
    found = places(troubled())
    assert found["mlp", "theano"] == "not comparable"
    assert found["cnn", "theano"] == "2 of 3 rounds ok"


def test_under_three_rounds_nobody_is_called_fastest() -> None:
    summary = summary_of(made_run({key: seconds[:2] for key, seconds in TIMES.items()}), repeats=2)
    assert places(summary) == {
        ("mlp", "torch"): "1.00",
        ("mlp", "tf"): "1.03",
        ("mlp", "theano"): "2.05",
        ("cnn", "torch"): "1.00",
        ("cnn", "tf"): "1.99",
        ("cnn", "theano"): "7.99",
    }


def test_device_and_threads_stand_in_the_rows_where_a_run_has_several() -> None:
    pairs = made_run()
    other = [(job.model_copy(update={"threads": 1}), result) for job, result in pairs if job.kind == "train"]
    assert {row[0] for row in rows(summary_of(pairs))} == {"mlp", "cnn"}
    assert {row[0] for row in rows(summary_of([*pairs, *other]))} == {
        f"{workload} (cpu, {threads})" for workload in ("mlp", "cnn") for threads in ("1 thread", "2 threads")
    }


# ---------------------------------------------------------------------------- markdown


def test_markdown() -> None:
    expected = """
| workload   | framework   |   training s [95%] |   ratio to fastest [95%] |   build s |   predict rows/s |   accuracy |   parity |
|:-----------|:------------|-------------------:|-------------------------:|----------:|-----------------:|-----------:|---------:|
| cnn        | torch 2.13  |  10.1 [1.98, 51.6] |                  fastest |      3.00 |            1,800 |     0.9200 |   passed |
| cnn        | tf 2.21     |   20.0 [3.88, 103] |        2.00 [1.95, 2.05] |      3.00 |            1,800 |     0.9200 |   passed |
| cnn        | theano 1.1  |               60.2 |         2 of 3 rounds ok |      2.25 |            2,400 |     0.9150 |   passed |
| mlp        | tf 2.21     |  2.10 [1.82, 2.42] |             fastest, tie |      3.00 |            1,800 |     0.9200 |   passed |
| mlp        | torch 2.13  |  2.10 [1.70, 2.59] |   1.05 [0.795, 1.39] tie |      3.00 |            1,800 |     0.9200 |   passed |
| mlp        | theano 1.1  |  4.20 [3.64, 4.84] |           not comparable |      3.00 |            1,800 |     0.9200 |   failed |

- **gate failed** `mlp-theano-parity`: dense_1/kernel is off by 0.5, allowed is 0.001
- **timeout** `cnn-theano-r2`: stopped after 60 seconds
- Over 2 workloads (cpu, 2 threads), geometric means of the ratios: torch fastest; tf 1.38 [1.22, 1.57].
- torch: training time varies by more than 10% between rounds on 2 workloads (most: 98%, cnn). Close other programs, or measure more --repeats.
- tf: training time varies by more than 10% between rounds on cnn (most: 100%, cnn). Close other programs, or measure more --repeats.
- theano: training time varies by more than 10% between rounds on cnn (most: 67%, cnn). Close other programs, or measure more --repeats.
"""  # noqa: E501
    assert as_markdown(troubled()) == f"{CAPTION}\n{expected}"


def test_markdown_without_problems_and_notes_ends_with_the_table() -> None:
    steady = {("mlp", name): (1.0, 1.01, 1.02) for name in ("tf", "torch")}
    assert as_markdown(summary_of(made_run(steady))).rstrip("\n").endswith("|")


def test_several_readings_and_variants_are_told_apart() -> None:
    readings = [(job.model_copy(update={"read_at_epochs": [1, 2]}), result) for job, result in made_run() if result]
    paper = [
        (job.model_copy(update={"variant": "paper", "differs": ["Adam in place of SGD"]}), result)
        for job, result in readings
        if job.framework.name == "tf"
    ]
    summary = summary_of([*readings, *paper])
    names = {row[0] for row in rows(summary)}
    assert {"mlp (epoch 1)", "mlp (epoch 2)", "mlp (epoch 1, paper)", "mlp (epoch 2, paper)"} <= names
    words = {row[3] for row in rows(summary) if "paper" in row[0]}
    assert words == {"as published, never ranked"}
    assert "tf as published: Adam in place of SGD." in as_markdown(summary)


def test_stale_and_mixed_rows_are_named_in_the_table() -> None:
    summary = summary_of(made_run())
    summary.cells[0].stale = True
    summary.cells[1].mixed, summary.cells[1].comparable = True, False
    assert rows(summary)[0][1] == "torch 2.13 (stale)"
    assert rows(summary)[1][3] == "mixed environments"


def test_the_means_over_workloads_stand_below_the_table() -> None:
    (line,) = overall_lines(summary_of(made_run()))
    assert line.startswith("Over 2 workloads (cpu, 2 threads), geometric means of the ratios: torch fastest; tf 1.38 [")
    assert line.count(";") == 2


def test_a_run_that_is_not_its_suite_says_so() -> None:
    text = as_markdown(summary_of(made_run(), altered=["1 epochs", "at most 500 rows"]))
    assert text.startswith("Suite quick with 1 epochs, at most 500 rows, 3 rounds")


def test_markdown_has_a_row_for_each_cell_and_escapes_pipes() -> None:
    summary = summary_of(made_run())
    summary.cells[0].workload = "a|b"
    lines = [line for line in as_markdown(summary).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(summary.cells)
    assert all(line.replace("\\|", "").count("|") == len(HEADERS) + 1 for line in lines)
    assert lines[2].startswith("| a\\|b ")


# ---------------------------------------------------------------------------- the other formats


def test_json_is_exactly_the_summary() -> None:
    summary = troubled()
    text = TEXT_FORMATS["json"](summary)
    assert Summary.model_validate(json.loads(text)) == summary


def test_csv_has_a_line_for_each_cell_and_units_in_its_names() -> None:
    summary = troubled()
    lines = list(csv.DictReader(io.StringIO(as_csv(summary))))
    assert list(lines[0]) == [
        "variant",
        "workload",
        "dataset",
        "synthetic",
        "scale",
        "epochs",
        "framework",
        "version",
        "device",
        "threads",
        "train_rows",
        "batch_size",
        "rounds",
        "rounds_ok",
        "parity",
        "comparable",
        "stale",
        "mixed",
        "fastest",
        "tie",
        "predict_seconds",
        "predict_rows_per_second",
        "latency_seconds",
        "accuracy",
        "perplexity",
        "squared_error",
        "absolute_error",
        "epochs_to_target",
        "validation_accuracy",
        "test_loss",
        "build_seconds",
        "compile_cache",
        "spread",
        "first_epoch_factor",
        "other_cpus_busy",
        "cpus",
        "target_metric",
        "target_value",
        "constant_squared_error",
        "constant_absolute_error",
        "train_seconds_median",
        "train_seconds_low",
        "train_seconds_high",
        "ratio_median",
        "ratio_low",
        "ratio_high",
    ]
    assert [(line["workload"], line["framework"]) for line in lines] == [
        (c.workload, c.framework) for c in summary.cells
    ]
    first, theano = lines[0], lines[2]
    assert summary.cells[0].train_seconds is not None
    assert float(first["train_seconds_low"]) == summary.cells[0].train_seconds.low  # every digit
    assert (first["comparable"], first["fastest"], first["tie"]) == ("True", "True", "False")
    assert (theano["train_seconds_median"], theano["train_seconds_low"], theano["ratio_median"]) == ("60.25", "", "")


def test_latex_is_a_booktabs_table_with_its_signs_escaped() -> None:
    summary = summary_of(made_run())
    summary.cells[0].workload = "a_b&c%"
    text = as_latex(summary)
    assert text.startswith(f"% {CAPTION}\n\\begin{{tabular}}{{llrrrrrr}}\n\\toprule\n")
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")
    assert "training s [95\\%]" in text
    assert "a\\_b\\&c\\%" in text
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0]
    assert len(body.splitlines()) == len(summary.cells)
    assert all(line.endswith("\\\\") for line in body.splitlines())


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_every_format_names_every_framework_and_ends_its_last_line(name: str) -> None:
    text = TEXT_FORMATS[name](troubled())
    assert all(word in text for word in ("torch", "tf", "theano", "2.13", "mlp", "cnn"))
    assert text.endswith("\n")


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_every_format_takes_a_run_without_results(name: str) -> None:
    assert TEXT_FORMATS[name](summary_of([(job, None) for job, _ in made_run()]))
    assert TEXT_FORMATS[name](summary_of([]))


def printed(summary: Summary) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(as_rich(summary))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_the_same_rows_each_workload_named_once() -> None:
    summary = troubled()
    text = printed(summary)
    for row in rows(summary):
        assert all(part in text for part in row)
    assert sum(line.startswith(("│ mlp", "│ cnn")) for line in text.splitlines()) == 2


def test_the_terminal_shows_problems_and_notes_below_the_table() -> None:
    text = printed(summary_of(altered(made_run(), "mlp-tf-r0", status="failed", reason="[bold] no markup"), repeats=2))
    assert "failed: mlp-tf-r0: [bold] no markup" in text
    text = printed(summary_of(altered(made_run(), "mlp-tf-r0")))
    assert "note: 1 of 18 jobs have no result yet; bench orchestrate --run goes on with them." in text
