import datetime as dt

import pytest

from dashboard.pages.symbol.marker_layers import CROWD, Said, are_small, edge_frame, mark_frame
from dashboard.pages.symbol.price_axis import PriceAxis
from dashboard.pages.symbol.queries import to_prints
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.ui.prices import PriceRange
from tests.unit.dashboard.answers import RANGE, anomaly

AXIS = PriceAxis(PriceRange(100.0, 110.0), 2)
CROWDED = to_anomaly_rows(
    [anomaly("high"), anomaly("info", severity="info")]
    + [anomaly(str(number), severity="low") for number in range(CROWD)]
)


def test_a_crowd_of_low_anomalies_stands_at_the_bottom_edge_and_the_others_at_their_prices() -> None:
    marks = mark_frame(CROWDED, AXIS, Said(), [], None).set_index("trade_id")
    assert marks["level"]["high"] == 100.5
    assert marks["level"]["info"] == marks["level"]["7"] == 100.15
    assert marks["area"]["7"] < 70 < marks["area"]["high"]
    assert marks["price"]["7"] == "100.50"


def test_few_low_anomalies_stand_at_their_prices_and_so_do_those_asked_for() -> None:
    few = CROWDED[CROWDED["severity"] != "info"]
    assert not are_small(few, [], None).any()
    assert are_small(CROWDED, ["info"], None).sum() == 0
    assert are_small(CROWDED, [], "7").sum() == CROWD


def test_prints_beyond_the_axis_have_texts_that_do_not_meet() -> None:
    prices = [(0, 500.0), (1, 900.0), (2, 5.0), (119, 700.25)]
    prints = to_prints(
        [
            {
                "@timestamp": (RANGE.start + dt.timedelta(minutes=minute)).isoformat(),
                "trade_id": str(minute),
                "price": price,
                "size": 1,
            }
            for minute, price in prices
        ]
    )
    edges = edge_frame(prints, AXIS, RANGE)
    assert edges["right"].tolist() == ["▲", "▲ 900.00", "▼ 5.00", ""]
    assert edges["left"].tolist() == ["", "", "", "▲ 700.25"]
    assert edges["level"].tolist() == pytest.approx([109.6, 109.6, 100.4, 109.6])


def test_an_anomaly_beyond_the_axis_is_drawn_inside_above_the_small_ones() -> None:
    rows = CROWDED.assign(price=[99.0 if one == "high" else 100.5 for one in CROWDED["trade_id"]])
    levels = mark_frame(rows, AXIS, Said(), [], None).set_index("trade_id")["level"]
    assert levels["high"] == pytest.approx(100.4)
    assert levels["high"] > levels["info"]
    few = mark_frame(rows, AXIS, Said(), ["low", "info"], None).set_index("trade_id")["level"]
    assert few["info"] == 100.5
