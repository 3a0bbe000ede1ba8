import pytest

from dashboard.ui.units import meaning_of, number, with_unit
from services.contracts.detectors import DETECTORS


@pytest.mark.parametrize(
    ("value", "text"),
    [(50_000.0, "50,000"), (-3, "-3"), (139.25, "139.25"), (0.000123456, "0.0001235"), (None, "-"), (0, "0")],
)
def test_numbers_have_the_digits_that_matter(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "detector", "text"),
    [
        (140.9, "off_market_price", "140.90"),
        (138.39726394443815, "fast_market", "138.40"),
        (3114.0, "unusual_size", "3,114 shares"),
        (94.668, "unusual_size", "95 shares"),
        (4.7042, "burst", "4.7042"),
        (0.0, "burst", "no burst"),
        (19.9, "silence", "19.9 s"),
        (0.025, "rapid_price_change", "2.500%"),
        (0.03, "column_change", "3%"),
        (12.0, "print_storm", "12 prints"),
        (None, "burst", "-"),
    ],
)
def test_a_number_has_the_unit_of_its_detector(value: float | None, detector: str, text: str) -> None:
    assert with_unit(value, DETECTORS[detector].unit, 2) == text


def test_a_unit_that_says_little_is_explained() -> None:
    assert "within 50 ms" in meaning_of(DETECTORS["burst"].unit)
    assert meaning_of("in seconds") == "in seconds"
