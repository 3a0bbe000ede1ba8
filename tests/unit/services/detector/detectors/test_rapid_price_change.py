import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detector.detectors.rapid_price_change import RapidPriceChange
from tests.unit.services.detector.ticks import flags_in_batches, ticks


def test_changes_beyond_the_threshold_are_flagged_either_way() -> None:
    flags = RapidPriceChange(threshold_ratio=0.05).flag(ticks(price=[100, 105, 110.26, 100, 99]))
    assert flags.at.tolist() == [2, 3]
    assert flags.value.tolist() == pytest.approx([5.26 / 105, -10.26 / 110.26])
    assert "below the 110.26 of the trade before" in flags.reasons[1]


def test_first_trade_has_no_change() -> None:
    assert RapidPriceChange().flag(ticks(price=[100])).at.tolist() == []


def test_price_of_zero_and_negative_prices_are_no_trouble() -> None:
    flags = RapidPriceChange(threshold_ratio=0.05).flag(ticks(price=[0.0, 5.0, -5.0, -5.5]))
    assert flags.at.tolist() == [2, 3]
    assert flags.value.tolist() == pytest.approx([-2.0, -0.1])


@given(price=st.lists(st.floats(0.01, 1000), min_size=1, max_size=40), cut=st.integers(1, 40))
def test_flags_do_not_depend_on_batches(price: list[float], cut: int) -> None:
    whole = flags_in_batches(RapidPriceChange(), ticks(price=price), len(price))
    assert flags_in_batches(RapidPriceChange(), ticks(price=price), cut) == whole
