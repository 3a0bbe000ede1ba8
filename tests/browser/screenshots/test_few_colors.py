"""Pictures of few colours look like those of many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dashboard.ui.palette import (
    CORRECTION_COLOR,
    EXPECTED_COLOR,
    RING_COLOR,
    SIDE_COLORS,
    STRETCH_COLOR,
    VWAP_COLOR,
)
from services.contracts.anomaly import SEVERITY_COLORS
from tests.browser.screenshots.few_colors import COLORS, with_few_colors

MARKS = [*SEVERITY_COLORS.values(), *SIDE_COLORS.values()]
MARKS += [EXPECTED_COLOR, VWAP_COLOR, RING_COLOR, STRETCH_COLOR, CORRECTION_COLOR]
UNSEEN = 24
"""A distance of colours, of 441 from black to white, at which they still pass for the same."""


def shades(side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a square of blueish grays, many pixels of each."""
    gray = np.linspace(0, 255, side * side).reshape(side, side)
    return np.stack([gray * 0.9, gray * 0.95, gray], axis=2).astype(np.uint8)


def apart(one: Image.Image, other: Image.Image) -> float:
    """Return how far the colours of the same pixel are apart at most."""
    first, second = (np.asarray(picture.convert("RGB"), dtype=np.int64) for picture in (one, other))
    return float(np.sqrt(((first - second) ** 2).sum(axis=2)).max())


@pytest.mark.parametrize("opacity", [1.0, 0.7])
def test_a_mark_of_a_few_pixels_keeps_its_colour_beside_hundreds_of_frequent_ones(opacity: float) -> None:
    pixels = shades(400)
    for number, color in enumerate(MARKS):
        of_mark = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)])
        pixels[10 + 10 * number, 5:8] = opacity * of_mark + (1 - opacity) * 255
    picture = Image.fromarray(pixels)
    drawn = with_few_colors(picture)
    assert len(drawn.getcolors() or []) <= COLORS
    assert apart(picture, drawn) < UNSEEN


@given(st.integers(0, 2**32 - 1), st.integers(1, COLORS))
def test_a_picture_of_few_colours_stays_as_it_is(seed: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    colors = chance.integers(0, 256, (count, 3), dtype=np.uint8)
    picture = Image.fromarray(colors[chance.integers(0, count, (7, 11))])
    assert apart(picture, with_few_colors(picture)) == 0
