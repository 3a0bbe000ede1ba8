import pandas as pd
import pytest
import streamlit as st

from dashboard.server.one_anomaly import Stretch
from dashboard.ui.around_charts import AroundView
from dashboard.ui.clock import Clock
from dashboard.ui.expected import Expected
from dashboard.ui.legend import BROKEN_LINE, LINE
from dashboard.ui.trades_around import around_legend_html, day_view, expected_texts, stretch_text
from services.contracts.anomaly import SEVERITY_COLORS, Severity

EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


TRADES = pd.DataFrame(
    {
        "place": [-2, -1, 0],
        "severity": ["", "low", "high"],
        "label": ["", "Burst", EVIL],
        "price": [140.87, 140.9, 142.0],
    }
)


def test_the_legend_of_the_trades_around_has_what_is_drawn() -> None:
    html = around_legend_html(TRADES, AroundView(stretch=(0, 0), expected=Expected(size=40.0)))
    assert html.index("high") < html.index("low")
    for text in (SEVERITY_COLORS[Severity.HIGH], "✚</span> Burst", ESCAPED, "Buys", "Sells", "No side"):
        assert text in html
    assert "critical" not in html
    assert "its stretch" in html
    assert f"{LINE}</span> usual size: 40" in html
    assert "its stretch" not in around_legend_html(TRADES, AroundView())


def said(expected: Expected, all_prices: bool = True) -> list[tuple[str, str]]:
    return expected_texts(TRADES, AroundView(all_prices=all_prices, expected=expected))


def test_what_was_expected_is_said_in_prices_and_shares_each_with_a_sign_of_its_own() -> None:
    assert said(Expected(140.87, 140.9, 140.951234, 40.0, 1560.2)) == [
        ("▮", "recent prices it was compared with: 140.87 to 140.90"),
        (BROKEN_LINE, "a price is flagged beyond 140.95"),
        (LINE, "usual size: 40"),
        (BROKEN_LINE, "a size is flagged above 1,560"),
    ]
    assert said(Expected(low=1.5, high=1.5)) == [("▮", "recent prices it was compared with: 1.50")]
    assert said(Expected()) == []


def test_a_limit_that_is_not_drawn_has_no_sign_but_its_value() -> None:
    ((sign, text),) = said(Expected(price_limit=190.0))
    assert (sign, text) == ("", "a price is flagged beyond 190.00, which is off this chart")


def test_a_stretch_says_its_prints_its_time_and_what_is_not_drawn() -> None:
    start = pd.Timestamp("2026-03-02T15:50:00.010Z")
    trades = pd.DataFrame(
        {"place": range(-2, 3), "time": [start + pd.Timedelta(milliseconds=at) for at in range(0, 50, 10)]}
    )
    assert stretch_text(Stretch(3, 1, 1), trades, (-1, 1)) == (
        "The stretch: 3 prints by the detector's count, among 3 trades in 20 ms, from 15:50:00.020 to "
        "15:50:00.040 UTC."
    )
    assert stretch_text(Stretch(3, 1, 900), trades, (-1, 2)) == (
        "The stretch: 3 prints by the detector's count, among 902 trades; drawn are 4 of them, 30 ms from "
        "15:50:00.020 to 15:50:00.050 UTC."
    )


def test_a_stretch_has_its_times_by_the_chosen_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {"zone-clock": Clock("Asia/Tokyo")})
    times = pd.to_datetime(["2026-03-02T15:50:00.010Z", "2026-03-02T15:50:00.030Z"], utc=True)
    text = stretch_text(Stretch(2, 0, 1), pd.DataFrame({"place": [0, 1], "time": times}), (0, 1))
    assert text.endswith("in 20 ms, from 00:50:00.010 to 00:50:00.030 Tokyo.")


def test_the_day_is_opened_around_the_trades() -> None:
    times = pd.to_datetime(
        ["2026-03-02T15:50:00.010Z", "2026-03-02T15:50:00.250Z"], format="ISO8601", utc=True
    )
    anomaly = {"symbol": "A#B?c=d", "session": "2026-03-02", "trade_id": "2-1"}
    assert day_view(anomaly, pd.DataFrame({"time": times})) == {
        "symbol": "A#B?c=d",
        "session": "2026-03-02",
        "from": "2026-03-02T15:45:00Z",
        "to": "2026-03-02T15:55:01Z",
        "selected": "2-1",
    }
