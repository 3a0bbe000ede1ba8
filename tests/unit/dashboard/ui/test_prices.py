import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.ui.prices import (
    PriceRange,
    axis_range,
    limit_text,
    market_range,
    price_text,
    reaching,
    tick_decimals,
)


@pytest.mark.parametrize(
    ("prices", "decimals"),
    [
        ([140.87, 140.9, 141.0], 2),
        ([140.9, 140.0], 2),
        ([0.1234, 0.5], 4),
        ([1.23456, 1.2], 5),
        ([97_000.0, 97_001.0], 0),
        ([5.0, 6.0], 2),
        ([100.0] * 19 + [100.125], 2),
        ([100.0] * 3 + [100.125], 3),
        ([1 / 3], 9),
    ],
)
def test_the_ticks_decimals_are_those_of_nearly_all_prices(prices: list[float], decimals: int) -> None:
    assert tick_decimals(pd.Series(prices)) == decimals


@pytest.mark.parametrize(
    ("price", "decimals", "text"),
    [
        (140.9, 2, "140.90"),
        (1444.9, 2, "1,444.90"),
        (100.125, 2, "100.125"),
        (97_000.0, 0, "97,000"),
        (-3.5, 2, "-3.50"),
        (0.000012, 2, "1.2e-05"),
    ],
)
def test_a_price_has_the_ticks_decimals_and_all_its_own(price: float, decimals: int, text: str) -> None:
    assert price_text(price, decimals) == text


@given(limit=st.floats(0.5, 10_000), decimals=st.integers(2, 5), above=st.booleans())
def test_a_price_of_the_tick_is_beyond_the_limit_exactly_if_it_is_beyond_what_is_written(
    limit: float, decimals: int, above: bool
) -> None:
    tick = 10.0**-decimals
    written = float(limit_text(limit, limit + (1 if above else -1), decimals).replace(",", ""))
    within = (limit - written) if above else (written - limit)
    assert -2e-6 * tick - 1e-11 <= within < tick


def test_a_limit_that_is_a_price_of_the_tick_is_written_as_it_is() -> None:
    for cents in range(100, 20_000):
        assert limit_text(cents / 100, 0.0, 2) == limit_text(cents / 100, 1e9, 2) == f"{cents / 100:.2f}"


def test_a_price_that_no_neighbour_confirms_is_not_of_the_market() -> None:
    market = market_range(pd.Series([10.0, 10.1, 99.0, 10.2, 10.1]), pd.Series([0.0] * 5), 1.0, 0.002)
    assert market is not None
    assert (market.low, market.high) == pytest.approx((10.0, 10.3))
    assert market.is_beyond(pd.Series([9.9, 10.0, 99.0])).tolist() == [True, False, True]


def test_two_prices_cannot_tell_which_is_wrong() -> None:
    assert market_range(pd.Series([10.0, 99.0]), pd.Series([0.0, 0.0]), 1.0, 0.002) is None


def test_an_axis_of_one_price_has_room_of_two_ticks() -> None:
    shown = axis_range(pd.Series([143.87]), 2)
    assert (shown.low, shown.high) == pytest.approx((143.85, 143.89))


def test_an_axis_reaches_to_another_range_unless_it_would_be_far_longer() -> None:
    shown = PriceRange(10.0, 11.0)
    assert reaching(shown, PriceRange(9.0, 10.5)) == PriceRange(9.0, 11.0)
    assert reaching(shown, PriceRange(10.5, 14.0)) == PriceRange(10.0, 14.0)
    assert reaching(shown, PriceRange(10.5, 14.1)) == shown
