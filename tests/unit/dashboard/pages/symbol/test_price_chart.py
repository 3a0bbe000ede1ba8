import datetime as dt

import pandas as pd

from dashboard.pages.symbol.feed_marks import feed_marks
from dashboard.pages.symbol.marker_layers import Said
from dashboard.pages.symbol.price_axis import price_axis
from dashboard.pages.symbol.price_chart import Marks, price_chart
from dashboard.pages.symbol.queries import to_prints
from dashboard.ui.prices import PriceRange
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict
from tests.unit.dashboard.answers import (
    RANGE,
    anomaly,
    anomaly_summary,
    bucket,
    drawn,
    drawn_prices,
    trade_summary,
)


def test_every_anomaly_is_marked_the_most_anomalous_on_top() -> None:
    found = [anomaly("1"), anomaly("2", score=0.1, severity="low", message="<b>small</b>")]
    marks = drawn(drawn_prices(trade_summary(bucket(0, {"A": 1})), *found), "marks")
    assert [mark["score"] for mark in marks] == [0.1, 0.8]
    assert marks[0]["message"] == "<b>small</b>"
    assert marks[1]["utc"] == "2026-03-02 14:31:00.000"
    assert marks[1]["area"] > marks[0]["area"]


def test_the_chosen_anomaly_has_a_ring_and_each_has_its_verdict() -> None:
    said = Said({"1": Verdict("1", "confirmed", "", "desk", RANGE.start)})
    trades = trade_summary(bucket(0, {"A": 1}))
    chart = drawn_prices(trades, anomaly("1"), anomaly("2"), said=said, selected="2")
    marks = {mark["trade_id"]: mark for mark in drawn(chart, "marks")}
    assert (marks["1"]["selected"], marks["2"]["selected"]) == (False, True)
    assert (marks["1"]["verdict"], marks["2"]["verdict"]) == ("confirmed", "none yet")


def test_a_candle_goes_from_the_first_price_to_the_last() -> None:
    fell = bucket(0, {"A": 1}) | {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    (candle,) = drawn(drawn_prices(trade_summary(fell), candles=True), "candles")
    assert (candle["first"], candle["last"], candle["low"], candle["high"]) == (100.5, 100.0, 99.0, 101.0)
    assert not candle["rose"]


def test_prices_in_texts_and_on_the_axis_have_the_decimals_of_the_tick() -> None:
    chart = drawn_prices(trade_summary(bucket(0, {"A": 1}, low=99.9, high=101.25)), anomaly("1", price=100.9))
    (one,) = drawn(chart, "buckets")
    assert (one["low_text"], one["high_text"], one["last_text"]) == ("99.90", "101.25", "100.00")
    assert drawn(chart, "marks")[0]["price"] == "100.90"
    (axis,) = drawn(chart, "axis")
    assert axis["decimals"] == 2


def test_line_and_candles_of_any_prices_share_one_specification_so_that_the_browser_keeps_the_chart() -> None:
    fell = bucket(0, {"A": 1}) | {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    candles = drawn_prices(trade_summary(fell), candles=True)
    line = drawn_prices(trade_summary(bucket(0, {"A": 1}, low=99.9, high=101.255)), anomaly("1"))
    assert candles.spec == line.spec
    assert [*candles.datasets] == [*line.datasets]
    assert drawn(candles, "buckets") == drawn(line, "candles") == []
    assert drawn(candles, "axis")[0]["decimals"] != drawn(line, "axis")[0]["decimals"]


def test_a_price_axis_with_one_price_has_room_on_both_sides() -> None:
    (ends,) = drawn(drawn_prices(trade_summary(bucket(0, {"A": 1}, low=100, high=100))), "axis")
    assert (ends["low"], ends["high"]) == (99.98, 100.02)


def test_a_print_far_off_the_market_stands_at_the_edge_with_its_price_and_flattens_nothing() -> None:
    buckets = [bucket(minute, {"A": 1}, low=99.9, high=100.1) for minute in range(9)]
    buckets[4]["high"] = {"value": 1000.5}
    trades = trade_summary(*buckets)
    axis = price_axis(trades, PriceRange(95.0, 105.0))
    beyond = to_prints([{"@timestamp": RANGE.start.isoformat(), "trade_id": "1", "price": 1000.5, "size": 7}])
    marks = Marks(
        anomaly_summary(anomaly("1", price=1000.5)).rows.assign(until=pd.Series(dtype="datetime64[ns, UTC]")),
        beyond=beyond,
    )
    chart = price_chart(trades, axis, marks, RANGE, Said())
    highest = axis.shown.high
    assert 100.1 < highest < 100.2
    assert max(one["high"] for one in drawn(chart, "buckets")) == highest
    assert drawn(chart, "buckets")[4]["high_text"] == "1,000.50"
    (edge,) = drawn(chart, "edges")
    (mark,) = drawn(chart, "marks")
    assert 100.1 < edge["level"] == mark["level"] < highest
    assert (edge["right"], edge["left"], edge["size"]) == ("▲ 1,000.50", "", 7)
    assert mark["price"] == "1,000.50"


def at(minute: int) -> str:
    return (RANGE.start + dt.timedelta(minutes=minute)).isoformat()


def test_what_happened_to_the_feed_lies_below_the_prices_and_a_long_stretch_has_its_title() -> None:
    events: list[dict[str, object]] = [
        {"@timestamp": at(10), "venue": "coinbase", "event": "lost", "reason": "closed"},
        {"@timestamp": at(40), "venue": "coinbase", "event": "connected"},
        {"@timestamp": at(40), "venue": "coinbase", "event": "gap_opened", "symbol": "ACME"},
        {"@timestamp": at(41), "venue": "coinbase", "event": "gap_filled", "symbol": "ACME", "count": 7},
        {"@timestamp": at(50), "venue": "coinbase", "event": "lost", "reason": "reset"},
        {"@timestamp": at(51), "venue": "coinbase", "event": "connected"},
    ]
    happened = feed_marks(events, ["coinbase"], RANGE, RANGE.end)
    chart = drawn_prices(trade_summary(bucket(0, {"A": 1})), happened=happened)
    assert [band["title"] for band in drawn(chart, "bands")] == ["Feed not connected", ""]
    assert [tick["text"] for tick in drawn(chart, "ticks")] == ["coinbase: 7 prints"]
    names = [layer["data"]["name"] for layer in chart.spec["layer"]]
    assert names.index("bands") < names.index("buckets") < names.index("ticks")


def test_a_cancelled_print_has_a_cross_and_its_anomaly_says_who_cancelled_it() -> None:
    said = Said(corrections={"1": VenueCorrection("1", "cancel", RANGE.start)})
    crosses = to_prints(
        [{"@timestamp": RANGE.start.isoformat(), "trade_id": "1", "price": 100.5, "size": 5.0}]
    )
    trades = trade_summary(bucket(0, {"A": 1}))
    chart = drawn_prices(trades, anomaly("1"), anomaly("2"), said=said, crosses=crosses)
    (cross,) = drawn(chart, "crosses")
    assert cross["venue"] == "cancelled by the venue at 14:30:00 UTC on 2026-03-02"
    assert {mark["trade_id"]: mark["venue"] for mark in drawn(chart, "marks")} == {
        "1": cross["venue"],
        "2": "",
    }


def test_an_anomaly_that_has_grown_is_a_band_from_its_first_print_to_its_last() -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    (band,) = drawn(drawn_prices(trades, anomaly("1"), until="2026-03-02T14:35:00Z"), "stretches")
    assert (band["from"], band["to"]) == ("2026-03-02 14:31:00.000", "2026-03-02 14:35:00.000")
    assert band["severity"] == "high"
    assert not drawn(drawn_prices(trades, anomaly("1")), "stretches")


def test_the_average_price_is_a_line_of_its_own_on_demand() -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    vwap = pd.DataFrame({"start": [pd.Timestamp(RANGE.start)], "vwap": [100.25]})
    anomalies = anomaly_summary().rows.assign(until=pd.Series(dtype="datetime64[ns, UTC]"))
    marks = Marks(anomalies, vwap=vwap)
    (point,) = drawn(price_chart(trades, price_axis(trades, None), marks, RANGE, Said()), "vwap")
    assert (point["vwap"], point["middle"]) == (100.25, RANGE.start.timestamp() * 1000 + 30_000)
    assert "vwap" not in drawn_prices(trades).datasets
