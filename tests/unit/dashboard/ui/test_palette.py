from itertools import combinations

import numpy as np
import pytest

from dashboard.ui.palette import CHIP_COLORS, EXPECTED_COLOR, PRICE_COLOR, SEVERITY_SIZES, SIDE_COLORS
from services.contracts.anomaly import SEVERITY_COLORS, Severity

LIGHT, DARK = "#ffffff", "#191919"


def luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_severity_has_a_colour_and_more_urgent_is_larger() -> None:
    assert list(SEVERITY_COLORS) == list(Severity)
    assert list(SEVERITY_SIZES.values()) == sorted(SEVERITY_SIZES.values())


def test_colours_stand_out_from_the_light_page_and_from_the_dark_one() -> None:
    for color in [*SEVERITY_COLORS.values(), *SIDE_COLORS.values(), PRICE_COLOR, EXPECTED_COLOR]:
        assert contrast(color, LIGHT) >= 3.0, color
        assert contrast(color, DARK) >= 3.0, color


def test_white_text_can_be_read_on_every_chip() -> None:
    assert list(CHIP_COLORS) == list(Severity)
    for color in CHIP_COLORS.values():
        assert contrast("#ffffff", color) >= 4.5, color


SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""How linear red, green and blue are seen (Machado, Oliveira and Fernandes, 2009)."""

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color: str, sight: str) -> np.ndarray:
    """Return a colour as it is seen, in CIELAB: there, distances are differences that people see."""
    srgb = np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHT[sight]) @ linear, 0, 1)
    x, y, z = np.cbrt(np.maximum(_TO_XYZ @ seen / [0.9505, 1, 1.089], 1e-6))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(
    ("colors", "least"),
    # Chips have their severity written on them, and there are fewer dark colours to choose from.
    [([*SEVERITY_COLORS.values()], 24.0), ([*CHIP_COLORS.values()], 15.0)],
    ids=["marks", "chips"],
)
def test_any_two_severities_stay_apart_however_colours_are_seen(
    sight: str, colors: list[str], least: float
) -> None:
    for one, other in combinations(colors, 2):
        assert np.linalg.norm(lab(one, sight) - lab(other, sight)) >= least, (one, other)
