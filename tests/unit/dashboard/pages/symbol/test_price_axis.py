import pytest

from dashboard.pages.symbol.price_axis import are_few, market_of, price_axis
from dashboard.pages.symbol.queries import Beyond, to_prints
from dashboard.ui.prices import PriceRange
from tests.unit.dashboard.answers import bucket, trade_summary


def day(**bad: float) -> list[dict[str, object]]:
    """Return buckets of a calm day, of which the fifth has a bad price."""
    buckets = [bucket(minute, {"A": 1}, low=99.9, high=100.1) for minute in range(9)]
    for name, price in bad.items():
        buckets[4][name] = {"value": price}
    return buckets


@pytest.mark.parametrize("bad", [{"high": 1000.0}, {"low": 10.0}, {"low": 10.0, "high": 1000.0}])
def test_one_bad_print_is_no_part_of_the_market(bad: dict[str, float]) -> None:
    trades = trade_summary(*day(**bad))
    market = market_of(trades)
    assert market is not None
    assert 90 < market.low < 99.9
    assert 100.1 < market.high < 110
    shown = price_axis(trades, market).shown
    assert 99.8 < shown.low < 99.9
    assert 100.1 < shown.high < 100.2


def test_a_bucket_with_a_bad_print_alone_is_none_either() -> None:
    bad = {"hits": {"hits": [{"fields": {"price": [1000.0]}}]}}
    buckets = [*day(low=1000.0, high=1000.0)]
    buckets[4]["last"] = bad
    market = market_of(trade_summary(*buckets))
    assert market is not None
    assert market.high < 110


def test_a_calm_day_has_every_price_on_its_axis() -> None:
    assert market_of(trade_summary(*day())) is None
    assert market_of(trade_summary(*day(high=100.2))) is None


def test_a_level_that_lasts_is_the_market() -> None:
    fell = [bucket(minute, {"A": 1}, low=49.9, high=50.1) for minute in range(9, 12)]
    for one in fell:
        one["last"] = {"hits": {"hits": [{"fields": {"price": [50.0]}}]}}
    assert market_of(trade_summary(*day(), *fell)) is None


def test_all_prices_are_shown_on_demand() -> None:
    shown = price_axis(trade_summary(*day(low=10.0, high=1000.0)), None).shown
    assert shown.low < 10 < 1000 < shown.high


def test_too_few_buckets_tell_nothing() -> None:
    assert market_of(trade_summary(*day(high=1000.0)[4:6])) is None


def test_many_prints_are_a_market() -> None:
    assert are_few(Beyond(20, 1.0, 1.0, to_prints([])), 100)
    assert not are_few(Beyond(21, 1.0, 1.0, to_prints([])), 100)
    assert are_few(Beyond(100, 1.0, 1.0, to_prints([])), 200_000)
    assert not are_few(Beyond(101, 1.0, 1.0, to_prints([])), 200_000)


def test_the_range_of_the_market_can_be_given() -> None:
    axis = price_axis(trade_summary(*day(high=1000.0)), PriceRange(99.0, 101.0))
    assert (axis.decimals, axis.shown.high < 101) == (2, True)
