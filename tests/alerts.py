"""Alerts, deliveries and silences that tests write into topics and indices."""

from typing import Any

import msgspec

from services.contracts.alert import (
    Alert,
    AlertState,
    Delivery,
    Digest,
    Matcher,
    Outcome,
    Print,
    Sending,
    Silence,
    Worst,
    alert_id,
)
from services.contracts.anomaly import Detection, Rule, Severity

ALERT = Alert(
    timestamp="2039-12-05T15:00:00.030000007Z",
    alert_id=alert_id("anomalies", "LOOK", "Off-Market Price", "2039-12-05", "look-60"),
    revision=1,
    state=AlertState.OPENED,
    symbol="LOOK",
    session="2039-12-05",
    rule="anomalies",
    group="Off-Market Price",
    labels=["Off-Market Price", "Z-Score"],
    severity=Severity.HIGH,
    first_severity=Severity.LOW,
    highest_severity=Severity.CRITICAL,
    score=0.875,
    count=2,
    message="51.00 is 2.5% above the last price, 49.75.",
    first_trade="look-60",
    last_trade="look-100",
    last_time="2039-12-05T15:00:00.050000007Z",
    anomalies=["look-60", "look-100"],
    worst=Worst(
        Print("look-100", "2039-12-05T15:00:00.050000007Z", 51.0, 200.0, "B"),
        [
            Detection(
                "clearly_erroneous",
                "Clearly Erroneous",
                0.875,
                51.0,
                49.75,
                50.5,
                "because",
                Rule(49.75, 0.03, 51.2425, "2039-12-05T15:30:00Z"),
            )
        ],
        source="alpaca",
        venue="XNAS",
    ),
    quiet_s=300.0,
    cancelled=["look-60"],
    inhibited_by="0" * 32,
    trades=[
        Print("look-99", "2039-12-05T15:00:00.049000007Z", 50.99, 199.0, "A"),
        Print("look-100", "2039-12-05T15:00:00.050000007Z", 51.0, 0.25),
    ],
    links={"dashboard": "http://127.0.0.1:8501/alerts?id=1", "kibana": "http://127.0.0.1:5601/"},
    sending=Sending.STALE,
    is_missed=True,
    decided_at="2039-12-05T15:00:00.120000Z",
)
"""One with every field."""

DELIVERY = Delivery(
    timestamp="2039-12-05T15:00:00.300000Z",
    alert_id=ALERT.alert_id,
    revision=1,
    channel="desk",
    outcome=Outcome.FAILED,
    attempt=2,
    reason="500 Internal Server Error",
    status=500,
    seconds=0.125,
    retry_at="2039-12-05T15:00:02.300000Z",
    symbol="LOOK",
    severity=Severity.CRITICAL,
    rule="anomalies",
    silence_id="lunch",
    alert_offset=17,
    digest=Digest(
        "2039-12-05T15:00:00.200000Z", "d" * 32, "desk", 14, 9, "the budget of 20 an hour was used up", ALERT
    ),
)

SILENCE = Silence(
    timestamp="2039-12-05T14:00:00Z",
    silence_id="lunch",
    matcher=Matcher(["LOOK", "BTC-*"], ["Z-Score"], ["anomalies"], ["desk"], Severity.HIGH),
    expires_at="2039-12-05T16:00:00Z",
    reason="the index is being rebalanced",
    author="Kim",
    expired_by="Lee",
)


def changed(alert: Alert = ALERT, **fields: Any) -> Alert:
    """Return another alert: the same but for some fields, with an id of its own."""
    other = msgspec.structs.replace(alert, **fields)
    own = alert_id(other.rule, other.symbol, other.group, other.session, other.first_trade)
    return msgspec.structs.replace(other, alert_id=own)
