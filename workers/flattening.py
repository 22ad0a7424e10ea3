"""Where a flattened image meets a dense layer: the kernel's rows take the order in which a framework that has channels
first flattens, once, so that no batch is turned over."""

from typing import Dict, List, Set, Tuple

import numpy as np

from .spec import Activation, Dense, Dropout, Flatten, Layer, ResolvedLayer


def folded(layers: List[ResolvedLayer]) -> Tuple[Set[str], Dict[str, np.ndarray]]:
    """Return the flatten layers that may flatten as the framework does, and {LAYER/kernel: the order of its rows}.

    They are those with a dense layer behind them, and between them nothing that tells one element from another.
    """
    names: Set[str] = set()
    orders: Dict[str, np.ndarray] = {}
    open_one = None
    for item in layers:
        if isinstance(item.layer, Flatten) and len(item.input_shape) == 3:
            open_one = item
        elif isinstance(item.layer, Dense) and open_one is not None:
            names.add(open_one.name)
            orders[item.name + "/kernel"] = channels_first(*open_one.input_shape)
            open_one = None
        elif not is_blind(item.layer):
            open_one = None
    return names, orders


def is_blind(layer: Layer) -> bool:
    """Return whether a layer does the same to every element of a flattened image."""
    if isinstance(layer, Activation):
        return layer.function != "softmax"
    return isinstance(layer, (Flatten, Dropout))


def channels_first(height: int, width: int, channels: int) -> np.ndarray:
    """Return the places that the elements of an image have in the spec's order, in that of channels, height, width."""
    return np.arange(height * width * channels).reshape(height, width, channels).transpose(2, 0, 1).ravel()


def in_order(name: str, value: np.ndarray, orders: Dict[str, np.ndarray]) -> np.ndarray:
    """Return a tensor of the spec with the rows of a kernel behind a flattened image in their order."""
    return value[orders[name]] if name in orders else value


def in_spec_order(name: str, value: np.ndarray, orders: Dict[str, np.ndarray]) -> np.ndarray:
    """The inverse of ``in_order``."""
    return value[np.argsort(orders[name])] if name in orders else value
