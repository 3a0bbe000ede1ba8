from dashboard.ui.palette import PRICE_COLOR, SEVERITY_SIZES, SIDE_COLORS
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
    for color in [*SEVERITY_COLORS.values(), *SIDE_COLORS.values(), PRICE_COLOR]:
        assert contrast(color, LIGHT) >= 2.7, color
        assert contrast(color, DARK) >= 2.7, color
