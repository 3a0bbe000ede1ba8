import datetime as dt

import pandas as pd

from dashboard.pages.overview.feed_marks import feed_marks
from dashboard.pages.overview.price_chart import price_chart, segments
from dashboard.pages.overview.queries import to_buckets
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict
from tests.unit.dashboard.answers import RANGE, anomaly, anomaly_summary, bucket, drawn, trade_summary

BANDS, TITLES, TICKS, MARKERS, CROSSES = 0, 3, 4, 5, 6
"""Layers of the chart, the first at the bottom."""


def test_a_line_does_not_cross_a_closed_market() -> None:
    frame = to_buckets([bucket(minute, {"A": 1}) for minute in (0, 1, 5, 31, 62, 63)], 60)
    assert segments(frame, 60).tolist() == [0, 0, 0, 0, 0, 0]
    overnight = to_buckets([bucket(minute, {"A": 1}) for minute in (0, 1, 33, 34)], 60)
    assert segments(overnight, 60).tolist() == [0, 0, 1, 1]


def test_a_line_connects_wide_buckets_that_follow_each_other() -> None:
    frame = to_buckets([bucket(minute, {"A": 1}) for minute in (0, 720, 2880)], 43_200)
    assert segments(frame, 43_200).tolist() == [0, 0, 0]


def test_the_price_chart_marks_every_anomaly_the_most_anomalous_on_top() -> None:
    anomalies = anomaly_summary(anomaly("1"), anomaly("2", score=0.1, severity="low", message="<b>small</b>"))
    marks = drawn(price_chart(trade_summary(bucket(0, {"A": 1})), anomalies, RANGE, {}), MARKERS)
    assert [mark["score"] for mark in marks] == [0.1, 0.8]
    assert marks[0]["message"] == "<b>small</b>"
    assert marks[1]["utc"] == "2026-03-02 14:31:00.000"
    assert marks[1]["exchange"] == "2026-03-02 09:31:00.000"
    assert marks[1]["area"] > marks[0]["area"]


def test_the_chosen_anomaly_has_a_ring_and_each_has_its_verdict() -> None:
    verdict = Verdict("1", "confirmed", "", "desk", RANGE.start)
    anomalies = anomaly_summary(anomaly("1"), anomaly("2"))
    chart = price_chart(trade_summary(bucket(0, {"A": 1})), anomalies, RANGE, {"1": verdict}, selected="2")
    marks = {mark["trade_id"]: mark for mark in drawn(chart, MARKERS)}
    assert (marks["1"]["selected"], marks["2"]["selected"]) == (False, True)
    assert (marks["1"]["verdict"], marks["2"]["verdict"]) == ("confirmed", "none yet")


def test_a_candle_goes_from_the_first_price_to_the_last() -> None:
    fell = bucket(0, {"A": 1}) | {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    (candle,) = drawn(price_chart(trade_summary(fell), anomaly_summary(), RANGE, {}, candles=True), 1)
    assert (candle["first"], candle["last"], candle["low"], candle["high"]) == (100.5, 100.0, 99.0, 101.0)
    assert not candle["rose"]


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
    chart = price_chart(trade_summary(bucket(0, {"A": 1})), anomaly_summary(), RANGE, {}, happened=happened)
    assert [band["title"] for band in drawn(chart, BANDS)] == ["Feed not connected", ""]
    assert [tick["text"] for tick in drawn(chart, TICKS)] == ["coinbase: 7 prints"]


def test_a_cancelled_print_has_a_cross_and_its_anomaly_says_who_cancelled_it() -> None:
    said = {"1": VenueCorrection("1", "cancel", RANGE.start)}
    crosses = pd.DataFrame(
        {"time": [pd.Timestamp(RANGE.start)], "trade_id": ["1"], "price": [100.5], "size": [5.0]}
    )
    chart = price_chart(
        trade_summary(bucket(0, {"A": 1})),
        anomaly_summary(anomaly("1"), anomaly("2")),
        RANGE,
        {},
        corrections=said,
        crosses=crosses,
    )
    (cross,) = drawn(chart, CROSSES)
    assert cross["venue"] == "cancelled by the venue at 14:30:00 UTC on 2026-03-02"
    assert {mark["trade_id"]: mark["venue"] for mark in drawn(chart, MARKERS)} == {
        "1": cross["venue"],
        "2": "",
    }
