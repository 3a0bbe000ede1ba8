import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.sources.ticks import on_grid, tick_of


@given(price_nanos=st.integers(1, 10**15))
def test_a_price_goes_to_the_nearest_tick_of_its_grid_and_stays_there(price_nanos: int) -> None:
    rounded = int(on_grid(price_nanos))
    tick = int(tick_of(price_nanos))
    assert tick == (10_000_000 if price_nanos >= 1_000_000_000 else 100_000)
    assert rounded > 0
    assert rounded % tick == 0
    assert abs(rounded - price_nanos) <= tick / 2 or rounded == tick
    assert int(on_grid(rounded)) == rounded


def test_columns_are_rounded_each_on_its_own_grid() -> None:
    prices = np.array([123_456_789, 1_234_567_890, 1])
    assert on_grid(prices).tolist() == [123_500_000, 1_230_000_000, 100_000]
