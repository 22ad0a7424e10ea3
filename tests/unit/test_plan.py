"""From names and flags to jobs: every mistake at once, rounds in rotation, ids that hash what decides the outcome."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.catalogue import FRAMEWORKS, spellings
from orchestrator.errors import UsageError
from orchestrator.plan import Plan, identified, make_plan, reference_job
from orchestrator.request import Request
from orchestrator.suite import SUITES_DIR, load_suite
from orchestrator.weights import draw
from tests.alterations import BASES, alterations
from workers.spec import Job, Limits, Verdict, arrays_sha256

CPUS = [2, 3, 5, 7]
ALTERATIONS = list(alterations())


def plan(frameworks: str = "tf,torch,theano", **options: Any) -> Plan:
    return make_plan(Request(frameworks=frameworks, **options), CPUS)


def mistakes(frameworks: str = "tf", **options: Any) -> list[str]:
    with pytest.raises(UsageError) as caught:
        plan(frameworks, **options)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


# ---------------------------------------------------------------------------- mistakes

SPELLINGS = ", ".join(sorted([*spellings(), "all", "all-modes", "all-versions"]))


@pytest.mark.parametrize(
    ("frameworks", "mistake"),
    [
        ("tensorfow", f"Unknown framework 'tensorfow'. Did you mean 'tensorflow'? Allowed: {SPELLINGS}."),
        ("pytorh", f"Unknown framework 'pytorh'. Did you mean 'pytorch'? Allowed: {SPELLINGS}."),
        ("tf,teano", f"Unknown framework 'teano'. Did you mean 'theano'? Allowed: {SPELLINGS}."),
        ("tf,zzz", f"Unknown framework 'zzz'. Allowed: {SPELLINGS}."),
        ("tf,", f"Unknown framework ''. Allowed: {SPELLINGS}."),
    ],
)
def test_an_unknown_framework_is_told_the_nearest(frameworks: str, mistake: str) -> None:
    assert mistakes(frameworks) == [mistake]


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"workloads": "mpl"}, "Unknown workload 'mpl' in suite 'quick'. Did you mean 'mlp'? Allowed: cnn, lstm, mlp."),
        ({"threads": [0]}, "--threads is 0; it must be from 1 to 1024."),
        ({"threads": [1025]}, "--threads is 1025; it must be from 1 to 1024."),
        ({"repeats": 0}, "--repeats is 0; it must be at least 1."),
        ({"repeats": -1}, "--repeats is -1; it must be at least 1."),
        ({"seed": -1}, "--seed is -1; it must be from 0 to 2147483647."),
        ({"seed": 2**31}, "--seed is 2147483648; it must be from 0 to 2147483647."),
        ({"timeout_seconds": 0.0}, "--timeout is 0; it must be more than 0 and at most 1000000000 seconds."),
        ({"timeout_seconds": -5.0}, "--timeout is -5; it must be more than 0 and at most 1000000000 seconds."),
        ({"timeout_seconds": math.nan}, "--timeout is nan; it must be more than 0 and at most 1000000000 seconds."),
        ({"timeout_seconds": math.inf}, "--timeout is inf; it must be more than 0 and at most 1000000000 seconds."),
        ({"memory_bytes": 2**20}, "--memory is 1048576 bytes; it must be at least 64 MiB."),
    ],
)
def test_a_bad_option(options: dict[str, Any], mistake: str) -> None:
    assert mistakes(**options) == [mistake]


def test_every_mistake_is_told_at_once() -> None:
    found = mistakes("tensorfow,pytorh", workloads="mpl,cnn,rnn", threads=[0], repeats=-1, seed=-1, timeout_seconds=0.0)
    assert [text.split(".")[0].split(";")[0] for text in found] == [
        "Unknown framework 'tensorfow'",
        "Unknown framework 'pytorh'",
        "Unknown workload 'mpl' in suite 'quick'",
        "Unknown workload 'rnn' in suite 'quick'",
        "--threads is 0",
        "--repeats is -1",
        "--seed is -1",
        "--timeout is 0",
    ]


def test_mistakes_of_the_suite_stand_with_those_of_the_options() -> None:
    assert [text.split(".")[0] for text in mistakes("tf", suite="quik", threads=[0])] == [
        "Unknown suite 'quik'",
        "--threads is 0; it must be from 1 to 1024",
    ]


# ---------------------------------------------------------------------------- what is planned


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("tensorflow,pytorch", ["tf", "torch"]),
        ("torch,tf", ["torch", "tf"]),
        ("tf,tensorflow,TF", ["tf"]),
        (" Torch , theano", ["torch", "theano"]),
        ("numpy", ["numpy"]),
        ("all", [name for name in FRAMEWORKS if name != "numpy"]),
        ("theano,all", ["theano", *[name for name in FRAMEWORKS if name not in ("numpy", "theano")]]),
    ],
)
def test_frameworks_by_any_name_each_once(words: str, names: list[str]) -> None:
    assert plan(words).frameworks == names


def test_rounds_rotate_the_frameworks_within_each_workload() -> None:
    found = plan(repeats=4, workloads="mlp,cnn")
    order = [(job.repeat, job.workload, job.framework.name) for job in found.train]
    rotations = [["tf", "torch", "theano"], ["theano", "tf", "torch"], ["torch", "theano", "tf"]]
    assert order == [
        (repeat, workload, name)
        for repeat in range(4)
        for workload in ("mlp", "cnn")
        for name in rotations[repeat % 3]
    ]  # fmt: skip


def test_the_suite_says_how_many_rounds_unless_asked() -> None:
    assert len(plan("tf").train) == 3 * 3
    assert len(plan("tf", repeats=1).train) == 3


def test_workloads_are_chosen_in_the_order_asked() -> None:
    assert [workload.name for workload in plan("tf", workloads="lstm, mlp,lstm").workloads] == ["lstm", "mlp"]


def test_one_gate_for_each_framework_and_workload() -> None:
    gates = plan().parity
    assert [(job.workload, job.framework.name) for job in gates] == [
        (workload, name) for workload in ("mlp", "cnn", "lstm") for name in ("tf", "torch", "theano")
    ]
    assert {job.kind for job in gates} == {"parity"}


@pytest.mark.parametrize(("threads", "cpu_set", "expected"), [(None, CPUS, 4), ([2], [2, 3], 2), ([6], CPUS, 6)])
def test_a_job_gets_as_many_cpus_as_threads(threads: list[int] | None, cpu_set: list[int], expected: int) -> None:
    jobs = plan("tf", threads=threads).train
    assert {job.threads for job in jobs} == {expected}
    assert all(job.limits.cpu_set == cpu_set for job in jobs)


def test_limits_are_those_asked() -> None:
    job = plan("tf", timeout_seconds=5.0, memory_bytes=2**30).train[0]
    assert (job.limits.timeout_seconds, job.limits.memory_bytes) == (5.0, 2**30)


def test_a_job_is_complete_in_itself() -> None:
    job = plan("torch", workloads="mlp").train[0]
    (workload,) = [item for item in load_suite("quick").workloads if item.name == "mlp"]
    assert (job.kind, job.suite, job.workload, job.device, job.precision) == ("train", "quick", "mlp", "cpu", "float32")
    assert (job.framework.name, job.framework.version) == ("torch", FRAMEWORKS["torch"].version)
    assert (job.dataset.name, job.dataset.train_rows, job.dataset.test_rows) == ("digits", 1437, 360)
    assert job.recipe == workload.recipe
    assert [item.layer for item in job.model.layers] == workload.layers
    assert job.model.parameter_count == 17226
    assert job.parity is None


def test_a_framework_without_the_device_is_planned_all_the_same() -> None:
    """The run says why its jobs are unsupported."""
    jobs = plan("torch,theano", gpu=True).train
    assert {(job.framework.name, job.device) for job in jobs} == {("torch", "gpu"), ("theano", "gpu")}


# ---------------------------------------------------------------------------- seeds and weights


def test_each_repeat_has_its_own_seed_and_weights_the_same_for_every_framework() -> None:
    found = plan(seed=40)
    assert {(job.repeat, job.seed) for job in found.train} == {(0, 40), (1, 41), (2, 42)}
    assert {job.seed for job in found.parity} == {40}
    hashes = {(job.workload, job.repeat, job.model.weights_sha256) for job in found.train}
    assert len(hashes) == 3 * 3  # one for each workload and repeat, whatever the framework
    assert {digest for _, _, digest in hashes} == set(found.weights)
    assert len(found.weights) == 3 * 3


def test_the_weights_are_drawn_from_the_jobs_own_seed() -> None:
    found = plan("tf", workloads="mlp")
    for job in found.train:
        weights = found.weights[job.model.weights_sha256].arrays()
        assert arrays_sha256(weights) == job.model.weights_sha256
        again = draw(job.model.layers, job.model.initialisers, job.seed)
        for name, array in again.items():
            np.testing.assert_array_equal(weights[name], array)


def test_the_suites_own_seed_is_taken_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    quick = (SUITES_DIR / "quick.yaml").read_text(encoding="utf-8")
    path.write_text(quick.replace("repeats: 3", "repeats: 2\nseed: 7"))
    assert {job.seed for job in plan("tf", suite=str(path)).train} == {7, 8}
    assert {job.seed for job in plan("tf", suite=str(path), seed=0).train} == {0, 1}


# ---------------------------------------------------------------------------- identity


def ids(**options: Any) -> list[str]:
    return [job.id for job in plan(**options).train]


def test_an_id_is_readable_and_unique() -> None:
    found = plan(threads=[2])
    first = found.train[0].id
    assert first.startswith("mlp-tf-cpu-t2-r0-")
    assert len(first.removeprefix("mlp-tf-cpu-t2-r0-")) == 12
    assert found.parity[0].id.startswith("mlp-tf-cpu-t2-parity-")
    everything = [job.id for job in (*found.train, *found.parity)]
    assert len(set(everything)) == len(everything)


def test_ids_are_stable() -> None:
    assert ids() == ids()


def test_more_rounds_keep_the_ids_of_the_first() -> None:
    assert set(ids(repeats=2)) < set(ids(repeats=3))


@pytest.mark.parametrize("options", [{"timeout_seconds": 5.0}, {"memory_bytes": 2**30}])
def test_limits_are_no_part_of_an_id(options: dict[str, Any]) -> None:
    assert ids(**options) == ids()


@pytest.mark.parametrize("options", [{"seed": 2}, {"threads": [2]}, {"gpu": True}], ids=str)
def test_options_that_decide_the_outcome_change_every_id(options: dict[str, Any]) -> None:
    assert not set(ids(repeats=1, **options)) & set(ids(repeats=1))


def hashed(job: Job) -> str:
    """Return the part of an id that hashes, without the words before it."""
    return identified(job, "torch", "train").id.rsplit("-", 1)[-1]


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=[item.name for item in ALTERATIONS])
def test_every_field_of_layers_and_recipe_changes_the_id(alteration: Any) -> None:
    assert hashed(alteration.job) != hashed(BASES[alteration.base])


MLP = BASES["mlp"]
CHANGES: dict[str, Callable[[], Job]] = {
    "batch size": lambda: changed(recipe=MLP.recipe.model_copy(update={"batch_size": 17})),
    "epochs": lambda: changed(recipe=MLP.recipe.model_copy(update={"epochs": 2})),
    "seed": lambda: changed(seed=2),
    "repeat": lambda: changed(repeat=1),
    "threads": lambda: changed(threads=2),
    "device": lambda: changed(device="gpu"),
    "precision": lambda: changed(precision="float64"),
    "variant": lambda: changed(variant="paper"),
    "suite": lambda: changed(suite="other"),
    "workload": lambda: changed(workload="other"),
    "dataset": lambda: changed(dataset=MLP.dataset.model_copy(update={"name": "other"})),
    "dataset checksum": lambda: changed(dataset=MLP.dataset.model_copy(update={"checksum": "other"})),
    "training rows": lambda: changed(dataset=MLP.dataset.model_copy(update={"train_rows": 2})),
    "test rows": lambda: changed(dataset=MLP.dataset.model_copy(update={"test_rows": 2})),
    "scale of the input": lambda: changed(inputs=[MLP.inputs[0].model_copy(update={"scale": 0.5})]),
    "initial weights": lambda: changed(model=MLP.model.model_copy(update={"weights_sha256": "other"})),
}


def changed(**fields: Any) -> Job:
    return MLP.model_copy(update=fields)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_decides_the_outcome_changes_the_id(change: str) -> None:
    assert hashed(CHANGES[change]()) != hashed(MLP)


def test_the_kind_of_job_and_the_framework_change_the_id() -> None:
    found = [identified(MLP, name, kind) for name in ("tf", "torch") for kind in ("train", "parity")]
    assert len({job.id.rsplit("-", 1)[-1] for job in found}) == 4


def test_another_version_of_the_framework_changes_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hashed(MLP)
    monkeypatch.setattr("orchestrator.catalogue.FrameworkEntry.version", "0.0.0")
    assert hashed(MLP) != before


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "other"},
        {"limits": Limits(timeout_seconds=1.0, memory_bytes=1, cpu_set=[9])},
        {"reference_sha256": "other"},
        {"parity": Verdict(passed=False, reason="off")},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_does_not_decide_the_outcome_leaves_the_id(fields: dict[str, Any]) -> None:
    assert hashed(changed(**fields)) == hashed(MLP)


def test_the_reference_of_a_workload_is_one_job_for_all_frameworks() -> None:
    gates = [job for job in plan(gpu=True).parity if job.workload == "mlp"]
    references = {reference_job(job).id for job in gates}
    assert len(references) == 1
    job = reference_job(gates[0])
    assert (job.framework.name, job.kind, job.precision, job.device, job.threads) == (
        "numpy",
        "parity",
        "float64",
        "cpu",
        1,
    )


# ---------------------------------------------------------------------------- what a request alters


STUDY = """
paper:
  tf:
    stands_for: TensorFlow 0.7
    differs: [Adam in place of SGD]
    optimiser: {kind: adam, learning_rate: 0.01}
  torch:
    stands_for: Torch7
    differs: [one model trains on]
    not_replayed: [Lua]
    train_rows: 1000
    trains_on: true
    only:
      - workloads: [cnn]
        differs: [one image at a time]
        evaluation_batch_size: 1
"""


@pytest.fixture
def studied(tmp_path: Path) -> str:
    """The file of the quick suite with a study's variant of it."""
    path = tmp_path / "studied.yaml"
    path.write_text((SUITES_DIR / "quick.yaml").read_text(encoding="utf-8") + STUDY)
    return str(path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"epochs": [3]}, (3, [3], 32, 1437)),
        ({"epochs": [5, 1]}, (5, [1, 5], 32, 1437)),
        ({"batch_size": 64}, (20, [], 64, 1437)),
        ({"limit_rows": 500}, (20, [], 32, 500)),
        ({"limit_rows": 10**6}, (20, [], 32, 1437)),
    ],
)
def test_a_request_overrides_the_suite(options: dict[str, Any], expected: tuple[Any, ...]) -> None:
    job = plan("tf", workloads="mlp", **options).train[0]
    assert (job.recipe.epochs, job.read_at_epochs, job.recipe.batch_size, job.dataset.train_rows) == expected
    assert job.dataset.test_rows == min(360, options.get("limit_rows", 360))
    assert bool(Request(**options).alterations()) is True


def test_what_is_read_of_a_training_is_no_part_of_its_identity() -> None:
    assert ids(epochs=[10], workloads="cnn") == ids(epochs=[1, 10], workloads="cnn") == ids(workloads="cnn")


def test_every_thread_count_is_measured_in_every_round() -> None:
    found = plan("tf", workloads="mlp", threads=[1, 3])
    assert [(job.repeat, job.threads, job.limits.cpu_set) for job in found.train] == [
        (repeat, threads, CPUS[:threads]) for repeat in range(3) for threads in (1, 3)
    ]
    assert [job.threads for job in found.parity] == [1, 3]


def test_the_variant_of_a_study_has_its_frameworks_as_they_were(studied: str) -> None:
    found = plan("tf,torch,theano", suite=studied, variant="both", workloads="mlp")
    by_variant = {
        variant: [job for job in found.train if job.variant == variant and job.repeat == 1]
        for variant in ("matched", "paper")
    }
    assert {job.framework.name for job in by_variant["matched"]} == {"tf", "torch", "theano"}
    tf, torch = sorted(by_variant["paper"], key=lambda job: job.framework.name)
    assert (tf.recipe.optimiser.kind, tf.seed, tf.carried_epochs) == ("adam", 2, 0)
    assert tf.differs == ["Adam in place of SGD"]
    assert (torch.dataset.train_rows, torch.differs) == (1000, ["one model trains on", "not replayed: Lua"])
    assert found.left_out == ["theano: quick did not have it, so it has no row of variant paper"]
    assert len({job.id for job in (*found.train, *found.parity)}) == len(found.train) + len(found.parity)


def test_what_a_study_had_on_some_workloads_alone_is_in_their_jobs_with_its_words(studied: str) -> None:
    jobs = {job.workload: job for job in plan("torch", suite=studied, variant="paper").train}
    assert {name: job.recipe.evaluation_batch_size for name, job in jobs.items()} == {"mlp": 512, "cnn": 1, "lstm": 512}
    assert jobs["cnn"].differs == ["one model trains on", "one image at a time", "not replayed: Lua"]
    assert "one image at a time" not in jobs["lstm"].differs


def test_a_model_that_trains_on_carries_the_epochs_of_the_repeats_before(studied: str) -> None:
    jobs = plan("torch", suite=studied, variant="paper", workloads="mlp").train
    assert [(job.repeat, job.carried_epochs, job.seed) for job in jobs] == [(0, 0, 1), (1, 20, 1), (2, 40, 1)]
    assert len({job.model.weights_sha256 for job in jobs}) == 1


def test_a_variant_that_is_not_there_is_a_mistake(studied: str) -> None:
    assert mistakes(variant="papper")[0].startswith("Unknown variant 'papper'. Did you mean 'paper'?")
    assert mistakes(variant="paper") == [
        "Suite 'quick' repeats no study that had its frameworks differ: it has no variant paper."
    ]
    assert mistakes("theano", suite=studied, variant="both") == [
        "Variant paper of 'quick' has none of these frameworks. It has: tf, torch."
    ]


def test_a_mode_is_in_a_jobs_name_and_framework() -> None:
    labels = [label for label in spellings().values() if {":", "@"} & set(label)]
    for label in labels:
        (job,) = plan(label, workloads="mlp", repeats=1).train
        assert job.framework.label == label
        assert label.replace(":", "-").replace("@", "-") in job.id
    everything = {label for label in spellings().values() if label != "numpy"}
    assert set(plan("all-versions").frameworks) == everything
    assert set(plan("all-modes").frameworks) == {label for label in everything if "@" not in label}


def test_another_version_is_another_row_of_its_own_name() -> None:
    (own, other) = plan("torch,torch@1.6.0", workloads="mlp", repeats=1).train
    assert (own.framework.label, other.framework.label) == ("torch", "torch@1.6.0")
    assert other.framework.version == "1.6.0"
    assert own.id != other.id
    assert "torch-1.6.0" in other.id
