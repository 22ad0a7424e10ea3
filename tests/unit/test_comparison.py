"""Two runs compared: regressions are found and named, equal runs pass, and what is not the same is never compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from benchmarks.coverage import Noise, unchanged_rate
from orchestrator import comparison, errors, stats
from orchestrator.comparison import Comparison
from orchestrator.counterparts import Compared
from orchestrator.sides import Side
from orchestrator.summary import Pair
from tests.unit.made_runs import FAILED, INFO, bad_result, made_job, made_result, made_run
from tests.unit.test_docs import COMMANDS
from workers.spec import Environment, Job, Phases, Result

TORCH = {("mlp", "torch"): (2.0, 2.01, 2.02)}
ENVIRONMENT = Environment(
    engine="docker",
    recipe_hash="a" * 64,
    image_id="sha256:" + "1" * 64,
    python="3.11.7",
    versions={"torch": "2.13"},
    cpu_model="Xeon",
    cpu_count=2,
)
NOTHING: Mapping[str, Any] = {}
RUN_A, RUN_B = ({"name": name, "started": name, "host": {"cpus": 2, "system": "Linux"}} for name in "AB")


def side(
    times: Mapping[tuple[str, str], Sequence[float]] = TORCH,
    info: Mapping[str, Any] = RUN_B,
    job: Mapping[str, Any] | Callable[[Job], Mapping[str, Any]] = NOTHING,
    result: Mapping[str, Any] = NOTHING,
    environment: Mapping[str, Any] = NOTHING,
) -> Side:
    """Return a run in which these fields of every measured job, result and environment are others."""
    pairs: list[Pair] = []
    for made, outcome in made_run(times):
        if made.kind == "train" and outcome is not None:
            made = made.model_copy(update=dict(job(made) if callable(job) else job))
            there = ENVIRONMENT.model_copy(update=dict(environment))
            outcome = outcome.model_copy(update={"environment": there, "peak_rss_bytes": 2**20, **result})
        pairs.append((made, outcome))
    return Side(INFO.model_copy(update=dict(info)), pairs)


BEFORE = side(info=RUN_A)


def compared(after: Side, before: Side = BEFORE, **options: Any) -> Comparison:
    return comparison.compare(before, after, **options)


def only_row(found: Comparison) -> Compared:
    (row,) = found.rows
    return row


def slowed(factor: float) -> Side:
    return side({name: [factor * value for value in values] for name, values in TORCH.items()})


# ---------------------------------------------------------------------------- verdicts


def test_a_planted_regression_is_named_and_fails() -> None:
    found = compared(slowed(1.2))
    row = only_row(found)
    assert (row.verdict, row.beyond, row.how_sure) == ("slower", True, "surely over 5%")
    assert row.train_seconds.ratio is not None
    assert row.train_seconds.ratio.median == pytest.approx(1.2)
    assert found.exit_code == errors.WORSE == 6
    assert found.decided[0].startswith("Slower: torch on mlp.")


def test_equal_runs_pass() -> None:
    found = compared(side())
    assert (only_row(found).verdict, only_row(found).how_sure) == ("unchanged", "surely under 5%")
    assert found.exit_code == errors.OK
    assert found.decided == ["No row is slower by more than 5% for sure, and no score is worse."]
    assert only_row(found).changed == []


@pytest.mark.parametrize(
    ("factor", "threshold", "verdict", "how_sure", "code"),
    [
        (1.2, 1.05, "slower", "surely over 5%", 6),
        (1.2, 1.3, "slower", "surely under 30%", 0),
        (1.2, 1.19, "slower", "maybe over 19%", 0),
        (1.025, 1.05, "slower", "surely under 5%", 0),
        (1.025, 1.0, "slower", "surely over 0%", 6),
        (1.01, 1.05, "unchanged", "surely under 5%", 0),
        (1.01, 1.02, "unchanged", "maybe over 2%", 0),
        (1 / 1.2, 1.05, "faster", "surely over 5%", 0),
        (1 / 1.2, 1.3, "faster", "surely under 30%", 0),
        (1 / 1.2, 1.19, "faster", "maybe over 19%", 0),
    ],
)
def test_the_threshold_decides_by_the_whole_interval(
    factor: float, threshold: float, verdict: str, how_sure: str, code: int
) -> None:
    found = compared(slowed(factor), threshold=threshold)
    assert (only_row(found).verdict, only_row(found).how_sure, found.exit_code) == (verdict, how_sure, code)


def test_the_verdict_is_that_of_the_interval_of_two_runs() -> None:
    values, base = [2.1, 2.0, 2.3, 2.2], TORCH["mlp", "torch"]
    ratio = only_row(compared(side({("mlp", "torch"): values}))).train_seconds.ratio
    assert ratio is not None
    assert (ratio.median, ratio.low, ratio.high) == stats.unpaired_ratio(values, base)


@pytest.mark.parametrize("rounds", [3, 10])
def test_equal_runs_are_unchanged_in_95_of_100_simulated_comparisons(rounds: int) -> None:
    unchanged, failed = unchanged_rate(Noise(0.05), rounds, 600)
    assert unchanged >= 0.95
    assert failed <= 0.02


def test_narrower_intervals_would_call_equal_runs_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "FACTORS", tuple(0.7 * number for number in stats.FACTORS))
    assert unchanged_rate(Noise(0.05), 5, 200)[0] < 0.95


# ---------------------------------------------------------------------------- what is never compared


def another_model(job: Job) -> dict[str, Any]:
    (layer,) = job.model.layers
    wider = layer.model_copy(update={"output_shape": [6]})
    return {"model": job.model.model_copy(update={"layers": [wider]})}


def changed_in(name: str, **fields: Any) -> Callable[[Job], dict[str, Any]]:
    """Return what changes fields of one part of a job."""
    return lambda job: {name: getattr(job, name).model_copy(update=fields)}


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (side(environment={"cpu_model": "Epyc"}), "processor Xeon -> Epyc"),
        (side(environment={"cpu_model": None}), "processor Xeon -> none"),
        (side(environment={"cpu_count": 1}), "CPUs of a job 2 -> 1"),
        (side(environment={"gpu_model": "H100"}), "GPU none -> H100"),
        (side(info={**RUN_B, "host": {"cpus": 8, "system": "Linux"}}), "CPUs of the machine 2 -> 8"),
        (side(environment={"engine": "local"}), "engine docker -> local"),
        (side(job=changed_in("dataset", checksum="f" * 64)), "data none -> ffffffffffff"),
        (side(job=changed_in("dataset", train_rows=2)), "dataset train rows 1 -> 2"),
        (side(job=changed_in("model", weights_sha256="other")), "initial weights none -> other"),
        (side(job=another_model), "model layers 0 output shape 0 5 -> 6"),
        (side(job=changed_in("recipe", batch_size=32)), "recipe batch size 16 -> 32"),
        (side(job={"seed": 7}), "seed 1 -> 7"),
        (side(job={"scale": 0.5}), "scale 1.0 -> 0.5"),
        (side(job={"precision": "float64"}), "precision float32 -> float64"),
        (side(job={"parity": FAILED}), "the parity gate failed in B"),
        (side(job={"parity": None}), "the parity gate was not run in B"),
        (side({("mlp", "torch"): (2.0, 2.01)}), "under 3 rounds there is no interval"),
    ],
)
def test_what_is_not_the_same_is_not_comparable_and_says_why(after: Side, words: str) -> None:
    found = compared(after)
    row = only_row(found)
    assert row.verdict == "not comparable"
    assert any(reason.startswith(words) for reason in row.reasons), row.reasons
    assert (row.how_sure, row.scores, row.predict_seconds.ratio) == (None, [], None) or "rounds" in words
    assert found.exit_code == errors.NOT_COMPARED == 7
    assert "Not comparable: torch on mlp." in found.decided
    assert "No row could be compared, so nothing is decided." in found.decided


def with_results(results: Callable[[Job, Result], Result]) -> Side:
    return Side(BEFORE.info, [(job, results(job, result) if result and job.kind == "train" else result)
                              for job, result in BEFORE.pairs])  # fmt: skip


def test_a_round_that_is_not_ok_is_not_comparable() -> None:
    after = with_results(lambda job, result: bad_result(job, "timeout", "too long") if job.repeat == 1 else result)
    assert only_row(compared(after)).reasons == ["2 of 3 rounds are ok in B (others: timeout)"]
    assert only_row(compared(BEFORE, before=after)).reasons == ["2 of 3 rounds are ok in A (others: timeout)"]


def test_rounds_of_several_environments_or_hosts_are_not_comparable() -> None:
    def moved(field: str, value: str) -> Side:
        there = ENVIRONMENT.model_copy(update={field: value})
        return with_results(
            lambda job, result: result.model_copy(update={"environment": there}) if job.repeat == 2 else result
        )

    assert "its rounds ran in different environments in B" in only_row(compared(moved("recipe_hash", "b"))).reasons
    hosts = moved("cpu_model", "Epyc")
    assert only_row(compared(hosts, before=hosts)).reasons == [
        f"several hosts in {letter}: processor Epyc and Xeon" for letter in "AB"
    ]


def test_what_is_unsupported_in_both_runs_decides_nothing() -> None:
    times = {**TORCH, ("lstm", "torch"): (1.0, 1.0, 1.0)}

    def without_lstm(info: Mapping[str, Any]) -> Side:
        made = side(times, info)
        return Side(made.info, [(job, bad_result(job, "unsupported", "no lstm") if job.workload == "lstm" else result)
                                for job, result in made.pairs])  # fmt: skip

    found = compared(without_lstm(RUN_B), before=without_lstm(RUN_A))
    assert {row.workload: (row.verdict, row.unsupported) for row in found.rows} == {
        "mlp": ("unchanged", False),
        "lstm": ("not comparable", True),
    }
    assert found.exit_code == errors.OK
    assert compared(without_lstm(RUN_B), before=side(times, RUN_A)).exit_code == errors.NOT_COMPARED


def test_another_host_is_compared_where_that_is_asked_for_and_named() -> None:
    after = side(environment={"cpu_model": "Epyc"}, info={**RUN_B, "host": {"cpus": 8, "system": "Linux"}})
    row = only_row(compared(after, across_hosts=True))
    assert (row.verdict, row.reasons) == ("unchanged", [])
    assert row.changed == ["processor Xeon -> Epyc", "CPUs of the machine 2 -> 8"]


def test_a_regression_counts_beside_what_is_not_comparable() -> None:
    times = {**TORCH, ("cnn", "torch"): (1.0, 1.01, 1.02)}
    slower = {name: [2 * value for value in values] for name, values in times.items()}
    after = side(slower, job=lambda job: {"parity": FAILED} if job.workload == "cnn" else {})
    found = compared(after, before=side(times, RUN_A))
    assert found.exit_code == errors.WORSE
    assert [line.split(":")[0] for line in found.decided] == ["Slower", "Not comparable"]


def test_many_rows_are_counted_and_a_few_are_named() -> None:
    for count, words in ((5, "w0, w1, w2, w3, w4"), (6, "6 workloads")):
        times = {(f"w{number}", "torch"): (1.0, 1.01, 1.02) for number in range(count)}
        slower = {name: [2 * value for value in values] for name, values in times.items()}
        found = compared(side(slower), before=side(times, RUN_A))
        assert found.decided[0].startswith(f"Slower: torch on {words}. ")


def test_what_could_be_compared_is_decided_on_its_own() -> None:
    times = {**TORCH, ("cnn", "torch"): (1.0, 1.01, 1.02)}
    found = compared(
        side(times, job=lambda job: {"parity": FAILED} if job.workload == "cnn" else {}), before=side(times, RUN_A)
    )
    assert found.exit_code == errors.NOT_COMPARED
    assert found.decided == [
        "Of those that could be compared, none is slower by more than 5% for sure, and no score is worse.",
        "Not comparable: torch on cnn.",
    ]


# ---------------------------------------------------------------------------- what is named


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (side(environment={"recipe_hash": "b" * 64}), "recipe aaaaaaaaaaaa -> bbbbbbbbbbbb"),
        (side(environment={"image_id": "sha256:" + "2" * 64}), "image 111111111111 -> 222222222222"),
        (side(environment={"python": "3.12.1"}), "Python 3.11.7 -> 3.12.1"),
        (side(environment={"gpu_driver": "555"}), "GPU driver none -> 555"),
        (side(environment={"versions": {"torch": "2.13", "numpy": "2.4"}}), "numpy none -> 2.4"),
        (side(info={**RUN_B, "host": {"cpus": 2, "system": "Linux 7"}}), "system Linux -> Linux 7"),
        (side({("mlp", "torch"): (2.0, 2.01, 2.02, 2.0)}), "rounds 3 -> 4"),
        (side(job=changed_in("limits", memory_bytes=2**31)), "memory limit 1.0 GiB -> 2.0 GiB"),
        (side(job=changed_in("limits", cpu_set=[0, 1])), "CPUs none -> 0,1"),
        (side(job={"suite": "mine"}), None),
    ],
)
def test_what_ran_it_otherwise_is_compared_and_named(after: Side, words: str | None) -> None:
    found = compared(after)
    assert (only_row(found).verdict, found.exit_code) == ("unchanged", errors.OK)
    assert only_row(found).changed == ([words] if words else [])


def test_an_upgrade_is_compared_and_its_version_named_once() -> None:
    after = side(
        job=changed_in("framework", version="2.14"), environment={"versions": {"torch": "2.14"}, "recipe_hash": "b"}
    )
    row = only_row(compared(after))
    assert (row.verdict, row.version_a, row.version_b) == ("unchanged", "2.13", "2.14")
    assert row.changed == ["version 2.13 -> 2.14", "recipe aaaaaaaaaaaa -> b"]


def test_rows_of_one_run_alone_are_listed_and_decide_nothing() -> None:
    found = compared(
        side({**TORCH, ("cnn", "torch"): (1.0, 1.0, 1.0)}),
        before=side({**TORCH, ("mlp", "theano"): (1.0, 1.0, 1.0)}, RUN_A),
    )
    assert [(place.framework, place.workload) for place in found.only_a] == [("theano", "mlp")]
    assert [(place.framework, place.workload) for place in found.only_b] == [("torch", "cnn")]
    assert found.exit_code == errors.OK


def test_runs_with_nothing_in_common_decide_nothing_and_fail() -> None:
    found = compared(side({("cnn", "torch"): (1.0, 1.0, 1.0)}))
    assert (found.rows, found.exit_code) == ([], errors.NOT_COMPARED)
    assert found.decided == ["No row could be compared, so nothing is decided."]


def test_another_number_of_threads_or_epochs_is_another_row() -> None:
    for after in (side(job={"threads": 1}), side(job={"read_at_epochs": [1]})):
        found = compared(after)
        assert (len(found.rows), len(found.only_a), len(found.only_b)) == (0, 1, 1)


def test_each_reading_is_a_row() -> None:
    both = {"read_at_epochs": [1, 2]}
    found = compared(side(job=both), before=side(job=both, info=RUN_A))
    assert [(row.epochs, row.verdict) for row in found.rows] == [(1, "unchanged"), (2, "unchanged")]


def test_a_run_with_two_settings_in_one_place_is_matched_by_the_setting() -> None:
    def of_batch(size: int, seconds: float) -> list[Pair]:
        made = side({("mlp", "torch"): [seconds] * 3}, job=changed_in("recipe", batch_size=size))
        return list(made.pairs)

    before = Side(BEFORE.info, [*of_batch(16, 1.0), *of_batch(32, 4.0)])
    after = Side(side().info, [*of_batch(32, 4.0), *of_batch(16, 1.0)])
    assert [row.verdict for row in compared(after, before=before).rows] == ["unchanged", "unchanged"]
    for size, seconds in ((16, 1.0), (32, 4.0)):
        alone = compared(Side(side().info, of_batch(size, seconds)), before=before)
        assert ([row.verdict for row in alone.rows], len(alone.only_a)) == (["unchanged"], 1)


def test_the_same_run_twice_says_so() -> None:
    assert "A and B are one run" in compared(BEFORE).notes[0]
    assert not any("one run" in note for note in compared(side()).notes)


def test_another_suite_and_alterations_are_noted() -> None:
    found = compared(side(info={**RUN_B, "suite": "mine", "altered": ["scale 0.1"]}))
    assert any("A is of suite quick, B of mine" in note for note in found.notes)
    assert "What is altered in the suite differs: nothing -> scale 0.1." in found.notes


def test_hosts_of_which_nothing_is_known_are_noted() -> None:
    unknown = {"cpu_model": None}
    found = compared(side(environment=unknown), before=side(info=RUN_A, environment=unknown))
    assert only_row(found).verdict == "unchanged"
    assert any("No processor's model is known" in note for note in found.notes)


def test_noise_is_carried_from_either_run() -> None:
    loud = {("mlp", "torch"): (2.0, 2.5, 2.1)}
    found = compared(side(loud, environment={"other_cpus_busy": 1.5}))
    assert only_row(found).warnings == ["B: rounds spread over 24%", "B: others kept up to 1.5 CPUs busy"]
    assert [note.split(":")[0] for note in found.notes] == ["B", "B"]
    both = compared(side(loud), before=side(loud, RUN_A))
    assert any(note.startswith("A and B: torch: training time varies") for note in both.notes)


def test_a_noisy_row_is_never_said_to_be_sure() -> None:
    found = compared(side({("mlp", "torch"): (20.0, 25.0, 21.0)}))
    assert (only_row(found).verdict, only_row(found).how_sure, found.exit_code) == ("slower", "over 5%", errors.WORSE)
    assert found.decided[1].startswith("Noisy: torch on mlp.")
    loaded = compared(side(environment={"other_cpus_busy": 1.5}))
    assert (only_row(loaded).verdict, only_row(loaded).how_sure) == ("unchanged", "under 5%")
    assert not any("Noisy" in line for line in loaded.decided), "it decides nothing"


# ---------------------------------------------------------------------------- quantities and scores


def test_prediction_build_and_memory_are_compared_and_decide_nothing() -> None:
    after = side(
        result={"predict_seconds": [1.0], "phases": Phases(build_seconds=30.0), "peak_rss_bytes": 2**30},
    )
    before = side(
        info=RUN_A,
        result={"predict_seconds": [2.0], "phases": Phases(build_seconds=15.0, warm_up_seconds=15.0)},
    )
    found = compared(after, before=before)
    row = only_row(found)
    assert (row.predict_seconds.change, row.build_seconds.change, row.peak_rss_bytes.change) == (
        "lower",
        "unchanged",
        "higher",
    )
    assert (row.peak_rss_bytes.a, row.peak_rss_bytes.b) == (2**20, 2**30)
    assert found.exit_code == errors.OK


def test_builds_with_a_cold_and_a_warm_cache_are_not_held_to_each_other() -> None:
    after = side(environment={"compile_cache": "cold"})
    row = only_row(compared(after, before=side(info=RUN_A, environment={"compile_cache": "warm"})))
    assert (row.verdict, row.build_seconds.ratio) == ("unchanged", None)
    assert row.changed == ["compile cache warm -> cold"]


def with_scores(info: Mapping[str, Any], **scores: float | None) -> Side:
    made = side(info=info)
    pairs: list[Pair] = []
    for job, result in made.pairs:
        if job.kind == "train" and result is not None:
            *first, last = result.epochs
            result = result.model_copy(update={"epochs": [*first, last.model_copy(update=scores)]})
        pairs.append((job, result))
    return Side(made.info, pairs)


@pytest.mark.parametrize(
    ("metric", "before", "after", "change", "code"),
    [
        ("accuracy", 0.98, 0.97, "unchanged", 0),
        ("accuracy", 0.98, 0.96, "worse", 6),
        ("accuracy", 0.96, 0.98, "better", 0),
        ("validation_accuracy", 0.98, 0.9, "worse", 6),
        ("perplexity", 100.0, 104.0, "unchanged", 0),
        ("perplexity", 100.0, 106.0, "worse", 6),
        ("perplexity", 100.0, 90.0, "better", 0),
        ("squared_error", 0.1, 0.2, "worse", 6),
        ("absolute_error", 0.2, 0.1, "better", 0),
    ],
)
def test_a_score_beyond_its_tolerance_is_better_or_worse(
    metric: str, before: float, after: float, change: str, code: int
) -> None:
    scores = {"accuracy": None, metric: before}
    found = compared(with_scores(RUN_B, **{**scores, metric: after}), before=with_scores(RUN_A, **scores))
    (score,) = only_row(found).scores
    assert (score.metric, score.a, score.b, score.change) == (metric, before, after, change)
    assert only_row(found).verdict == "unchanged"
    assert found.exit_code == code
    assert any(line.startswith("Worse: torch on mlp.") for line in found.decided) is (change == "worse")


def test_scores_of_random_data_are_not_compared() -> None:
    synthetic = changed_in("dataset", synthetic=True)
    assert only_row(compared(side(job=synthetic), before=side(info=RUN_A, job=synthetic))).scores == []


def test_the_command_has_the_threshold_that_is_the_modules() -> None:
    (option,) = (item for item in COMMANDS["compare"].params if item.name == "threshold")
    assert option.default == comparison.THRESHOLD


def test_the_document_is_valid_and_complete() -> None:
    found = compared(slowed(1.2))
    again = Comparison.model_validate_json(found.model_dump_json())
    assert again == found
    assert (again.exit_code, again.run_a.name, again.run_b.name) == (6, "A", "B")


def test_a_made_job_and_result_are_as_the_tests_assume() -> None:
    job = made_job("mlp", "torch")
    assert (job.seed, job.recipe.batch_size, job.dataset.train_rows) == (1, 16, 1)
    assert made_result(job).train_seconds == 1.0
