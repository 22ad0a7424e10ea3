"""Suites as YAML: what is accepted, and that every mistake is named with its place and the nearest right word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import datasets
from orchestrator.errors import UsageError
from orchestrator.suite import Suite, builtin_suites, load_suite
from orchestrator.workload import resolved_layers

MINE = """
suite: mine
title: My own
workloads:
  - name: mlp
    dataset: digits
    layers:
      - {kind: flatten}
      - {kind: dense, units: 10}
    recipe:
      optimiser: {kind: sgd, learning_rate: 0.05}
      loss: {kind: categorical_cross_entropy}
      batch_size: 32
      epochs: 2
"""
WORKLOAD = MINE[MINE.index("  - name") :]
MORE = "      epochs: 2\n"

Load = Callable[..., Suite]
Mistakes = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load ``MINE`` with one text in the place of another."""

    def load(old: str = "", new: str = "") -> Suite:
        assert old in MINE
        path = tmp_path / "mine.yaml"
        path.write_text(MINE.replace(old, new) if old else MINE, encoding="utf-8")
        return load_suite(str(path))

    return load


@pytest.fixture
def mistakes(tmp_path: Path, load: Load) -> Mistakes:
    """Return the mistakes found in ``MINE`` so altered, without the file's name before each."""

    def mistakes(old: str, new: str) -> list[str]:
        with pytest.raises(UsageError) as caught:
            load(old, new)
        prefix = f"Suite {tmp_path / 'mine.yaml'}: "
        assert all(text.startswith(prefix) for text in caught.value.mistakes)
        return [text.removeprefix(prefix) for text in caught.value.mistakes]

    return mistakes


# ---------------------------------------------------------------------------- what is accepted


@pytest.mark.parametrize("name", builtin_suites())
def test_a_builtin_suite_loads(name: str) -> None:
    suite = load_suite(name)
    assert suite.suite == name
    assert all(resolved_layers(workload) for workload in suite.workloads)


def test_the_quick_suite() -> None:
    suite = load_suite("quick")
    assert [workload.name for workload in suite.workloads] == ["mlp", "cnn", "lstm"]
    assert (suite.repeats, suite.seed) == (3, 1)
    assert resolved_layers(suite.workloads[2])[0].input_shape == [8, 8]


def test_a_users_own_suite(load: Load) -> None:
    suite = load()
    assert (suite.suite, suite.title, suite.repeats, suite.seed) == ("mine", "My own", 3, 1)
    (workload,) = suite.workloads
    assert workload.input_shape is None
    assert workload.recipe.schedule.kind == "constant"


@pytest.mark.parametrize(("word", "number"), [("1e-3", 0.001), ("1E-3", 0.001), ("1", 1.0), (".5", 0.5)])
def test_numbers_as_people_write_them(load: Load, word: str, number: float) -> None:
    """YAML 1.1 would read 1e-3 as a word."""
    suite = load("learning_rate: 0.05", f"learning_rate: {word}")
    assert suite.workloads[0].recipe.optimiser.learning_rate == number


def test_a_suite_file_needs_no_ending(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(MINE)
    assert load_suite(str(tmp_path / "mine")).suite == "mine"


def test_fewer_rows_than_the_dataset_has(load: Load) -> None:
    (workload,) = load(MORE, f"{MORE}    train_rows: 1437\n    test_rows: 1\n").workloads
    assert (workload.train_rows, workload.test_rows) == (1437, 1)


def test_another_shape_with_as_many_numbers(load: Load) -> None:
    (workload,) = load(MORE, f"{MORE}    input_shape: [4, 16]\n").workloads
    assert resolved_layers(workload)[0].input_shape == [4, 16]


# ---------------------------------------------------------------------------- no suite


def test_an_unknown_suite_is_told_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load_suite("quik")
    allowed = ", ".join(builtin_suites())
    assert caught.value.mistakes == [
        f"Unknown suite 'quik'. Did you mean 'quick'? Allowed: {allowed}. Or give a YAML file."
    ]


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(UsageError) as caught:
        load_suite(str(path))
    assert caught.value.mistakes == [f"Suite {path}: cannot be read (No such file or directory)."]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"suite: [unclosed", "not YAML: "),
        (b"suite: mine\n\ttitle: x", "not YAML: "),
        (b"suite: a\nsuite: b", "not YAML: "),
        (b"suite: !!python/object:os.system x", "not YAML: "),
        (b"suite: a\n---\nsuite: b", "not YAML: "),
        (b"\xff\xfe\x80", "not YAML: "),
        (b"", "the file: should be a valid dictionary"),
        (b"just words", "the file: should be a valid dictionary"),
        (b"- a list", "the file: should be a valid dictionary"),
    ],
)
def test_a_file_that_holds_no_suite(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_suite(str(path))
    (text,) = caught.value.mistakes
    assert text.startswith(f"Suite {path}: {part}")
    assert "\n" not in text


# ---------------------------------------------------------------------------- misspelt words


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("suite: mine", "suite: mine\nrepeat: 5", "repeat: unknown field 'repeat'. Did you mean 'repeats'? "
         "Allowed: frameworks, paper, repeats, seed, source, suite, threads, timeout_seconds, title, workloads."),
        (MORE, f"{MORE}    train_row: 5\n", "workloads[0] (mlp).train_row: unknown field 'train_row'. "
         "Did you mean 'train_rows'? Allowed: dataset, initialisers, input_offset, input_pad, input_scale, "
         "input_shape, layers, name, ours, read_at_epochs, recipe, source, target, test_rows, train_rows, "
         "validation_split, view."),
        ("units: 10", "units: 10, bais: true", "workloads[0] (mlp).layers[1].bais: unknown field 'bais'. "
         "Did you mean 'bias'? Allowed: bias, kind, units."),
        (MORE, f"{MORE}      clipnorm: 1\n", "workloads[0] (mlp).recipe.clipnorm: unknown field 'clipnorm'. "
         "Did you mean 'clip_norm'? Allowed: batch_size, clip_norm, epochs, evaluation_batch_size, loss, optimiser, "
         "schedule."),
        ("kind: sgd,", "kind: sgd, momemtum: 0.9,", "workloads[0] (mlp).recipe.optimiser.momemtum: "
         "unknown field 'momemtum'. Did you mean 'momentum'? Allowed: kind, learning_rate, momentum, nesterov, "
         "velocity, weight_decay, weight_decay_on."),
        ("{kind: categorical_cross_entropy}", "{kind: mean_squared_error, over_output: sum}",
         "workloads[0] (mlp).recipe.loss.over_output: unknown field 'over_output'. Did you mean 'over_outputs'? "
         "Allowed: kind, over_outputs."),
        (MORE, f"{MORE}      schedule: {{kind: step, every_steps: 5, factor: 0.5, facter: 2}}\n",
         "workloads[0] (mlp).recipe.schedule.facter: unknown field 'facter'. Did you mean 'factor'? "
         "Allowed: every_steps, factor, kind."),
        (MORE, f"{MORE}    initialisers: {{kernel: {{kind: normal, valu: 1}}}}\n",
         "workloads[0] (mlp).initialisers.kernel.valu: unknown field 'valu'. Did you mean 'value'? "
         "Allowed: kind, value."),
        ("kind: dense", "kind: dens", "workloads[0] (mlp).layers[1]: unknown kind 'dens'. Did you mean 'dense'? "
         "Allowed: activation, averagepool2d, batchnorm, conv1d, conv2d, dense, dropout, embedding, flatten, "
         "globalmaxpool1d, lstm, maxpool2d, reshape."),
        ("kind: sgd", "kind: sdg", "workloads[0] (mlp).recipe.optimiser: unknown kind 'sdg'. Did you mean 'sgd'? "
         "Allowed: adadelta, adam, rmsprop, sgd."),
        ("dataset: digits", "dataset: digts", "workload 'mlp': unknown dataset 'digts'. Did you mean 'digits'? "
         f"Allowed: {', '.join(sorted(datasets.names()))}."),
        (MORE, f"{MORE}    initialisers: {{dense_1/kernl: {{kind: he_normal}}}}\n",
         "workload 'mlp': initialiser for 'dense_1/kernl', which the model does not have. "
         "Did you mean 'dense_1/kernel'? Allowed: bias, dense_1/bias, dense_1/kernel, kernel."),
    ],
)  # fmt: skip
def test_a_misspelt_word_gets_its_place_and_the_nearest(mistakes: Mistakes, old: str, new: str, mistake: str) -> None:
    assert mistakes(old, new) == [mistake]


def test_a_word_like_no_other_gets_the_allowed_ones_alone(mistakes: Mistakes) -> None:
    assert mistakes("kind: flatten", "kind: flatten, xyz: 1") == [
        "workloads[0] (mlp).layers[0].xyz: unknown field 'xyz'. Allowed: kind."
    ]


def test_a_misspelt_field_that_is_required_is_missing_too(mistakes: Mistakes) -> None:
    assert mistakes("units: 10", "unit: 10") == [
        "workloads[0] (mlp).layers[1].units: field required.",
        "workloads[0] (mlp).layers[1].unit: unknown field 'unit'. Did you mean 'units'? Allowed: bias, kind, units.",
    ]


# ---------------------------------------------------------------------------- wrong values


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("units: 10", 'units: "10"', "workloads[0] (mlp).layers[1].units: should be a valid integer (it is '10')."),
        ("units: 10", "units: 1.5", "workloads[0] (mlp).layers[1].units: should be a valid integer (it is 1.5)."),
        ("units: 10", "units: 0",
         "workloads[0] (mlp).layers[1].units: should be greater than or equal to 1 (it is 0)."),
        ("0.05", "fast", "workloads[0] (mlp).recipe.optimiser.learning_rate: should be a valid number (it is 'fast')."),
        ("0.05", "-0.05", "workloads[0] (mlp).recipe.optimiser.learning_rate: should be greater than 0 (it is -0.05)."),
        ("kind: sgd,", "kind: sgd, nesterov: yes,",
         "workloads[0] (mlp).recipe.optimiser.nesterov: should be a valid boolean (it is 'yes')."),
        ("kind: flatten", "kind: activation, function: tan", "workloads[0] (mlp).layers[0].function: should be 'tanh', "
         "'relu', 'sigmoid', 'elu', 'softmax' or 'linear' (it is 'tan')."),
        ("kind: dense, ", "", "workloads[0] (mlp).layers[1]: field 'kind' is required."),
        ("title: My own", "title: 5", "title: should be a valid string (it is 5)."),
        ("title: My own", "title: x\nrepeats: 0", "repeats: should be greater than or equal to 1 (it is 0)."),
        (WORKLOAD, "  []\n", "workloads: list should have at least 1 item after validation, not 0 (it is [])."),
        (MORE, f"{MORE}    input_shape: [-8, 8]\n",
         "workloads[0] (mlp).input_shape[0]: should be greater than or equal to 1 (it is -8)."),
        (MORE, f"{MORE}    initialisers: {{kernel: {{kind: normal, value: -1}}}}\n",
         "workload 'mlp': initialiser for 'kernel': value is -1, but normal needs one of at least 0."),
    ],
)  # fmt: skip
def test_a_wrong_value_gets_its_place(mistakes: Mistakes, old: str, new: str, mistake: str) -> None:
    assert mistakes(old, new) == [mistake]


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e400"])
def test_a_number_is_finite(mistakes: Mistakes, number: str) -> None:
    (mistake,) = mistakes("0.05", number)
    assert mistake.startswith("workloads[0] (mlp).recipe.optimiser.learning_rate: should be ")


@pytest.mark.parametrize("name", ["../mlp", "a/b", "a b", "a,b", "-a", ".", "x" * 65])
def test_names_that_cannot_be_folders(mistakes: Mistakes, name: str) -> None:
    text = "names become folders; allowed: at most 64 letters, digits, '.', '_' and '-', a letter or digit first."
    assert mistakes("name: mlp", f"name: '{name}'") == [f"workload {name!r}: {text}"]
    assert mistakes("suite: mine", f"suite: '{name}'") == [f"suite {name!r}: {text}"]


# ---------------------------------------------------------------------------- workloads that cannot be


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("kind: flatten", "kind: conv2d, filters: 2, kernel_size: [9, 3]", "layer 1 (conv2d_1) has a window of 9 x 3 "
         "that does not fit its input of 8 x 8 (height x width) without padding."),
        ("      - {kind: flatten}\n", "", "layer 1 (dense_1) needs an input of shape (features,) or "
         "(steps, features), but gets (8, 8, 1). A flatten layer before it would help."),
        ("units: 10", "units: 12", "layer 2 (dense_1) puts out (12,), but digits needs (10,)."),
        ("      - {kind: dense, units: 10}\n", "", "layer 1 (flatten_1) puts out (64,), but digits needs (10,)."),
        ("units: 10}", "units: 10}\n      - {kind: activation, function: softmax}", "layer 3 (activation_1) is a "
         "softmax, but categorical_cross_entropy takes logits and applies it itself; leave the layer out."),
        ("categorical_cross_entropy", "mean_squared_error",
         "loss mean_squared_error does not fit digits, whose targets are 10 classes: categorical_cross_entropy."),
        (MORE, f"{MORE}    train_rows: 1438\n", "train_rows is 1438, but digits has 1437."),
        (MORE, f"{MORE}    test_rows: 361\n", "test_rows is 361, but digits has 360."),
        (MORE, f"{MORE}    input_shape: [8, 9]\n",
         "input_shape [8, 9] has 72 numbers, but a row of digits has 64 ([8, 8, 1])."),
    ],
)  # fmt: skip
def test_an_impossible_workload(mistakes: Mistakes, old: str, new: str, mistake: str) -> None:
    assert mistakes(old, new) == [f"workload 'mlp': {mistake}"]


def test_two_workloads_of_one_name(mistakes: Mistakes) -> None:
    assert mistakes(WORKLOAD, WORKLOAD * 2) == ["workload 'mlp' stands there more than once."]


def test_every_mistake_is_told_at_once(mistakes: Mistakes) -> None:
    second = WORKLOAD.replace("mlp", "wide").replace("units: 10", "units: 11").replace("epochs: 2", "epochs: 0")
    first = WORKLOAD.replace("flatten", "flaten").replace("learning_rate", "rate")
    assert [text.split(":")[0] for text in mistakes(WORKLOAD, first + second)] == [
        "workloads[0] (mlp).layers[0]",
        "workloads[0] (mlp).recipe.optimiser.learning_rate",
        "workloads[0] (mlp).recipe.optimiser.rate",
        "workloads[1] (wide).recipe.epochs",
    ]


def test_every_workload_that_cannot_be_is_told_at_once(mistakes: Mistakes) -> None:
    second = WORKLOAD.replace("mlp", "wide").replace("units: 10", "units: 11")
    first = WORKLOAD.replace("digits", "digit")
    found = mistakes(WORKLOAD, f"{first}    train_rows: 9999\n" + second + "    train_rows: 9999\n")
    assert [text.split(". ")[0] for text in found] == [
        "workload 'mlp': unknown dataset 'digit'",
        "workload 'wide': train_rows is 9999, but digits has 1437.",
        "workload 'wide': layer 2 (dense_1) puts out (11,), but digits needs (10,).",
    ]
