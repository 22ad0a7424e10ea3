"""What a worker's source declares is what the worker says of itself; what cannot be read is an error, not a guess."""

from pathlib import Path

import pytest

from orchestrator.capabilities import capabilities, layer_kinds
from orchestrator.catalogue import FRAMEWORKS, WORKERS_DIR
from tests.alterations import BASES
from workers.numpy_worker import NumpyWorker
from workers.refusal import refused

SOURCE = (WORKERS_DIR / "numpy_worker.py").read_text(encoding="utf-8")
MINE = """
class Base:
    layers = {"lstm": 1}

class Mine(Base):
    layers: dict = {"dense": lambda item: item, "flatten": 2}
    composed = {"flatten": "in two "
                           "parts", "sgd": "by hand"}

WORKER = Mine
"""


def planted(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mine_worker.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_numpy_worker_declares_what_its_class_says() -> None:
    found = capabilities("numpy")
    assert found.layers == set(NumpyWorker.layers)
    assert found.composed == NumpyWorker.composed
    assert found.layers == set(layer_kinds())


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_frameworks_worker_can_be_read_and_has_no_kind_that_the_spec_has_not(name: str) -> None:
    found = capabilities(name)
    assert found.layers
    assert found.layers <= set(layer_kinds())


def test_a_kind_that_is_taken_out_is_unsupported(tmp_path: Path) -> None:
    assert SOURCE.count('        "lstm": layers.LSTM,\n') == 1
    found = capabilities("mine", planted(tmp_path, SOURCE.replace('        "lstm": layers.LSTM,\n', "")))
    assert found.of("lstm") == "unsupported"
    assert found.layers == set(NumpyWorker.layers) - {"lstm"}


def test_native_composed_and_unsupported_are_told_apart(tmp_path: Path) -> None:
    found = capabilities("mine", planted(tmp_path, MINE))
    assert {kind: found.of(kind) for kind in ("dense", "flatten", "lstm")} == {
        "dense": "native",
        "flatten": "composed",
        "lstm": "unsupported",
    }
    assert found.composed == {"flatten": "in two parts", "sgd": "by hand"}


def test_only_chainer_and_the_reference_can_have_dropout_in_prediction() -> None:
    """For every other worker such a job is refused, with a reason in words, from its source alone."""
    job = BASES["cnn"].model_copy(update={"dropout_in_prediction": True})
    reasons = {name: refused(capabilities(name), job) for name in FRAMEWORKS}
    reason = "dropout_in_prediction: the worker always switches dropout off in prediction"
    assert {name for name, found in reasons.items() if reason not in found} == {"numpy", "chainer"}
    assert reasons["chainer"] == []
    assert reason not in refused(capabilities("torch"), BASES["cnn"])
    assert refused(NumpyWorker(), job) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("WORKER = Mine", "", "does not end in WORKER"),
        ('layers: dict = {"dense": lambda item: item, "flatten": 2}', "layers = make()", "must have literal keys"),
        ('"sgd": "by hand"', '"sgd": by_hand', "must have literal keys"),
        ("WORKER", "    can_drop_in_prediction = able()\nWORKER", "must have literal keys"),
        ('"flatten": 2', "FLATTEN: 2", "must have literal keys"),
        ('{"dense"', '{**Base.layers, "dense"', "must have literal keys"),
        (
            '{"flatten": "in two "\n                           "parts", "sgd": "by hand"}',
            "make()",
            "must have literal keys",
        ),
    ],
)
def test_a_source_that_does_not_show_it_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in MINE
    with pytest.raises(LookupError, match=rf"mine_worker\.py.*{complaint}"):
        capabilities("mine", planted(tmp_path, MINE.replace(old, new)))
