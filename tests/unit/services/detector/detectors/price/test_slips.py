import pytest

from services.detector.detectors.price.slips import slip_text


@pytest.mark.parametrize(
    ("price", "low", "high", "text"),
    [
        (13_750.0, 137.4, 137.6, "x100: a slipped decimal point?"),
        (1_375.0, 137.4, 137.6, "x10: a slipped decimal point?"),
        (13.75, 137.4, 137.6, "/10: a slipped decimal point?"),
        (0.0138, 1.38, 1.39, "/100: a slipped decimal point?"),
        (183.42, 138.4, 138.5, "digits of 138.42 swapped?"),
        (134.82, 138.4, 138.5, "digits of 138.42 swapped?"),
        (138.24, 138.41, 138.43, ""),
        (183.4, 138.35, 138.45, "digits of 138.40 swapped?"),
        (138.9, 138.4, 138.5, ""),
        (-13.7, 137.0, 138.0, ""),
        (5.0, -0.1, 0.2, ""),
    ],
)
def test_a_slip_is_named_where_the_corrected_price_is_near_the_market(
    price: float, low: float, high: float, text: str
) -> None:
    assert slip_text(price, low, high) == text
