"""The shape rules: what each layer kind makes of its input shape, and the parameters that it needs.

Shapes leave out the row axis and are channels-last, as in ``workers.spec``.
"""

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

from workers.spec import Conv2D, Input, MaxPool2D, ResolvedLayer

Shape = list[int]


class ShapeError(ValueError):
    """A layer that cannot take its input; the text names the layer and the numbers."""


def resolve(layers: Sequence[Any], inputs: Sequence[Input]) -> list[ResolvedLayer]:
    """Give each layer its name (``dense_1``, counted per kind), its shapes and its parameters' shapes.

    Raises ShapeError for the first layer that cannot take what the one before it puts out.
    """
    shape = list(inputs[0].shape)
    tokens = inputs[0].dtype == "int32"
    counts: Counter[str] = Counter()
    resolved = []
    for place, layer in enumerate(layers, start=1):
        counts[layer.kind] += 1
        name = f"{layer.kind}_{counts[layer.kind]}"
        complaint = _complaint(layer, shape, tokens)
        if complaint:
            raise ShapeError(f"layer {place} ({name}) {complaint}")
        output = _output_shape(layer, shape)
        resolved.append(
            ResolvedLayer(
                name=name,
                layer=layer,
                input_shape=shape,
                output_shape=output,
                parameters=_parameter_shapes(layer, shape),
            )
        )
        shape, tokens = output, False
    if not resolved:
        raise ShapeError("a model needs at least one layer")
    return resolved


def parameter_count(layers: Sequence[ResolvedLayer]) -> int:
    """Return the number of trainable numbers in a model."""
    return sum(prod(shape) for item in layers for shape in item.parameters.values())


def _complaint(layer: Any, shape: Shape, tokens: bool) -> str | None:
    """Return why ``layer`` cannot take ``shape``, or None."""
    rank_wanted = {"dense": 1, "conv2d": 3, "maxpool2d": 3, "lstm": 2, "embedding": 1}.get(layer.kind)
    if rank_wanted is not None and len(shape) != rank_wanted:
        meaning = {1: "(features,)", 2: "(steps, features)", 3: "(height, width, channels)"}[rank_wanted]
        if layer.kind == "embedding":
            meaning = "(steps,)"
        hint = " A flatten layer before it would help." if layer.kind == "dense" else ""
        return f"needs an input of shape {meaning}, but gets {tuple(shape)}.{hint}"
    if (layer.kind == "embedding") != tokens:
        if tokens:
            return "gets int32 tokens; the first layer of a model on tokens must be an embedding."
        return "needs int32 tokens, but gets floating-point numbers."
    if isinstance(layer, (Conv2D, MaxPool2D)) and layer.padding == "valid":
        window = _window(layer)
        if window[0] > shape[0] or window[1] > shape[1]:
            return (
                f"has a window of {window[0]} x {window[1]} that does not fit its input of "
                f"{shape[0]} x {shape[1]} (height x width) without padding."
            )
    return None


def _window(layer: Conv2D | MaxPool2D) -> tuple[int, int]:
    return layer.kernel_size if isinstance(layer, Conv2D) else layer.pool_size


def _output_shape(layer: Any, shape: Shape) -> Shape:
    if layer.kind == "dense":
        return [layer.units]
    if layer.kind == "flatten":
        return [prod(shape)]
    if layer.kind == "embedding":
        return [shape[0], layer.units]
    if layer.kind == "lstm":
        return [layer.units] if layer.output == "last" else [shape[0], layer.units]
    if isinstance(layer, (Conv2D, MaxPool2D)):
        window = _window(layer)
        channels = layer.filters if isinstance(layer, Conv2D) else shape[2]
        sizes = [_outputs(*numbers, layer.padding) for numbers in zip(shape[:2], window, layer.strides, strict=True)]
        return [*sizes, channels]
    return shape


def _outputs(size: int, window: int, stride: int, padding: str) -> int:
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


def _parameter_shapes(layer: Any, shape: Shape) -> dict[str, Shape]:
    if layer.kind == "embedding":
        return {"table": [layer.vocabulary_size, layer.units]}
    shapes: dict[str, Shape]
    if layer.kind == "dense":
        shapes, bias = {"kernel": [shape[0], layer.units]}, layer.units
    elif layer.kind == "conv2d":
        shapes, bias = {"kernel": [*layer.kernel_size, shape[2], layer.filters]}, layer.filters
    elif layer.kind == "lstm":
        shapes = {"kernel": [shape[1], 4 * layer.units], "recurrent_kernel": [layer.units, 4 * layer.units]}
        bias = 4 * layer.units
    else:
        return {}
    if layer.bias:
        shapes["bias"] = [bias]
    return shapes
