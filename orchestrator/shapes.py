"""The shape rules: what each layer kind makes of its input shape, and the parameters that it needs.

Shapes leave out the row axis and are channels-last, as in ``workers.spec``.
"""

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

from workers.spec import RUNNING, Input, ResolvedLayer

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
    return sum(prod(shape) for item in layers for role, shape in item.parameters.items() if role not in RUNNING)


RANKS = {
    "dense": (1, 2),
    "conv2d": (3,),
    "maxpool2d": (3,),
    "averagepool2d": (3,),
    "conv1d": (2,),
    "globalmaxpool1d": (2,),
    "lstm": (2,),
    "embedding": (1,),
}
"""Layer kind -> the numbers of axes that its input may have; any number for the others."""

MEANINGS = {1: "(features,)", 2: "(steps, features)", 3: "(height, width, channels)"}


def _complaint(layer: Any, shape: Shape, tokens: bool) -> str | None:
    """Return why ``layer`` cannot take ``shape``, or None."""
    ranks = RANKS.get(layer.kind)
    if ranks is not None and len(shape) not in ranks:
        meaning = " or ".join(MEANINGS[rank] for rank in ranks) if layer.kind != "embedding" else "(steps,)"
        hint = " A flatten layer before it would help." if layer.kind == "dense" else ""
        return f"needs an input of shape {meaning}, but gets {tuple(shape)}.{hint}"
    if (layer.kind == "embedding") != tokens:
        if tokens:
            return "gets int32 tokens; the first layer of a model on tokens must be an embedding."
        return "needs int32 tokens, but gets floating-point numbers."
    if layer.kind == "reshape" and prod(layer.shape) != prod(shape):
        return f"makes {tuple(layer.shape)}, {prod(layer.shape)} numbers, of {tuple(shape)}, {prod(shape)} numbers."
    window, _ = _window(layer)
    if window and layer.padding == "valid" and any(w > size for w, size in zip(window, shape, strict=False)):
        axes = "height x width" if len(window) == 2 else "steps"
        return (
            f"has a window of {_times(window)} that does not fit its input of {_times(shape[: len(window)])} ({axes}) "
            f"without padding."
        )
    return None


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _window(layer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (window, strides) of a layer that slides, both empty for one that does not."""
    if layer.kind == "conv1d":
        return (layer.kernel_size,), (layer.strides,)
    if layer.kind in ("conv2d", "maxpool2d", "averagepool2d"):
        return layer.kernel_size if layer.kind == "conv2d" else layer.pool_size, layer.strides
    return (), ()


def _output_shape(layer: Any, shape: Shape) -> Shape:
    if layer.kind == "dense":
        return [*shape[:-1], layer.units]
    if layer.kind == "flatten":
        return [prod(shape)]
    if layer.kind == "reshape":
        return list(layer.shape)
    if layer.kind == "embedding":
        return [shape[0], layer.units]
    if layer.kind == "lstm":
        return [layer.units] if layer.output == "last" else [shape[0], layer.units]
    if layer.kind == "globalmaxpool1d":
        return shape[1:]
    window, strides = _window(layer)
    if window:
        sizes = zip(shape[:-1], window, strides, strict=True)
        return [*(_outputs(*numbers, layer.padding) for numbers in sizes), getattr(layer, "filters", shape[-1])]
    return shape


def _outputs(size: int, window: int, stride: int, padding: str) -> int:
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


def _parameter_shapes(layer: Any, shape: Shape) -> dict[str, Shape]:
    if layer.kind == "embedding":
        return {"table": [layer.vocabulary_size, layer.units]}
    if layer.kind == "batchnorm":
        return {role: [shape[-1]] for role in ("gamma", "beta", *RUNNING)}
    shapes: dict[str, Shape]
    if layer.kind == "dense":
        shapes, bias = {"kernel": [shape[-1], layer.units]}, layer.units
    elif layer.kind in ("conv1d", "conv2d"):
        shapes, bias = {"kernel": [*_window(layer)[0], shape[-1], layer.filters]}, layer.filters
    elif layer.kind == "lstm":
        shapes = {"kernel": [shape[1], 4 * layer.units], "recurrent_kernel": [layer.units, 4 * layer.units]}
        bias = 4 * layer.units
    else:
        return {}
    if layer.bias:
        shapes["bias"] = [bias]
    return shapes
