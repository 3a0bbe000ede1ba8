import datetime as dt

import pytest

from dashboard.pages.symbol.volume_chart import volume_chart
from dashboard.ui.time_ranges import TimeRange
from tests.unit.dashboard.answers import RANGE, anomaly, bucket, drawn, drawn_prices, trade_summary


@pytest.mark.parametrize("candles", [False, True])
def test_new_data_change_nothing_but_the_data(candles: bool) -> None:
    first = {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    few = trade_summary(bucket(0, {"A": 1}) | first)
    many = trade_summary(*(bucket(m, {"N": 10 ** (m % 9), "B": 4}, low=98 - m) | first for m in range(99)))
    charts = [
        [drawn_prices(trades, *anomalies, candles=candles), volume_chart(trades, RANGE)]
        for trades, anomalies in ((few, []), (many, [anomaly("1")]))
    ]
    for one, other in zip(*charts, strict=True):
        assert one.spec == other.spec
        assert [list(data) for data in one.datasets.values()] == [
            list(data) for data in other.datasets.values()
        ]


def test_a_chart_is_not_changed_by_who_drew_one_before() -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    volume_chart(trades, RANGE).to_dict()["layer"].clear()
    assert len(volume_chart(trades, RANGE).spec["layer"]) == 3


@pytest.mark.parametrize("candles", [False, True])
def test_only_markers_and_labels_are_read_out(candles: bool) -> None:
    first = {"first": {"hits": {"hits": [{"fields": {"price": [100.5]}}]}}}
    trades = trade_summary(bucket(0, {"A": 1}) | first)
    price = drawn_prices(trades, candles=candles)
    for chart in (price, volume_chart(trades, RANGE)):
        read_out = {layer["mark"]["type"] for layer in chart.spec["layer"] if layer["mark"].get("aria", True)}
        assert read_out <= {"point", "text"}


def test_the_time_axis_is_what_was_asked_for_in_both_charts() -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    for chart in (drawn_prices(trades), volume_chart(trades, RANGE)):
        scale = chart.spec["layer"][0]["encoding"]["x"]["scale"]
        assert [end["expr"] for end in scale["domain"]] == ["data('axis')[0].start", "data('axis')[0].end"]
        (ends,) = drawn(chart, "axis")
        assert (ends["start"], ends["end"]) == (RANGE.start.timestamp() * 1000, RANGE.end.timestamp() * 1000)
        assert scale["type"] == "utc"


def test_another_time_range_changes_nothing_but_the_data() -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    later = TimeRange(RANGE.start + dt.timedelta(minutes=7), RANGE.end)
    one, other = (volume_chart(trades, shown) for shown in (RANGE, later))
    assert one.spec == other.spec
    assert drawn(one, "axis") != drawn(other, "axis")
