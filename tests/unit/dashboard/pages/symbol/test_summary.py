from dataclasses import replace

from dashboard.pages.symbol.price_axis import price_axis
from dashboard.pages.symbol.summary import expected_text, summary_html, summary_text
from tests.unit.dashboard.answers import RANGE, anomaly, anomaly_summary, bucket, expected_of, trade_summary

TRADES = trade_summary(bucket(0, {"A": 1}), bucket(1, {"B": 2}, low=98.5))
AXIS = price_axis(TRADES, None)


def test_the_charts_are_said_in_a_sentence() -> None:
    anomalies = replace(anomaly_summary(anomaly("1")), chosen_by_severity={"high": 1})
    assert summary_text("ACME", TRADES, anomalies, AXIS, RANGE) == (
        "Charts of ACME from 2026-03-02 14:30:00 to 16:30:00 UTC: 6 trades between 98.50 and 101.00, "
        "the last at 100.00; 1 anomalies (1 high)."
    )


def test_a_symbol_is_only_text_in_it() -> None:
    html = summary_html("<b>EVIL</b>", TRADES, anomaly_summary(), AXIS, RANGE)
    assert "&lt;b&gt;EVIL" in html
    assert "<b>" not in html


def test_what_was_expected_at_the_end_is_said_as_far_as_it_is_known() -> None:
    buckets = [bucket(0, {"A": 1}), bucket(1, {"B": 2})]
    known = expected_of(
        buckets,
        low=99.0,
        high=101.0,
        lowest=[90.0, 98.504],
        highest=[110.0, 101.5],
        size=5.0,
        usual_size=120.0,
        size_limit=[9.0, 2_500.0],
        rate=12.0,
        usual_rate=8.0,
        rate_limit=26.0,
    )
    assert expected_text(known, AXIS) == (
        " Expected at the end: prices from 98.50 to 101.50 are not flagged; the usual size is 120, and a "
        "size beyond 2,500 is flagged; 8 trades a second are usual, 12 came."
    )
    assert expected_text(expected_of(buckets), AXIS) == ""
    assert summary_html("ACME", TRADES, anomaly_summary(), AXIS, RANGE, known).endswith("12 came.</p>")
