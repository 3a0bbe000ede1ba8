import math

import pytest

from dashboard.pages.symbol.expected import Expected
from dashboard.pages.symbol.expected_charts import rate_chart, size_chart
from dashboard.pages.symbol.price_axis import price_axis, with_likely
from dashboard.ui.palette import EXPECTED_COLOR
from dashboard.ui.prices import PriceRange
from tests.unit.dashboard.answers import RANGE, bucket, drawn, drawn_prices, expected_of, trade_summary

BUCKETS = [bucket(minute, {"A": 1}, low=99.9, high=100.1) for minute in range(3)]
TRADES = trade_summary(*BUCKETS)
PRICES = expected_of(
    BUCKETS, low=[99.95] * 3, high=[100.05, 100.0, 100.05], lowest=[99.7] * 3, highest=[100.3] * 3
)


def test_the_band_and_the_middle_are_what_was_expected_with_the_ticks_decimals() -> None:
    chart = drawn_prices(TRADES, expected=PRICES, axis=with_likely(price_axis(TRADES, None), PRICES.likely))
    rows = drawn(chart, "expected")
    assert [(row["lowest"], row["highest"]) for row in rows] == [(99.7, 100.3)] * 3
    assert [row["middle"] for row in rows] == pytest.approx([100.0, 99.975, 100.0])
    assert rows[0]["recent"] == "99.95 to 100.05"
    assert rows[0]["unflagged"] == "99.70 to 100.30"
    assert rows[0]["utc"] == "2026-03-02 14:30:00 to 14:31:00"
    layers = [layer for layer in chart.spec["layer"] if layer["data"]["name"] == "expected"]
    assert [layer["mark"]["color"] for layer in layers] == [EXPECTED_COLOR] * 2


def test_the_band_lies_below_the_prices_and_is_not_there_unless_it_is_asked_for() -> None:
    names = [layer["data"]["name"] for layer in drawn_prices(TRADES, expected=PRICES).spec["layer"]]
    assert names.index("expected") < names.index("buckets")
    for expected in (None, Expected("Not known.")):
        chart = drawn_prices(TRADES, expected=expected)
        assert "expected" not in chart.datasets
        assert all(layer["data"]["name"] != "expected" for layer in chart.spec["layer"])


def test_the_axis_shows_the_band_but_a_band_far_wider_than_the_prices_does_not_flatten_them() -> None:
    axis = price_axis(TRADES, None)
    shown = with_likely(axis, PRICES.likely).shown
    assert (shown.low, shown.high) == (99.7, 100.3)
    assert with_likely(axis, PriceRange(0.0, 900.0)) == axis
    wide = expected_of(BUCKETS, low=100.0, high=100.0, lowest=-5.0, highest=900.0)
    rows = drawn(drawn_prices(TRADES, expected=wide), "expected")
    assert (rows[0]["lowest"], rows[0]["highest"]) == (axis.shown.low, axis.shown.high)
    assert rows[0]["unflagged"] == "-5.00 to 900.00"


def test_sizes_are_drawn_beside_the_usual_one_and_the_limit_within_the_axis() -> None:
    expected = expected_of(
        BUCKETS, size=[10, 9_000, 0], usual_size=[120.4, 121, 122], size_limit=[2_000, 2_000, 1e30]
    )
    chart = size_chart(expected, 60, RANGE)
    assert chart is not None
    rows = drawn(chart, "rows")
    assert [(row["seen"], row["usual"], row["limit"]) for row in rows] == [
        (10, 120.4, 2_000),
        (9_000, 121, 2_000),
    ]
    assert (rows[1]["seen_text"], rows[0]["usual_text"], rows[1]["limit_text"]) == ("9,000", "120", "2,000")
    assert chart.spec["layer"][1]["encoding"]["y"]["scale"]["type"] == "log"


def test_a_limit_that_nothing_reaches_is_drawn_at_the_edge() -> None:
    chart = rate_chart(
        expected_of(BUCKETS, rate=[4, 6, 8], usual_rate=5, rate_limit=[20, 20, 900]), 60, RANGE
    )
    assert chart is not None
    rows = drawn(chart, "rows")
    assert [row["limit"] for row in rows] == [20, 20, 23]
    assert (rows[2]["limit_text"], rows[0]["seen_text"]) == ("900 a second", "4 a second")


def test_without_a_comparison_there_is_no_chart() -> None:
    assert size_chart(PRICES, 60, RANGE) is None
    assert rate_chart(Expected("Not known."), 60, RANGE) is None
    nothing_seen = expected_of(BUCKETS, size=0.0, usual_size=1.0, size_limit=2.0)
    assert size_chart(nothing_seen, 60, RANGE) is None


def test_a_bucket_without_a_comparison_is_a_gap() -> None:
    rates = expected_of(BUCKETS, rate=[4, math.nan, 8], usual_rate=5.0, rate_limit=[20, math.nan, 20])
    chart = rate_chart(rates, 60, RANGE)
    assert chart is not None
    assert [row["seen"] for row in drawn(chart, "rows")] == [4, 8]
