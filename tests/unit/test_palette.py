"""Frameworks keep their colours and marks, and can be told apart with any colour vision on either background."""

from itertools import combinations

import numpy as np
import pytest

from orchestrator.catalogue import FRAMEWORKS, every_entry
from orchestrator.report.palette import DARK, LIGHT, OWN, Mark, mark_of

# Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
# Ottosson (2020): linear RGB to cones, their cube roots to OKLab, where a distance of 0.02 is just noticeable.
TO_CONES = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
TO_OKLAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip
ANY_TWO = 0.07
SAME_SHAPE = 0.15


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(linear(colour) @ (0.2126, 0.7152, 0.0722)) + 0.05 for colour in (one, other))
    return high / low


def distance(one: str, other: str) -> float:
    """Return the smallest distance of two colours under any vision."""
    return min(
        float(np.linalg.norm(seen(one, vision) - seen(other, vision)))
        for vision in VISIONS.values()
    )  # fmt: skip


def seen(colour: str, vision: np.ndarray) -> np.ndarray:
    return TO_OKLAB @ np.cbrt(TO_CONES @ np.clip(vision @ linear(colour), 0, 1))


def too_near(marks: dict[str, Mark]) -> list[tuple[str, str]]:
    """Return the frameworks of other colours that are too hard to tell apart."""
    bad = []
    for (one, a), (other, b) in combinations(marks.items(), 2):
        same_mark = (a.shape, a.filled) == (b.shape, b.filled) and a.filled
        if a.colour != b.colour and distance(a.colour, b.colour) < (SAME_SHAPE if same_mark else ANY_TWO):
            bad.append((one, other))
    return bad


def every_mark() -> dict[str, Mark]:
    return {entry.label: mark_of(entry.label) for entry in every_entry()}


def test_every_framework_of_the_catalogue_has_a_colour_and_a_shape_of_its_own() -> None:
    assert list(OWN) == list(FRAMEWORKS)
    assert len({colour for colour, _ in OWN.values()}) == len(OWN)


def test_any_two_frameworks_are_told_apart_with_any_colour_vision() -> None:
    assert too_near(every_mark()) == []


def test_colours_that_only_a_normal_eye_tells_apart_are_found() -> None:
    marks = {"one": Mark("#b04a4a", "circle", True, (1, 0)), "other": Mark("#6e6e1e", "circle", True, (1, 0))}
    assert np.linalg.norm(seen("#b04a4a", VISIONS["normal"]) - seen("#6e6e1e", VISIONS["normal"])) > SAME_SHAPE
    assert too_near(marks) == [("one", "other")]


@pytest.mark.parametrize("background", [LIGHT, DARK])
def test_every_colour_stands_out_from_the_background(background: str) -> None:
    assert {name for name, (colour, _) in OWN.items() if contrast(colour, background) < 3} == set()


def test_contrast_is_that_of_the_accessibility_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_modes_and_versions_share_their_framework_s_colour_and_differ_in_shape_and_dash() -> None:
    for entry in FRAMEWORKS.values():
        own = [mark_of(row.label) for row in entry.rows()]
        assert {mark.colour for mark in own} == {OWN[entry.name][0]}
        assert [mark.filled for mark in own] == [True] + [False] * (len(own) - 1)
        assert len({mark.dash for mark in own}) == len(own)
        assert len({(mark.shape, mark.filled) for mark in own}) == len(own)


def test_a_name_that_is_unknown_looks_the_same_everywhere_and_like_no_framework_s_own_mark() -> None:
    assert mark_of("mine") == mark_of("mine@2")
    assert not mark_of("mine").filled
    assert mark_of("tf:new").colour == mark_of("tf").colour
    assert not mark_of("tf:new").filled
