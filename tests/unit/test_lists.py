"""What ``bench frameworks`` and ``bench suites`` print: every framework, mode, layer kind, suite and workload."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from orchestrator.capabilities import layer_kinds
from orchestrator.catalogue import FRAMEWORKS, Mode
from orchestrator.doctor import Finding
from orchestrator.report import lists
from orchestrator.suite import Suite, load_suite
from workers.spec import LSTM, SGD, Activation, Conv2D, Dense, MaxPool2D, StepDecay, Target


def printed(table: Table) -> list[str]:
    """Return the lines of a table as a pipe gets them."""
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def row(table: Table, name: str) -> list[str]:
    (line,) = [line for line in printed(table) if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_mode_is_a_row_below_its_framework() -> None:
    entry = replace(FRAMEWORKS["torch"], modes={"fast": Mode("PyTorch, faster", {"cpu": "requirements.txt"})})
    table = lists.frameworks([entry])
    assert row(table, "torch")[:3] == ["torch", "pytorch", "PyTorch"]
    assert row(table, "torch:fast") == ["torch:fast", "", "PyTorch, faster", entry.version, entry.python, "cpu"]


def test_every_layer_kind_is_a_row_with_a_cell_for_each_framework() -> None:
    table = lists.layers(list(FRAMEWORKS.values()))
    for kind in layer_kinds():
        name, *cells = row(table, kind)
        assert name == kind
        assert len(cells) == len(FRAMEWORKS)
        assert set(cells) <= {"●", "○", "-"}
    names = list(FRAMEWORKS)
    assert row(table, "lstm")[1 + names.index("numpy")] == "●"
    assert row(table, "lstm")[1 + names.index("theano")] == "○"


def test_what_is_composed_is_said_in_the_workers_words() -> None:
    lines = lists.composed([FRAMEWORKS["numpy"], FRAMEWORKS["torch"]])
    assert "torch: lstm: one bias: nn.LSTM's second bias is zero and frozen" in lines
    assert all(line.startswith("torch: ") for line in lines)


@pytest.fixture
def quick() -> Suite:
    return load_suite("quick")


def test_a_suite_is_a_row_and_square_brackets_stay(quick: Suite) -> None:
    table = lists.suites([quick.model_copy(update={"title": "[bold] is a word here"})])
    assert row(table, "quick") == ["quick", "[bold] is a word here", "3", "3", "digits", "matched"]


def test_a_suites_workloads_have_layers_and_recipe_in_a_line_each(quick: Suite) -> None:
    lines = lists.suite_lines(quick)
    assert lines[0] == f"quick: {quick.title}"
    assert lines[1] == "3 repeats, variants: matched"
    place = lines.index("mlp: digits, 17,226 parameters")
    assert lines[place + 1 : place + 3] == [
        "  layers: flatten, dense 128, tanh, dense 64, relu, dense 10",
        "  recipe: sgd 0.05 momentum=0.9 nesterov=True, batch 32, 20 epochs",
    ]
    assert sum(line.startswith("  layers: ") for line in lines) == len(quick.workloads)


def test_what_a_suite_repeats_and_what_is_ours_is_told(quick: Suite) -> None:
    mlp = quick.workloads[0].model_copy(
        update={
            "source": "Table 3",
            "ours": ["the rate", "three repeats"],
            "validation_split": 0.2,
            "target": Target(metric="accuracy", value=0.9),
        }
    )
    suite = quick.model_copy(update={"workloads": [mlp], "frameworks": ["all", "torch@1.6.0"], "threads": [1, 2]})
    lines = lists.suite_lines(suite)
    assert lines[2:4] == ["frameworks where none are named: all, torch@1.6.0", "threads where none are named: 1, 2"]
    assert lines[-4:] == [
        "  recipe: sgd 0.05 momentum=0.9 nesterov=True, batch 32, 20 epochs, validation_split 0.2, until accuracy 0.9",
        "  source: Table 3",
        "  ours: the rate",
        "  ours: three repeats",
    ]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (Dense(kind="dense", units=10), "dense 10"),
        (Dense(kind="dense", units=10, bias=False), "dense 10 bias=False"),
        (Activation(kind="activation", function="relu"), "relu"),
        (Conv2D(kind="conv2d", filters=8, kernel_size=(3, 5), padding="same"), "conv2d 8 3x5 padding=same"),
        (MaxPool2D(kind="maxpool2d"), "maxpool2d"),
        (MaxPool2D(kind="maxpool2d", pool_size=(3, 3)), "maxpool2d pool_size=3x3"),
        (LSTM(kind="lstm", units=32, output="sequence"), "lstm 32 output=sequence"),
        (SGD(kind="sgd", learning_rate=1e-4, weight_decay=5e-4), "sgd 0.0001 weight_decay=0.0005"),
        (StepDecay(kind="step", every_steps=200, factor=0.5), "step 200 0.5"),
    ],
)
def test_a_record_is_its_kind_what_it_must_state_and_what_is_not_as_by_default(record: object, words: str) -> None:
    assert lists.in_words(record) == words


def test_a_recipe_names_its_schedule_and_clipping(quick: Suite) -> None:
    workload = quick.workloads[0]
    schedule = StepDecay(kind="step", every_steps=200, factor=0.5)
    recipe = workload.recipe.model_copy(update={"schedule": schedule, "clip_norm": 5.0, "epochs": 1})
    words = lists.recipe_in_words(workload.model_copy(update={"recipe": recipe}))
    assert words.endswith("batch 32, 1 epoch, schedule step 200 0.5, clip_norm 5")


def test_a_finding_is_a_line_and_what_to_do_the_next() -> None:
    found = [Finding("Docker", "ok", "fine"), Finding("disk", "problem", "full", "Free some.")]
    assert [line.plain for line in lists.findings(found)] == [
        "ok       Docker  fine",
        "problem  disk    full",
        "                 -> Free some.",
    ]
    assert lists.outcome(found) == "1 problem, 0 warnings."
    assert lists.outcome(found[:1]) == "Nothing to complain of."
