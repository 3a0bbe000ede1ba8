import datetime as dt
import re

from dashboard.ui.anomaly_details import (
    UNITS,
    detections_html,
    facts_html,
    sentence_html,
    verdict_html,
)
from services.contracts.detectors import LABELS
from services.review.verdicts import Verdict
from tests.unit.dashboard.answers import anomaly

EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
TIME = dt.datetime(2026, 3, 2, 15, 30, tzinfo=dt.UTC)


def detection(label: str, score: float, **fields: object) -> dict[str, object]:
    return {"label": label, "score": score, "value": 1500.0, "expected": 20.49, "threshold": 100.0} | fields


def flagged(*detections: dict[str, object], **fields: object) -> dict[str, object]:
    return {"price": 138.65, "detections": detections, **fields}


def test_the_headline_has_the_time_and_only_the_facts_that_there_are() -> None:
    html = facts_html(anomaly("7", session="2026-03-02"))
    assert "2026-03-02 14:31:00.000" in html
    assert "Sell" in html
    assert "Session" in html
    assert "Profile" not in html


def test_an_anomaly_that_has_grown_says_how_far() -> None:
    grown = anomaly("7", count=1_234, first_trade="7", last_trade="9-9", revision=3)
    assert "1,234" in facts_html(grown)
    assert "9-9" in facts_html(grown)
    assert "Prints" not in facts_html(anomaly("7", count=1, first_trade="7", last_trade="7", revision=1))


def test_detections_stand_highest_score_first_with_their_numbers() -> None:
    html = detections_html(flagged(detection("Burst", 0.5), detection("High Volume", 0.9, reason="too many")))
    assert html.index("High Volume") < html.index("Burst")
    for text in ("1,500 shares", "20 shares", "100 shares", "0.900", "too many", "in shares", "1,500<"):
        assert text in html


def test_prices_have_the_ticks_decimals_and_a_limit_is_the_last_price_before_it() -> None:
    found = detection("Off-Market Price", 0.9, value=138.65, expected=142.063, threshold=141.86158)
    assert _cells(detections_html(flagged(found))) == ["138.65", "142.06", "141.87"]
    above = found | {"value": 143.9, "threshold": 142.26158}
    assert _cells(detections_html(flagged(above, price=143.9))) == ["143.90", "142.06", "142.26"]
    features = {"price_low": 1.0852, "price_high": 1.08534}
    fine = found | {"value": 1.09, "expected": 1.08527, "threshold": 1.086037}
    assert _cells(detections_html(flagged(fine, price=1.09, features=features)))[-1] == "1.08603"
    assert _cells(detections_html(flagged(found | {"threshold": None}, price=None)))[-1] == "-"


def _cells(html: str) -> list[str]:
    """Return the numbers of the first row, without the score."""
    return re.findall(r"tabular-nums\">([^<]*)<", html)[:3]


def test_a_rule_stands_below_its_reason_with_the_deadline_on_the_exchanges_clock() -> None:
    rule = {"reference": 100.0, "band": 0.06, "limit": 106.0, "deadline": "2026-03-02T14:01:07Z"}
    html = detections_html(flagged(detection("Would-Be Clearly Erroneous", 0.9, rule=rule)))
    assert "Reference 100, band 6%, limit 106, request review by 2026-03-02 14:01:07 (UTC)" in html
    del rule["deadline"]
    assert "request" not in detections_html(flagged(detection("Would-Be LULD Band", 0.9, rule=rule)))


def test_the_numbers_of_every_label_have_a_unit() -> None:
    assert set(UNITS) == set(LABELS)


def test_what_comes_from_the_data_is_text() -> None:
    evil = anomaly(EVIL, symbol=EVIL, message=EVIL, severity=EVIL, side=EVIL, anomalies=[EVIL])
    pages = [
        sentence_html(evil),
        facts_html(evil),
        detections_html(flagged(detection(EVIL, 0.5, reason=EVIL))),
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


def test_the_venue_and_the_conditions_of_the_trade_are_among_the_facts() -> None:
    trade = anomaly(
        "7",
        venue="XNYS",
        tape="A",
        conditions=["odd_lot", "late"],
        conditions_raw=["I", "Z"],
        price_eligible=False,
        anchor_eligible=True,
        extra={"desk": EVIL, EVIL: 1},
    )
    html = facts_html(trade)
    for text in ("XNYS", "odd lot, late (I, Z)", "the market&#x27;s price", "desk", ESCAPED):
        assert text in html
    assert "later prices" not in html
    assert "<script" not in html
    assert "Conditions" not in facts_html(anomaly("7"))
