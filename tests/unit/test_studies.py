"""The suites that repeat a study: what they say is the study's is the study's, and what is ours is said to be ours."""

import re
from collections.abc import Iterator
from itertools import chain

import pytest

from orchestrator.report.study import Figure, read_figures
from orchestrator.shapes import parameter_count
from orchestrator.suite import SUITES_DIR, Suite, load_suite
from orchestrator.workload import Workload, as_published, resolved_layers, study_on
from workers.spec import Dense

NAMES = ("albdour2020", "dlbench2021", "kabakus2020")
SUITES = {name: load_suite(name) for name in NAMES}
WORKLOADS = [pytest.param(suite, item, id=f"{suite.suite}-{item.name}")
             for suite in SUITES.values() for item in suite.workloads]  # fmt: skip


def find(suite: str, workload: str) -> Workload:
    (found,) = [item for item in SUITES[suite].workloads if item.name == workload]
    return found


def figures_of(suite: str) -> list[Figure]:
    return list(read_figures(SUITES_DIR / f"{suite}.csv"))


# ---------------------------------------------------------------------------- what is whose

# {suite: {workload: the numbers that its study (or the work that it names as its source) gives}}; a number is a layer's
# size, rate or window, one of its view or of its recipe. What is in neither place must stand in the words of `ours`.
VGG = {3, 64, 128, 256, 512, 4096, 0.5, 80, 20, 0.2}  # the libraries' own layers; Table 3; the split
GIVEN: dict[str, dict[str, set[float]]] = {
    "kabakus2020": {
        "fnn-mnist": {80, 20, 0.2},  # Table 2; Section 4
        "vgg16-cifar10-keras-head": VGG,
        "vgg16-cifar10-torchvision-head": VGG,
        "lstm-imdb": {5000, 500, 10, 0.2},  # Section 4; Table 5
    },
    "albdour2020": {
        "cnn-mnist": {15},  # Table 4
        "cnn-mnist-to-accuracy": set(),
        "cnn-cifar10": {55},  # Table 5
        "cnn-cifar10-to-accuracy": set(),
        "cnn-imdb": {3},  # Table 6
        "cnn-imdb-to-accuracy": set(),
        "cnn-driving": {10},  # Table 7
        "lstm-ptb-small": {10000, 200, 20, 1, 4, 0.5, 13},  # Section 3.2
        "lstm-ptb-small-to-perplexity": {10000, 200, 20, 1, 4, 0.5, 13},
        "lstm-ptb-medium": {10000, 650, 35, 20, 0.5, 1, 6, 1 / 1.2, 39, 5},  # Zaremba et al., Section 4.1
    },
    "dlbench2021": {  # its code
        "cnn-mnist": {32, 64, 3, 128, 0.25, 0.5, 0.01, 15},
        "cnn-cifar10": {32, 64, 3, 512, 0.25, 0.5, 0.01, 128, 200},
        "cnn-cifar100": {128, 256, 512, 3, 1024, 0.1, 0.25, 0.5, 0.01, 200},
        "cnn-svhn": {48, 64, 128, 160, 192, 5, 3072, 0.2, 0.5, 0.01, 100},
        "lstm-imdb": {5000, 500, 32, 100, 64, 50},
        "lstm-ptb": {10000, 30, 5, 200, 0.5, 20, 1, 0.95, 1e-6, 50},
    },
}
FIELDS = ("units", "filters", "kernel_size", "rate", "vocabulary_size")


def numbers_of(workload: Workload) -> Iterator[float]:
    """Yield the numbers of a model and its recipe that someone chose: all but the last layer's units, and defaults."""
    for layer in workload.layers[:-1]:
        for field in FIELDS:
            value = getattr(layer, field, ())
            yield from (float(item) for item in (value if isinstance(value, tuple) else (value,)))
    recipe = workload.recipe
    for record in (recipe.optimiser, recipe.schedule, workload.view):
        values = {} if record is None else record.model_dump(exclude_unset=True)
        yield from (float(value) for value in values.values() if not isinstance(value, str | bool))
    yield from (recipe.batch_size, recipe.epochs, *filter(None, (recipe.clip_norm, workload.validation_split)))


def in_words(suite: Suite, workload: Workload) -> set[float]:
    """Return the numbers that its `ours` names; `all that is ours in X` stands for those of X."""
    words = " ".join(workload.ours)
    found = {float(text.replace(",", "")) for text in re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-\d+)?", words)}
    others = re.findall(r"all that is ours in ([\w-]+)", words)
    return found.union(*(in_words(suite, item) for item in suite.workloads if item.name in others))


def unnamed(suite: Suite, workload: Workload) -> set[float]:
    """Return the numbers of a workload that neither its study gives nor its `ours` names."""
    known = GIVEN[suite.suite][workload.name] | in_words(suite, workload)
    return {value for value in numbers_of(workload) if not any(value == pytest.approx(number) for number in known)}


@pytest.mark.parametrize(("suite", "workload"), WORKLOADS)
def test_each_number_is_the_studys_or_said_to_be_ours(suite: Suite, workload: Workload) -> None:
    assert workload.source, "the table, figure or section that it repeats"
    assert workload.ours
    assert unnamed(suite, workload) == set()


def test_a_number_that_nobody_owns_is_found() -> None:
    suite, workload = SUITES["albdour2020"], find("albdour2020", "cnn-mnist")
    slipped = Dense(kind="dense", units=333)
    assert unnamed(suite, workload.model_copy(update={"layers": [slipped, *workload.layers]})) == {333.0}
    assert unnamed(suite, workload.model_copy(update={"ours": workload.ours[2:]})) >= {0.25, 0.001, 128}


def test_every_workload_is_in_the_table_above() -> None:
    assert {name: set(entries) for name, entries in GIVEN.items()} == {
        name: {item.name for item in suite.workloads} for name, suite in SUITES.items()
    }


# ---------------------------------------------------------------------------- the models

COUNTS = {
    ("kabakus2020", "fnn-mnist"): 669_706,  # the summary of Keras' example mnist_mlp
    # Keras' VGG16 without its top has 14,714,688; its head here 512 x 4096, 4096 x 4096 and 4096 x 10, with biases
    ("kabakus2020", "vgg16-cifar10-keras-head"): 14_714_688 + 513 * 4096 + 4097 * 4096 + 4097 * 10,
    ("kabakus2020", "vgg16-cifar10-torchvision-head"): 14_714_688 + 513 * 4096 + 4097 * 4096 + 4097 * 10,
    # 5,000 x 32; four gates of 100 units on 32 inputs, 100 states and a bias; one output
    ("kabakus2020", "lstm-imdb"): 5000 * 32 + 4 * 100 * (32 + 100 + 1) + 101,
    ("dlbench2021", "lstm-imdb"): 5000 * 32 + 4 * 100 * (32 + 100 + 1) + 101,
    ("albdour2020", "cnn-mnist"): 26 * 32 + 801 * 64 + (7 * 7 * 64 + 1) * 128 + 129 * 10,
    ("albdour2020", "cnn-cifar10"): 76 * 64 + 1601 * 128 + (8 * 8 * 128 + 1) * 512 + 513 * 10,
    ("albdour2020", "cnn-imdb"): 5000 * 50 + 151 * 250 + 251 * 250 + 251,
    ("albdour2020", "cnn-driving"): 252_219,  # NVIDIA's network as Keras counts it; the paper says about 250 thousand
    # Zaremba's: a word's vector, two layers of four gates with one bias each, a score for each word: 4.65 and 19.8 M
    ("albdour2020", "lstm-ptb-small"): 10000 * 200 + 2 * 4 * 200 * (200 + 200 + 1) + 201 * 10000,
    ("albdour2020", "lstm-ptb-medium"): 10000 * 650 + 2 * 4 * 650 * (650 + 650 + 1) + 651 * 10000,
    ("dlbench2021", "cnn-mnist"): 1_199_882,  # the summary of Keras' example mnist_cnn
    ("dlbench2021", "cnn-cifar10"): 1_250_858,  # that of its example cifar10_cnn
    # 1152 = 3 * 3 * 128 and so on; what is left of the image is 2 x 2, as its code says with a flat size of 2,048
    ("dlbench2021", "cnn-cifar100"): (
        28 * 128 + 1153 * 128 + 1153 * 256 + 2305 * 256 + 2305 * 512 + 4609 * 512 + 2049 * 1024 + 1025 * 100
    ),
    # eight convolutions of 5 x 5, seven normalisations of two numbers a feature, 2 x 2 x 192 left
    ("dlbench2021", "cnn-svhn"): (
        76 * 48 + 1201 * 64 + 1601 * 128 + 3201 * 160 + 4001 * 192 + 3 * 4801 * 192
        + 2 * (64 + 128 + 160 + 4 * 192) + 769 * 3072 + 3073 * 10
    ),
    ("dlbench2021", "lstm-ptb"): 10000 * 200 + 2 * 4 * 200 * (200 + 200 + 1) + 201 * 10000,
}  # fmt: skip


def test_the_models_have_as_many_parameters_as_they_should() -> None:
    found = {(suite.suite, item.name): parameter_count(resolved_layers(item))
             for suite in SUITES.values() for item in suite.workloads if item.target is None}  # fmt: skip
    assert found == COUNTS
    assert (COUNTS["albdour2020", "lstm-ptb-small"], COUNTS["albdour2020", "lstm-ptb-medium"]) == (4651600, 19775200)


@pytest.mark.parametrize(("suite", "workload"), WORKLOADS)
def test_a_model_ends_in_logits(suite: Suite, workload: Workload) -> None:
    assert workload.layers[-1].kind == "dense"
    assert "softmax" not in {getattr(layer, "function", None) for layer in workload.layers}


def test_a_padded_convolution_keeps_the_size_as_the_code_has_it() -> None:
    pairs = ["same", "valid"]
    for name, paddings in (("cnn-mnist", ["valid"] * 2), ("cnn-cifar10", pairs * 2), ("cnn-cifar100", pairs * 3)):
        assert [layer.padding for layer in find("dlbench2021", name).layers if layer.kind == "conv2d"] == paddings
    svhn = find("dlbench2021", "cnn-svhn").layers
    assert {layer.padding for layer in svhn if layer.kind in ("conv2d", "maxpool2d")} == {"same"}
    assert [layer.strides for layer in svhn if layer.kind == "maxpool2d"] == [(2, 2), (1, 1)] * 4
    kinds = [layer.kind for layer in svhn]
    assert kinds[:4] == ["conv2d", "activation", "maxpool2d", "dropout"], "no normalisation in the first block"
    assert kinds[4:9] == ["conv2d", "batchnorm", "activation", "maxpool2d", "dropout"]


def test_the_two_heads_of_vgg16_differ_in_dropout_alone() -> None:
    keras, torch = (find("kabakus2020", f"vgg16-cifar10-{name}-head") for name in ("keras", "torchvision"))
    assert "dropout" not in {layer.kind for layer in keras.layers}
    assert [layer for layer in torch.layers if layer.kind != "dropout"] == keras.layers
    assert [layer.rate for layer in torch.layers if layer.kind == "dropout"] == [0.5, 0.5]
    for item, layer in zip(
        (f"conv2d_{number}/kernel" for number in range(1, 14)),
        (layer for layer in torch.layers if layer.kind == "conv2d"),
        strict=True,
    ):
        value = torch.initialisers[item].value
        assert value == pytest.approx((2 / (9 * layer.filters)) ** 0.5)


def test_zarembas_recipes_are_his() -> None:
    """arXiv 1409.2329, Section 4.1: small and medium."""
    for name, after, factor, epochs, scale in (("small", 4, 1 / 2, 13, 0.1), ("medium", 6, 1 / 1.2, 39, 0.05)):
        workload = find("albdour2020", f"lstm-ptb-{name}")
        recipe = workload.recipe
        assert recipe.schedule.model_dump() == {
            "kind": "epoch", "after_epochs": after, "factor": pytest.approx(factor)
        }  # fmt: skip
        assert (recipe.optimiser.kind, recipe.optimiser.learning_rate, recipe.clip_norm) == ("sgd", 1.0, 5.0)
        assert (recipe.epochs, recipe.batch_size, recipe.loss.over_steps) == (epochs, 20, "sum")  # type: ignore[union-attr]
        roles = {"table", "kernel", "recurrent_kernel", "bias"}
        assert {role: (item.kind, item.value) for role, item in workload.initialisers.items()} == dict.fromkeys(
            roles, ("uniform", scale)
        )
        assert {layer.stateful for layer in workload.layers if layer.kind == "lstm"} == {True}
    kinds = [layer.kind for layer in find("albdour2020", "lstm-ptb-medium").layers]
    assert kinds == ["embedding", "dropout", "lstm", "dropout", "lstm", "dropout", "dense"]


# ---------------------------------------------------------------------------- the suites' own settings


def test_repeats_threads_and_frameworks_are_the_studies() -> None:
    kabakus, albdour = SUITES["kabakus2020"], SUITES["albdour2020"]
    assert (kabakus.repeats, {item.validation_split for item in kabakus.workloads}) == (10, {0.2})
    assert albdour.threads == [1, 2, 4, 8, 16, 32]
    assert {"all", "keras:tf2.2", "torch@1.6.0"} == set(kabakus.frameworks)
    assert {"keras:cntk", "keras:theano", "keras:tf2.2"} < set(albdour.frameworks)


def test_a_target_is_the_worst_figure_that_every_framework_met() -> None:
    figures = figures_of("albdour2020")
    found = {}
    for name in ("cnn-mnist", "cnn-cifar10", "cnn-imdb"):
        target = find("albdour2020", f"{name}-to-accuracy").target
        assert target is not None
        assert target.metric == "accuracy"
        found[name] = target.value
        assert target.value == min(f.accuracy for f in figures if f.workload == name and f.accuracy is not None)
    assert found == {"cnn-mnist": 0.991, "cnn-cifar10": 0.8226, "cnn-imdb": 0.8848}
    words = find("albdour2020", "lstm-ptb-small-to-perplexity").target
    assert words is not None
    assert (words.metric, words.value) == ("perplexity", 114.79)
    assert words.value == max(f.perplexity for f in figures if f.perplexity is not None)


def test_a_workload_is_read_after_the_epochs_of_each_framework() -> None:
    for name in ("cnn-mnist", "cnn-cifar10", "cnn-imdb"):
        epochs = {figure.epochs for figure in figures_of("albdour2020") if figure.workload == name}
        assert set(find("albdour2020", name).read_at_epochs) == epochs
    assert find("dlbench2021", "cnn-cifar10").read_at_epochs == [100, 200]


# ---------------------------------------------------------------------------- the figures

KABAKUS = {  # Tables 6 to 8, and the ratios of the text
    ("Keras", "fnn-mnist"): (0.9724, 1.0, 1.0),
    ("PyTorch", "fnn-mnist"): (0.9669, 3.8, 2.4),
    ("Keras", "vgg16-cifar10-keras-head"): (0.7843, 1.0, 1.0),
    ("PyTorch", "vgg16-cifar10-torchvision-head"): (0.7654, 1.9, 1.4),
    ("Keras", "lstm-imdb"): (0.8583, 1.3, 1.0),
    ("PyTorch", "lstm-imdb"): (0.8708, 1.0, 1.6),
}

HOUR = 3600
# Table 3: 1, 2, 4, 8, 16 and 32 threads, GPU; None where there is none, or a garbled one.
TIMES: dict[str, dict[str, tuple[float | None, ...]]] = {
    "cnn-mnist": {
        "CNTK": (847, 630, 574, 560, 567, 588, 66.67),
        "TensorFlow": (5130, 3180, 2070, 1740, 1920, 2010, 328.93),
        "Theano": (3560, 2500, 2260, 2060, 2050, 2050, 377.86),
    },
    "cnn-cifar10": {
        "CNTK": (20196, 14520, 13662, 11484, 11550, 11649, 926),
        "TensorFlow": (25905, 16610, 11550, 9955, 10340, 10835, 2166.4),
        "Theano": (26700, 18700, 17250, 15800, 15850, 15750, 2386.1),
    },
    "cnn-imdb": {
        "CNTK": (None, None, None, 486, None, None, 73.1),
        "TensorFlow": (1244, 642, 390, 290, 249, 302, 62.4),
        "Theano": (538, 412, 380, 368, None, 384, 220),
    },
    "cnn-driving": {
        "CNTK": (None, None, None, 47.6 * HOUR, None, None, 8.7 * HOUR),
        "TensorFlow": tuple(hours * HOUR for hours in (33.3, 19.8, 15, 14.1, 16.4, 16.4, 6)),
        "Theano": tuple(hours * HOUR for hours in (50, 44.2, 42.6, 43.5, 43.5, 43.5, 6.8)),
    },
    "lstm-ptb-small": {
        "CNTK": (None, None, None, 4290, None, None, 2106),
        "TensorFlow": (40560, 26819, 18733, 16407, 16848, 18369, 1342.28),
        "Theano": (None, 23244, None, 21450, 21476, 21541, 1630),
    },
}
THREADS = (1, 2, 4, 8, 16, 32)
SCORES: dict[str, dict[str, tuple[float, ...]]] = {  # Tables 4 to 8: CPU, GPU; CPU%, GPU%; memory% of both; epochs
    "cnn-mnist": {
        "CNTK": (0.9927, 0.9926, 99.6, 92, 1.7, 3.6, 7),
        "TensorFlow": (0.9914, 0.9911, 92.2, 77, 2.2, 5.2, 15),
        "Theano": (0.9910, 0.9917, 14.7, 95, 2.1, 4.9, 10),
    },
    "cnn-cifar10": {
        "CNTK": (0.8268, 0.8257, 99.8, 97, 3.2, 4.5, 33),
        "TensorFlow": (0.8226, 0.8233, 87.3, 73, 5.3, 7.4, 55),
        "Theano": (0.8229, 0.8230, 15.3, 94.5, 5.1, 7.5, 50),
    },
    "cnn-imdb": {
        "CNTK": (0.8887, 0.8893, 94.8, 76, 5.7, 6.6, 2),
        "TensorFlow": (0.8868, 0.8883, 92.2, 76, 6.6, 9.1, 3),
        "Theano": (0.8872, 0.8848, 14.6, 88, 5.1, 7.6, 2),
    },
    "cnn-driving": {
        "CNTK": (0.9993, 0.9997, 93.2, 32.4, 5.3, 6.6, 10),
        "TensorFlow": (0.9996, 0.9997, 85, 34, 4.3, 6.2, 10),
        "Theano": (0.9971, 0.9973, 22, 31, 3.2, 5.3, 10),
    },
    "lstm-ptb-small": {
        "CNTK": (113.7, 113.2, 94, 76.6, 1.3, 2.2, 13),
        "TensorFlow": (114.79, 113.21, 91.8, 77, 2.3, 4.5, 13),
        "Theano": (114.57, 113.3, 18.3, 81, 4.1, 5.4, 13),
    },
}


def clock(text: str) -> float:
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return hours * HOUR + minutes * 60 + seconds


DLBENCH = {  # the logs beside its code; the columns: TensorFlow, Keras, Theano, MXNet, PyTorch, Chainer
    ("cnn-mnist", "cpu", 15): ".985 0:07:06 .983 0:07:29 .984 1:07:13 .981 1:09:16 .984 0:27:36 .964 1:28:02",
    ("cnn-mnist", "gpu", 15): ".984 0:01:13 .983 0:01:19 .984 0:01:38 .982 0:06:34 .987 0:05:59 .976 0:01:04",
    ("cnn-cifar10", "cpu", 100): ".801 1:49:19 .802 1:10:30 .792 7:07:31 .792 9:47:43 .719 4:39:48 .732 13:47:21",
    ("cnn-cifar10", "gpu", 100): ".802 0:10:47 .802 0:10:39 .803 0:13:21 .791 0:41:41 .724 0:44:16 .744 0:07:43",
    ("cnn-cifar10", "gpu", 200): ".806 0:21:38 .818 0:21:19 .819 0:26:42 .805 1:18:25 .717 1:28:43 .740 0:15:21",
    ("cnn-svhn", "gpu", 100): ".968 4:34:30 .974 7:26:24 .968 18:46:29 .972 8:27:48 .961 7:46:14 .953 3:54:42",
    ("lstm-imdb", "cpu", 50): ".877 4:09:35 .877 5:19:08 .4998 11:05:06 .869 5:06:42 - - - -",
    ("lstm-imdb", "gpu", 100): "- - - - - - - - .876 0:33:10 - -",
    ("lstm-imdb", "gpu", 50): "- - - - - - - - - - .876 7:35:53",
}
FRAMEWORKS = ("TensorFlow", "Keras", "Theano", "MXNet", "PyTorch", "Chainer")


def test_the_figures_of_kabakus_are_his() -> None:
    found = {(f.framework, f.workload): (f.accuracy, f.train_ratio, f.predict_ratio) for f in figures_of("kabakus2020")}
    assert found == KABAKUS
    assert {(figure.device, figure.train_seconds) for figure in figures_of("kabakus2020")} == {("gpu", None)}


def test_the_figures_of_albdour_are_theirs() -> None:
    times: dict[tuple[str, str, int | None], float] = {}
    scores: dict[tuple[str, str, str], tuple[float | None, ...]] = {}
    for figure in figures_of("albdour2020"):
        if figure.train_seconds is not None:
            times[figure.workload, figure.framework, figure.threads] = figure.train_seconds
        if figure.threads is None:
            score = figure.perplexity if figure.accuracy is None else figure.accuracy
            percent = figure.cpu_percent if figure.device == "cpu" else figure.gpu_percent
            assert figure.device is not None
            scores[figure.workload, figure.framework, figure.device] = (
                *(score, percent, figure.memory_percent, figure.epochs),
            )
    assert times == {
        (workload, framework, threads): pytest.approx(value)
        for workload, frameworks in TIMES.items()
        for framework, values in frameworks.items()
        for threads, value in zip((*THREADS, None), values, strict=True)
        if value is not None
    }
    assert scores == {
        (workload, framework, device): (values[place], values[2 + place], values[4 + place], values[6])
        for workload, frameworks in SCORES.items()
        for framework, values in frameworks.items()
        for place, device in enumerate(("cpu", "gpu"))
    }


def test_the_figures_of_dlbench_are_those_of_its_logs() -> None:
    figures = figures_of("dlbench2021")
    expected = {}
    for place, text in DLBENCH.items():
        words = text.split()
        for framework, accuracy, time in zip(FRAMEWORKS, words[::2], words[1::2], strict=True):
            if time != "-":
                expected[framework, *place] = (float(accuracy), clock(time))
    timed = {(f.framework, f.workload, f.device, f.epochs): (f.accuracy, f.train_seconds)
             for f in figures if f.workload != "lstm-ptb"}  # fmt: skip
    assert timed == expected
    assert {f.framework: f.perplexity for f in figures if f.workload == "lstm-ptb"} == {
        "Keras": 262.6, "Chainer": 322.6, "MXNet": 406.7
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_belongs_to_a_workload_and_a_framework_here(name: str) -> None:
    suite, figures = SUITES[name], figures_of(name)
    assert {figure.workload for figure in figures} <= {item.name for item in suite.workloads}
    stand = {study.stands_for for study in suite.paper.values()}
    for figure in figures:
        assert figure.labels or figure.framework in stand, figure


# ---------------------------------------------------------------------------- DLBench as published


def published(label: str, workload: str) -> tuple[Workload, list[str], str | None]:
    """Return a workload as the study had it in a framework, its words, and what is wrong with its dropout."""
    study = study_on(SUITES["dlbench2021"].paper[label], workload)
    return as_published(find("dlbench2021", workload), study), study.differs, study.dropout


CNNS = ("cnn-mnist", "cnn-cifar10", "cnn-cifar100", "cnn-svhn")


@pytest.mark.parametrize("workload", CNNS)
def test_the_dropout_artefacts_are_in_the_cnns_and_named(workload: str) -> None:
    torch, words, dropout = published("torch", workload)
    assert dropout == "off_in_training"
    assert {layer.rate for layer in torch.layers if layer.kind == "dropout"} == {0.0}
    assert any("no dropout in training" in text for text in words)
    chainer, words, dropout = published("chainer", workload)
    assert dropout == "on_in_prediction"
    assert [layer for layer in chainer.layers if layer.kind == "dropout"] == [
        layer for layer in find("dlbench2021", workload).layers if layer.kind == "dropout"
    ]
    assert any("dropout in testing" in text for text in words)
    assert {published(label, workload)[2] for label in ("tf", "keras", "theano", "mxnet")} == {None}


def test_of_the_language_model_testing_had_dropout_in_two_frameworks_alone() -> None:
    found = {label: published(label, "lstm-ptb")[2] for label in ("tf", "keras", "theano", "mxnet", "torch", "chainer")}
    assert found == {"tf": "on_in_prediction", "chainer": "on_in_prediction"} | dict.fromkeys(
        ("keras", "theano", "mxnet", "torch")
    )
    kept, _, _ = published("torch", "lstm-ptb")
    assert [layer.rate for layer in kept.layers if layer.kind == "dropout"] == [0.5], "a module, and so right"


def test_weight_decay_is_what_each_framework_took_it_for() -> None:
    found = {}
    for label in ("tf", "keras", "theano", "mxnet", "torch", "chainer"):
        recipe = published(label, "cnn-mnist")[0].recipe
        assert recipe.optimiser.kind == "sgd"
        found[label] = (recipe.optimiser.weight_decay, recipe.optimiser.weight_decay_on, recipe.schedule.kind)
        assert (recipe.optimiser.learning_rate, recipe.optimiser.momentum) == (0.01, 0.5)
    everywhere = (1e-6, "all", "constant")
    assert found == {
        "tf": everywhere, "torch": everywhere, "chainer": everywhere, "mxnet": (1e-6, "kernels", "constant"),
        "keras": (0.0, "kernels", "inv"), "theano": (2e-6, "kernels", "constant"),
    }  # fmt: skip


def test_what_is_the_cnns_alone_leaves_the_lstms_as_they_are() -> None:
    for label in SUITES["dlbench2021"].paper:
        for name in ("lstm-imdb", "lstm-ptb"):
            matched, theirs = find("dlbench2021", name), published(label, name)[0]
            assert theirs.recipe.optimiser.kind == matched.recipe.optimiser.kind
            assert theirs.initialisers == matched.initialisers
            assert theirs.recipe.schedule == matched.recipe.schedule


def test_pytorch_standardised_mnist_and_tested_one_image_at_a_time() -> None:
    workload, words, _ = published("torch", "cnn-mnist")
    assert workload.input_scale == pytest.approx(1 / (255 * 0.3081))
    assert workload.input_offset == pytest.approx(-0.1307 / 0.3081)
    assert workload.recipe.evaluation_batch_size == 1
    assert any("standardised" in text for text in words)
    assert published("torch", "cnn-cifar10")[0].input_scale is None, "a mean for each colour is not to be had here"
    assert published("torch", "cnn-cifar100")[0].recipe.evaluation_batch_size == 512


def test_every_change_has_its_words() -> None:
    """Of each part of the variant: as many differences in words as fields that change something, or more."""
    for label, study in SUITES["dlbench2021"].paper.items():
        for part in chain([study], study.only):
            changes = part.model_fields_set - {"stands_for", "differs", "not_replayed", "only", "workloads"}
            assert bool(changes) == bool(part.differs), (label, part)
