import pandas as pd

from dashboard.pages.tuning.review import print_html


def test_a_print_is_shown_as_text_and_without_what_is_said_of_it() -> None:
    trade = {
        "@timestamp": "2026-03-02T15:00:00.000000007Z",
        "symbol": "<b>X</b>",
        "price": 100.25,
        "size": 1200,
        "side": "B",
        "conditions": ["odd_lot"],
        "severity": "critical",
        "score": 0.99,
    }
    shown = print_html(trade, pd.DataFrame({"price": [100.25, 100.26]}))
    assert "<b>X</b>" not in shown
    assert "1,200 at 100.25 · Buy" in shown
    assert "odd lot" in shown
    assert "critical" not in shown
    assert "0.99" not in shown
