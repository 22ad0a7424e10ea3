"""The shape rules: what each layer kind makes of its input, the parameters it needs, and what it cannot take."""

from typing import Any

import pytest

from orchestrator.shapes import ShapeError, parameter_count, resolve
from orchestrator.suite import load_suite
from orchestrator.workload import resolved_layers
from tests.jobs import FLAT, IMAGE, LAYERS, STEPS, TOKENS
from workers.spec import Input, ResolvedLayer

Data = dict[str, Any]
CONV = {"kind": "conv2d", "filters": 6, "kernel_size": [3, 2]}
POOL = {"kind": "maxpool2d"}
CONV1D = {"kind": "conv1d", "filters": 5, "kernel_size": 3, "strides": 2}
LSTM = {"kind": "lstm", "units": 7}
DENSE = {"kind": "dense", "units": 5}


def resolved(layers: list[Data], source: Data) -> list[ResolvedLayer]:
    return resolve(LAYERS.validate_python(layers), [Input.model_validate(source)])


@pytest.mark.parametrize(
    ("layer", "source", "output", "parameters", "count"),
    [
        (DENSE, FLAT, [5], {"kernel": [12, 5], "bias": [5]}, 65),
        ({**DENSE, "bias": False}, FLAT, [5], {"kernel": [12, 5]}, 60),
        ({"kind": "activation", "function": "relu"}, IMAGE, [9, 8, 2], {}, 0),
        ({"kind": "dropout", "rate": 0.5}, STEPS, [6, 4], {}, 0),
        ({"kind": "flatten"}, IMAGE, [144], {}, 0),
        ({"kind": "flatten"}, FLAT, [12], {}, 0),
        (CONV, IMAGE, [7, 7, 6], {"kernel": [3, 2, 2, 6], "bias": [6]}, 78),
        ({**CONV, "bias": False}, IMAGE, [7, 7, 6], {"kernel": [3, 2, 2, 6]}, 72),
        ({**CONV, "strides": [1, 2]}, IMAGE, [7, 4, 6], {"kernel": [3, 2, 2, 6], "bias": [6]}, 78),
        ({**CONV, "strides": [4, 3]}, IMAGE, [2, 3, 6], {"kernel": [3, 2, 2, 6], "bias": [6]}, 78),
        ({**CONV, "padding": "same"}, IMAGE, [9, 8, 6], {"kernel": [3, 2, 2, 6], "bias": [6]}, 78),
        ({**CONV, "padding": "same", "strides": [2, 3]}, IMAGE, [5, 3, 6], {"kernel": [3, 2, 2, 6], "bias": [6]}, 78),
        ({**CONV, "padding": "same", "strides": [9, 9]}, IMAGE, [1, 1, 6], {"kernel": [3, 2, 2, 6], "bias": [6]}, 78),
        ({**CONV, "kernel_size": [9, 8]}, IMAGE, [1, 1, 6], {"kernel": [9, 8, 2, 6], "bias": [6]}, 870),
        (POOL, IMAGE, [4, 4, 2], {}, 0),
        ({**POOL, "padding": "same"}, IMAGE, [5, 4, 2], {}, 0),
        ({**POOL, "pool_size": [3, 2], "strides": [2, 1]}, IMAGE, [4, 7, 2], {}, 0),
        ({**POOL, "pool_size": [3, 2], "strides": [2, 1], "padding": "same"}, IMAGE, [5, 8, 2], {}, 0),
        (POOL | {"kind": "averagepool2d", "padding": "same"}, IMAGE, [5, 4, 2], {}, 0),
        ({"kind": "reshape", "shape": [16, 9]}, IMAGE, [16, 9], {}, 0),
        (DENSE, STEPS, [6, 5], {"kernel": [4, 5], "bias": [5]}, 25),
        (CONV1D, STEPS, [2, 5], {"kernel": [3, 4, 5], "bias": [5]}, 65),
        (CONV1D | {"padding": "same", "bias": False}, STEPS, [3, 5], {"kernel": [3, 4, 5]}, 60),
        ({"kind": "globalmaxpool1d"}, STEPS, [4], {}, 0),
        ({"kind": "batchnorm"}, IMAGE, [9, 8, 2],
         {"gamma": [2], "beta": [2], "running_mean": [2], "running_variance": [2]}, 4),
        ({"kind": "embedding", "vocabulary_size": 11, "units": 4}, TOKENS, [6, 4], {"table": [11, 4]}, 44),
        (LSTM, STEPS, [7], {"kernel": [4, 28], "recurrent_kernel": [7, 28], "bias": [28]}, 336),
        ({**LSTM, "output": "sequence"}, STEPS, [6, 7], {"kernel": [4, 28], "recurrent_kernel": [7, 28], "bias": [28]},
         336),
        ({**LSTM, "bias": False}, STEPS, [7], {"kernel": [4, 28], "recurrent_kernel": [7, 28]}, 308),
    ],
)  # fmt: skip
def test_a_layer_resolves(layer: Data, source: Data, output: list[int], parameters: Data, count: int) -> None:
    (item,) = resolved([layer], source)
    assert item.input_shape == source["shape"]
    assert item.output_shape == output
    assert item.parameters == parameters
    assert parameter_count([item]) == count


def test_same_padding_takes_a_window_larger_than_its_input() -> None:
    layer = {**CONV, "kernel_size": [20, 20], "padding": "same"}
    assert resolved([layer], IMAGE)[0].output_shape == [9, 8, 6]


def test_each_layer_takes_what_the_one_before_it_puts_out() -> None:
    layers = resolved([CONV, POOL, {"kind": "flatten"}, DENSE], IMAGE)
    assert [item.input_shape for item in layers] == [[9, 8, 2], [7, 7, 6], [3, 3, 6], [54]]
    assert [item.output_shape for item in layers] == [[7, 7, 6], [3, 3, 6], [54], [5]]


def test_names_count_per_kind() -> None:
    tanh = {"kind": "activation", "function": "tanh"}
    names = [item.name for item in resolved([DENSE, tanh, DENSE, tanh, DENSE], FLAT)]
    assert names == ["dense_1", "activation_1", "dense_2", "activation_2", "dense_3"]


@pytest.mark.parametrize(
    ("workload", "count"),
    [
        ("mlp", (64 * 128 + 128) + (128 * 64 + 64) + (64 * 10 + 10)),
        ("cnn", (9 * 1 * 16 + 16) + (9 * 16 * 32 + 32) + (3 * 3 * 32 * 64 + 64) + (64 * 10 + 10)),
        ("lstm", 4 * (8 * 32 + 32 * 32 + 32) + (32 * 10 + 10)),
    ],
)
def test_parameters_of_the_quick_suite(workload: str, count: int) -> None:
    (found,) = [item for item in load_suite("quick").workloads if item.name == workload]
    assert parameter_count(resolved_layers(found)) == count


@pytest.mark.parametrize(
    ("layers", "source", "message"),
    [
        (
            [DENSE],
            IMAGE,
            "layer 1 (dense_1) needs an input of shape (features,) or (steps, features), but gets (9, 8, 2). "
            "A flatten layer before it would help.",
        ),
        (
            [CONV, DENSE],
            IMAGE,
            "layer 2 (dense_1) needs an input of shape (features,) or (steps, features), but gets (7, 7, 6). "
            "A flatten layer before it would help.",
        ),
        ([CONV], FLAT, "layer 1 (conv2d_1) needs an input of shape (height, width, channels), but gets (12,)."),
        ([POOL], STEPS, "layer 1 (maxpool2d_1) needs an input of shape (height, width, channels), but gets (6, 4)."),
        ([LSTM], FLAT, "layer 1 (lstm_1) needs an input of shape (steps, features), but gets (12,)."),
        ([LSTM, LSTM], STEPS, "layer 2 (lstm_2) needs an input of shape (steps, features), but gets (7,)."),
        (
            [{"kind": "embedding", "vocabulary_size": 11, "units": 4}],
            STEPS,
            "layer 1 (embedding_1) needs an input of shape (steps,), but gets (6, 4).",
        ),
        (
            [{"kind": "embedding", "vocabulary_size": 11, "units": 4}],
            FLAT,
            "layer 1 (embedding_1) needs int32 tokens, but gets floating-point numbers.",
        ),
        (
            [DENSE],
            TOKENS,
            "layer 1 (dense_1) gets int32 tokens; the first layer of a model on tokens must be an embedding.",
        ),
        (
            [POOL, {**CONV, "kernel_size": [5, 2]}],
            IMAGE,
            "layer 2 (conv2d_1) has a window of 5 x 2 that does not fit its input of 4 x 4 (height x width) "
            "without padding.",
        ),
        (
            [{**POOL, "pool_size": [2, 9]}],
            IMAGE,
            "layer 1 (maxpool2d_1) has a window of 2 x 9 that does not fit its input of 9 x 8 (height x width) "
            "without padding.",
        ),
        (
            [{**CONV1D, "kernel_size": 7}],
            STEPS,
            "layer 1 (conv1d_1) has a window of 7 that does not fit its input of 6 (steps) without padding.",
        ),
        (
            [{"kind": "reshape", "shape": [5, 5]}],
            STEPS,
            "layer 1 (reshape_1) makes (5, 5), 25 numbers, of (6, 4), 24 numbers.",
        ),
        ([], FLAT, "a model needs at least one layer"),
    ],
)
def test_an_impossible_layer_is_named_with_its_numbers(layers: list[Data], source: Data, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        resolved(layers, source)
    assert str(caught.value) == message
