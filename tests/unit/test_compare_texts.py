"""What bench compare prints: the decision, the table, what changed, in each format; names with markup stay text."""

import csv
import io
import json
import re

import pytest

from orchestrator.comparison import Comparison, compare
from orchestrator.report.compare import TEXT_FORMATS, as_csv, as_markdown, as_text
from tests.unit.made_runs import FAILED
from tests.unit.test_comparison import RUN_A, RUN_B, TORCH, changed_in, side, slowed, with_scores

SLOWER = compare(side(info=RUN_A), slowed(1.2))
UPGRADED = compare(
    side({**TORCH, ("cnn", "theano"): (1.0, 1.0, 1.0)}, RUN_A),
    side({**TORCH, ("cnn", "torch"): (1.0, 1.0, 1.0)}, job=changed_in("framework", version="2.14")),
)
BROKEN = compare(side(info=RUN_A), side(job={"parity": FAILED}))


def table_of(text: str) -> list[dict[str, str]]:
    """Return the first Markdown table of a text, a dict a row."""
    lines = re.findall(r"^\|.*$", re.split(r"\n\n", text[text.index("| workload") :])[0], re.MULTILINE)
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_markdown_says_the_decision_first_and_the_ratio_in_its_row() -> None:
    text = as_markdown(SLOWER)
    assert text.startswith(
        "**Slower: torch on mlp. The whole interval of the training time's ratio lies above 1.05.**\n"
    )
    (row,) = table_of(text)
    assert (row["workload"], row["framework"], row["verdict"]) == ("mlp", "torch", "slower, surely over 5%")
    assert row["training s, A -> B"] == "2.01 -> 2.41"
    assert re.fullmatch(r"1\.20 \[1\.1\d, 1\.2\d\]", row["B / A [95%]"])
    assert row["score"] == "accuracy 0.9200 -> 0.9200"


def test_markdown_folds_what_did_not_move_and_where_runs_come_from_and_nothing_else() -> None:
    shown, *folded = re.split(r"<details>\n(.*?)</details>\n", as_markdown(UPGRADED), flags=re.DOTALL)
    unchanged, between, origins, end = folded
    assert "| workload" not in shown
    assert unchanged.startswith("<summary>1 unchanged</summary>\n\n|")
    assert table_of(unchanged)[0]["framework"] == "torch 2.13 -> 2.14"
    assert "- torch on mlp: version 2.13 -> 2.14" in between
    assert "- theano on cnn: only in A" in between
    assert "- torch on cnn: only in B" in between
    assert "bench orchestrate" in origins
    assert "| system" in origins
    assert end == ""


def test_a_row_whose_verdict_is_unchanged_but_whose_score_moved_is_not_folded() -> None:
    text = as_markdown(compare(with_scores(RUN_A, accuracy=0.98), with_scores(RUN_B, accuracy=0.9)))
    assert "accuracy 0.9800 -> 0.9000 worse (over 0.01)" in text.split("<details>")[0]


def test_why_a_row_is_not_comparable_is_said_in_every_text() -> None:
    for text in (as_markdown(BROKEN), as_text(BROKEN), as_csv(BROKEN), TEXT_FORMATS["json"](BROKEN)):
        assert "the parity gate failed in B" in " ".join(text.split())
        assert "not comparable" in text


def test_a_workload_named_in_markup_stays_text() -> None:
    named = {"workload": "<img src=x onerror=alert(1)>|[b]"}
    found = compare(side(info=RUN_A, job=named), side(job={**named, "parity": FAILED}))
    text = as_markdown(found)
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)>\\|[b]" in text
    assert named["workload"] in as_text(found), "nor is it taken for the terminal's markup"


def test_json_is_the_document() -> None:
    assert Comparison.model_validate(json.loads(TEXT_FORMATS["json"](SLOWER))) == SLOWER


def test_csv_has_a_line_for_every_row_those_of_one_run_too() -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(UPGRADED))))
    assert [(line["framework"], line["workload"], line["verdict"]) for line in lines] == [
        ("torch", "mlp", "unchanged"),
        ("theano", "cnn", "only in A"),
        ("torch", "cnn", "only in B"),
    ]
    first = lines[0]
    assert (first["run_a"], first["run_b"], first["version_b"], first["changed"]) == (
        "A",
        "B",
        "2.14",
        "version 2.13 -> 2.14",
    )
    ratio = UPGRADED.rows[0].train_seconds.ratio
    assert ratio is not None
    assert float(first["train_seconds_ratio_high"]) == ratio.high, "nothing is rounded"
    assert (first["accuracy_a"], first["accuracy_change"], first["perplexity_a"]) == ("0.92", "unchanged", "")


def test_a_score_that_moved_is_shown_with_its_tolerance() -> None:
    found = compare(with_scores(RUN_A, perplexity=100.0), with_scores(RUN_B, perplexity=120.0))
    (row,) = table_of(as_markdown(found))
    assert row["score"] == "accuracy 0.9200 -> 0.9200; perplexity 100.0 -> 120.0 worse (over 5%)"


def test_a_quantity_is_called_higher_or_lower_beyond_the_threshold_alone() -> None:
    for used, words in ((1.001, "1.00"), (1.2, "1.20 higher"), (0.5, "0.500 lower")):
        found = compare(side(info=RUN_A), side(result={"peak_rss_bytes": int(2**20 * used)}))
        assert found.rows[0].peak_rss_bytes.change in ("higher", "lower")
        assert table_of(as_markdown(found))[0]["memory"] == words


def test_readings_and_variants_are_told_apart() -> None:
    both = {"read_at_epochs": [1, 2]}
    names = [row["workload"] for row in table_of(as_markdown(compare(side(info=RUN_A, job=both), side(job=both))))]
    assert names == ["mlp (epoch 1)", "mlp (epoch 2)"]
    paper = {"variant": "paper"}
    (row,) = table_of(as_markdown(compare(side(info=RUN_A, job=paper), side(job=paper))))
    assert (row["workload"], row["verdict"]) == ("mlp (paper)", "unchanged, surely under 5%")


def test_runs_with_nothing_in_common_are_readable() -> None:
    found = compare(side(info=RUN_A), side({("cnn", "torch"): (1.0, 1.0, 1.0)}))
    assert as_markdown(found).startswith("**No row could be compared, so nothing is decided.**\n")
    assert "torch on mlp: only in A" in as_markdown(found)
    assert "torch on mlp: only in A" in as_text(found)
    assert len(as_csv(found).splitlines()) == 3


@pytest.mark.parametrize("format", TEXT_FORMATS)
def test_every_format_ends_in_one_line_end_and_has_no_colours(format: str) -> None:
    text = TEXT_FORMATS[format](SLOWER)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\x1b" not in text
