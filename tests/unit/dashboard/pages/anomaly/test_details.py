import datetime as dt

import pandas as pd
import pytest

from dashboard.pages.anomaly.details import (
    UNITS,
    around_legend_html,
    detections_html,
    headline_html,
    number,
    verdict_html,
)
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.contracts.detectors import LABELS
from services.review.verdicts import Verdict
from tests.unit.dashboard.answers import anomaly

EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
TIME = dt.datetime(2026, 3, 2, 15, 30, tzinfo=dt.UTC)


def detection(label: str, score: float, **fields: object) -> dict[str, object]:
    return {"label": label, "score": score, "value": 1500.0, "expected": 20.49, "threshold": 100.0} | fields


def test_the_headline_has_both_times_and_only_the_facts_that_there_are() -> None:
    html = headline_html(anomaly("7", session="2026-03-02"))
    assert "2026-03-02 14:31:00.000" in html
    assert "2026-03-02 09:31:00.000" in html
    assert "Sell" in html
    assert "Session" in html
    assert "Profile" not in html


def test_detections_stand_highest_score_first_with_their_numbers() -> None:
    html = detections_html([detection("Burst", 0.5), detection("High Volume", 0.9, reason="too many")])
    assert html.index("High Volume") < html.index("Burst")
    for text in ("1,500", "20.49", "100", "0.900", "too many", "in shares"):
        assert text in html


def test_the_numbers_of_every_label_have_a_unit() -> None:
    assert set(UNITS) == set(LABELS)


def test_the_legend_of_the_trades_around_has_what_is_drawn() -> None:
    html = around_legend_html(pd.DataFrame({"severity": ["", "high", "low"], "label": ["", EVIL, "Burst"]}))
    assert html.index("high") < html.index("low")
    for text in (SEVERITY_COLORS[Severity.HIGH], "✚</span> Burst", ESCAPED, "Buys", "Sells", "No side"):
        assert text in html
    assert "critical" not in html


def test_what_comes_from_the_data_is_text() -> None:
    evil = anomaly(EVIL, symbol=EVIL, message=EVIL, severity=EVIL, side=EVIL, anomalies=[EVIL])
    pages = [
        headline_html(evil),
        detections_html([detection(EVIL, 0.5, reason=EVIL)]),
        verdict_html(Verdict("1", EVIL, EVIL, EVIL, TIME)),
    ]
    for html in pages:
        assert "<script" not in html
        assert ESCAPED in html


def test_a_verdict_shows_its_author_and_time() -> None:
    html = verdict_html(Verdict("1", "false alarm", "An auction.", "Kim", TIME))
    assert "False alarm" in html
    assert "by Kim on 2026-03-02 15:30 UTC" in html
    assert "An auction." in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(50_000.0, "50,000"), (-3, "-3"), (139.25, "139.25"), (0.000123456, "0.0001235"), (None, "-"), (0, "0")],
)
def test_numbers_have_the_digits_that_matter(value: float | None, text: str) -> None:
    assert number(value) == text
