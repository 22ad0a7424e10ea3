"""One fixed colour and mark for each framework, in every chart: a reader who knows them once knows them everywhere.

A framework's modes and versions share its colour and are told apart by open shapes and dashes. The colours were
searched for the largest distance between any two, under normal and colour-blind vision, at a contrast of 3 to both
backgrounds; tests/unit/test_palette.py holds the bounds.
"""

from dataclasses import dataclass
from zlib import crc32

from orchestrator.catalogue import FRAMEWORKS

LIGHT, DARK = "#ffffff", "#1e1f24"  # backgrounds that a chart may stand on

# Name -> colour and shape. The two frameworks of one shape are those whose colours are easiest to tell apart.
OWN = {
    "numpy": ("#7887b4", "cross"),
    "tf": ("#f06900", "circle"),
    "torch": ("#d22d69", "square"),
    "jax": ("#c300d2", "triangle-up"),
    "keras": ("#005aff", "diamond"),
    "theano": ("#2d785a", "triangle-down"),
    "mxnet": ("#1e96ff", "square"),
    "chainer": ("#e15ae1", "triangle-down"),
    "caffe": ("#a55a00", "cross"),
    "cntk": ("#0fa52d", "triangle-up"),
    "dl4j": ("#786996", "circle"),
    "torch7": ("#b48787", "diamond"),
}
# Of the modes and versions of a framework, in the order of its rows in the catalogue.
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "triangle-right", "cross")
DASHES = ((6, 3), (2, 2), (8, 3, 2, 3), (10, 4), (4, 2, 1, 2), (1, 3), (12, 2, 2, 2))
SOLID = (1, 0)


@dataclass(frozen=True)
class Mark:
    """How a framework is drawn. ``filled``: else an outline; ``dash``: lengths of line and gap in pixels."""

    colour: str
    shape: str
    filled: bool
    dash: tuple[int, ...]


def mark_of(label: str) -> Mark:
    """Return how ``name[@version][:mode]`` is drawn.

    A name that is not in the catalogue has the colour and open shape that a checksum of it picks, so that it looks the
    same in every report and like no framework's own filled mark; so has a mode or version that is not there.
    """
    name = label.partition(":")[0].partition("@")[0]
    if name not in OWN:
        code = crc32(name.encode())
        colours = [colour for colour, _ in OWN.values()]
        return Mark(colours[code % len(colours)], *_open(code // len(colours)))
    colour, shape = OWN[name]
    if label == name:
        return Mark(colour, shape, filled=True, dash=SOLID)
    others = [row.label for row in FRAMEWORKS[name].rows()][1:]
    return Mark(colour, *_open(others.index(label) if label in others else crc32(label.encode())))


def _open(place: int) -> tuple[str, bool, tuple[int, ...]]:
    return SHAPES[place % len(SHAPES)], False, DASHES[place % len(DASHES)]
