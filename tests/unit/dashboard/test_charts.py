from typing import Any

import pandas as pd
import pytest

from dashboard.charts import (
    Chart,
    price_chart,
    segments,
    tall_bars,
    volume_blocks,
    volume_chart,
    volume_limit,
)
from dashboard.queries import TradeSummary, to_buckets
from services.review.verdicts import Verdict
from tests.unit.dashboard.answers import RANGE, anomaly, anomaly_summary, bucket, trade_summary


def drawn(chart: Chart, layer: int) -> list[dict[str, Any]]:
    """Return the rows that a layer of a chart draws."""
    return chart.datasets[chart.spec["layer"][layer]["data"]["name"]].to_dict("records")


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
    marks = drawn(price_chart(trade_summary(bucket(0, {"A": 1})), anomalies, RANGE, {}), 2)
    assert [mark["score"] for mark in marks] == [0.1, 0.8]
    assert marks[0]["message"] == "<b>small</b>"
    assert marks[1]["utc"] == "2026-03-02 14:31:00.000"
    assert marks[1]["exchange"] == "2026-03-02 09:31:00.000"
    assert marks[1]["area"] > marks[0]["area"]


def test_the_chosen_anomaly_has_a_ring_and_each_has_its_verdict() -> None:
    verdict = Verdict("1", "confirmed", "", "desk", RANGE.start)
    anomalies = anomaly_summary(anomaly("1"), anomaly("2"))
    chart = price_chart(trade_summary(bucket(0, {"A": 1})), anomalies, RANGE, {"1": verdict}, selected="2")
    marks = {mark["trade_id"]: mark for mark in drawn(chart, 2)}
    assert (marks["1"]["selected"], marks["2"]["selected"]) == (False, True)
    assert (marks["1"]["verdict"], marks["2"]["verdict"]) == ("confirmed", "none yet")


def test_a_candle_goes_from_the_first_price_to_the_last() -> None:
    fell = bucket(0, {"A": 1}) | {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    (candle,) = drawn(price_chart(trade_summary(fell), anomaly_summary(), RANGE, {}, candles=True), 0)
    assert (candle["first"], candle["last"], candle["low"], candle["high"]) == (100.5, 100.0, 99.0, 101.0)
    assert not candle["rose"]


@pytest.mark.parametrize("candles", [False, True])
def test_new_data_change_nothing_but_the_data(candles: bool) -> None:
    first = {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    few = trade_summary(bucket(0, {"A": 1}) | first)
    many = trade_summary(*(bucket(m, {"N": 10 ** (m % 9), "B": 4}, low=98 - m) | first for m in range(99)))
    charts = [
        [price_chart(trades, anomalies, RANGE, {}, candles=candles), volume_chart(trades, RANGE)]
        for trades, anomalies in ((few, anomaly_summary()), (many, anomaly_summary(anomaly("1"))))
    ]
    for one, other in zip(*charts, strict=True):
        assert one.spec == other.spec
        assert [list(data) for data in one.datasets.values()] == [
            list(data) for data in other.datasets.values()
        ]


def test_a_chart_is_not_changed_by_who_draws_it() -> None:
    chart = volume_chart(trade_summary(bucket(0, {"A": 1})), RANGE)
    chart.to_dict()["layer"].clear()
    assert len(chart.spec["layer"]) == 3


@pytest.mark.parametrize("candles", [False, True])
def test_only_markers_and_labels_are_read_out(candles: bool) -> None:
    first = {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    trades = trade_summary(bucket(0, {"A": 1}) | first)
    price = price_chart(trades, anomaly_summary(), RANGE, {}, candles=candles)
    for chart in (price, volume_chart(trades, RANGE)):
        read_out = {layer["mark"]["type"] for layer in chart.spec["layer"] if layer["mark"].get("aria", True)}
        assert read_out <= {"point", "text"}


def test_the_time_axis_is_what_was_asked_for_in_both_charts() -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    for chart in (price_chart(trades, anomaly_summary(), RANGE, {}), volume_chart(trades, RANGE)):
        scale = chart.spec["layer"][0]["encoding"]["x"]["scale"]
        assert scale["domain"] == [RANGE.start.timestamp() * 1000, RANGE.end.timestamp() * 1000]
        assert scale["type"] == "utc"


def test_volume_is_stacked_to_the_total() -> None:
    blocks = volume_blocks(to_buckets([bucket(0, {"A": 7, "B": 5}), bucket(1, {"N": 2})], 60))
    assert blocks[["side", "bottom", "top", "total"]].to_numpy().tolist() == [
        ["Buys", 0, 5, 12],
        ["Sells", 5, 12, 12],
        ["No side", 0, 2, 2],
    ]


def test_a_giant_is_cut_and_says_how_high_it_is() -> None:
    shares = [100] * 98 + [1_000_000, 14_200_000]
    frame = to_buckets([bucket(minute, {"N": n}) for minute, n in enumerate(shares)], 60)
    blocks = volume_blocks(frame)
    limit = volume_limit(pd.Series(shares))
    assert limit < 1_000_000
    # The two stand side by side, where there is room for one label.
    assert tall_bars(blocks, limit, RANGE)["note"].tolist() == ["▲ 14.2 M"]
    labels = drawn(volume_chart(TradeSummary(1, 1, 60, frame), RANGE), 1)
    assert [label["left"] + label["right"] for label in labels] == ["▲ 14.2 M"]


@pytest.mark.parametrize("shares", [[0], [5], [1, 2, 3]])
def test_usual_bars_are_not_cut(shares: list[int]) -> None:
    assert volume_limit(pd.Series(shares)) == max(shares)
