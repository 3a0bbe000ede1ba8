import datetime as dt

import numpy as np
import pytest

from dashboard.pages.symbol.expected import PRICES, RATES, SIZES, Expected, session_of, stretched, to_buckets
from dashboard.ui.prices import PriceRange
from dashboard.ui.time_ranges import Period, TimeRange
from tests.unit.dashboard.answers import OPEN, bucket, expected_of, trade_summary

HOUR = dt.timedelta(hours=1)


def test_a_time_range_is_of_one_session_by_the_exchanges_clock() -> None:
    evening = dt.datetime(2026, 3, 3, 3, tzinfo=dt.UTC)  # 22:00 of the day before in New York
    assert session_of(TimeRange(evening, evening + HOUR)) == Period(dt.date(2026, 3, 2), dt.date(2026, 3, 2))
    midnight = Period(OPEN.date(), OPEN.date()).time_range.end
    assert session_of(TimeRange(OPEN, midnight)) is not None
    assert session_of(TimeRange(OPEN, midnight + HOUR)) is None


def test_what_is_expected_lasts_until_the_next_bucket_and_not_while_the_market_is_closed() -> None:
    trades = trade_summary(*(bucket(minute, {"A": 1}) for minute in (0, 5, 100)))
    drawn = stretched(trades.buckets, trades.bucket_s)
    assert drawn["segment"].tolist() == [0, 0, 1]
    seconds = (drawn["end"] - drawn["start"]).dt.total_seconds()
    assert seconds.tolist() == [300, 60, 60]


def test_only_what_is_compared_is_drawn() -> None:
    only_sizes = expected_of([bucket(0, {"A": 1})], size=5.0, usual_size=2.0, size_limit=9.0)
    assert [only_sizes.has(names) for names in (PRICES, SIZES, RATES)] == [False, True, False]
    assert only_sizes.likely is None
    assert not Expected("Not known.").has(PRICES)


def test_the_likely_prices_are_those_that_mostly_are_not_flagged() -> None:
    buckets = [bucket(minute, {"A": 1}) for minute in range(3)]
    expected = expected_of(buckets, low=[1, 2, 3], high=[4, 5, 6], lowest=[-90, 1, 2], highest=[7, 8, 900])
    assert expected.likely == PriceRange(1, 8)


def test_what_was_found_has_the_times_of_its_buckets() -> None:
    trades = trade_summary(bucket(0, {"A": 1}), bucket(3, {"A": 1}))
    found = np.zeros(2, [(name, "f8") for name in (*PRICES, *SIZES, *RATES)])
    found["highest"] = [1.5, 2.5]
    laid_out = to_buckets(trades.buckets, found)
    assert laid_out["highest"].tolist() == [1.5, 2.5]
    assert laid_out["start"].tolist() == trades.buckets["start"].tolist()


@pytest.mark.parametrize("names", [PRICES, SIZES, RATES])
def test_a_bucket_without_a_comparison_does_not_hide_the_others(names: tuple[str, ...]) -> None:
    buckets = [bucket(minute, {"A": 1}) for minute in range(2)]
    assert expected_of(buckets, **{name: [np.nan, 1.0] for name in names}).has(names)
