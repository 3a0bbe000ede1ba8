"""Alerts as the pages show them: some on the anomalies of `one_anomaly`, with tries to send them."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from elasticsearch import Elasticsearch, helpers

from infra.setup.templates import set_up_templates
from services.contracts.alert import Alert, AlertState, Delivery, Outcome, Print, Sending, Worst
from services.contracts.anomaly import Detection, Severity
from services.contracts.indices import ALERTS_INDICES
from tests.alerts import ALERT, DELIVERY, changed
from tests.browser.one_anomaly import START

EVIL_MESSAGE = '<img src=x onerror="document.title=1"> **bold** :red[red] $x^2$'
INDICES = ["alerts-2039.12", "alert-deliveries-2039.12", "cases"]

_WORST = Worst(
    Print("look-100", "2039-12-05T15:00:00.050000007Z", 51.0, 200.0, "A"),
    [Detection("off_market_price", "Off-Market Price", 0.875, 51.0, 49.75, 50.5, "because")],
)

FIRST = changed(
    ALERT,
    state=AlertState.CLOSED,
    severity=Severity.CRITICAL,
    highest_severity=Severity.CRITICAL,
    revision=3,
    worst=_WORST,
    labels=["Off-Market Price"],
    anomalies=["look-60", "look-100", "look-101"],
    count=3,
    cancelled=[],
    inhibited_by=None,
    sending=Sending.DUE,
    links={"kibana": "javascript:document.title=1"},
)
"""The one with trades around it; the oldest of all."""


def make_alerts() -> list[Alert]:
    """Return five alerts, the oldest first; the fourth was withdrawn."""
    return [
        FIRST,
        _later(1, "BTC-USD", Severity.HIGH, "97,410.5 is 1.9% above the last price, 95,590.1."),
        _later(2, "NVDA", Severity.MEDIUM, EVIL_MESSAGE, sending=Sending.STALE),
        _later(3, "ETH-USD", Severity.HIGH, "It was nothing.", state=AlertState.WITHDRAWN),
        _later(4, "LOOK", Severity.MEDIUM, "1,250,000 shares in one trade; 4,000 are usual."),
    ]


def make_deliveries() -> list[Delivery]:
    """Return the tries to send the first alert: one that failed, and three that did not."""
    tries = [
        (1, "desk", Outcome.FAILED, 1, "500 Internal Server Error", 500),
        (1, "desk", Outcome.SENT, 2, None, 200),
        (1, "pager", Outcome.SENT, 1, None, 202),
        (3, "desk", Outcome.HELD, 0, "the budget of 20 an hour was used up", None),
    ]
    return [
        msgspec.structs.replace(
            DELIVERY,
            timestamp=_time(number / 10),
            alert_id=FIRST.alert_id,
            revision=revision,
            channel=channel,
            outcome=outcome,
            attempt=attempt,
            reason=reason,
            status=status,
            seconds=0.041 if attempt else None,
            retry_at=None,
            silence_id=None,
            digest=None,
        )
        for number, (revision, channel, outcome, attempt, reason, status) in enumerate(tries)
    ]


def remove_alerts(client: Elasticsearch) -> None:
    """Remove what other tests have left: it would be counted on the page, too."""
    left = helpers.scan(client, index=ALERTS_INDICES, _source=False)
    gone = [{"_op_type": "delete", "_index": hit["_index"], "_id": hit["_id"]} for hit in left]
    helpers.bulk(client, gone, refresh=True)


def index_alerts(client: Elasticsearch, alerts: Sequence[Alert]) -> None:
    """Index these, in place of those of the same ids, and make all searchable."""
    actions = [
        {"_index": INDICES[0], "_id": alert.alert_id, "_source": msgspec.to_builtins(alert)}
        for alert in alerts
    ]
    helpers.bulk(client, actions)
    client.indices.refresh(index=INDICES, ignore_unavailable=True)


@contextmanager
def indexed_alerts(client: Elasticsearch) -> Iterator[list[Alert]]:
    """Index them until the end of the block, and remove their cases."""
    remove_alerts(client)
    client = client.options(request_timeout=60)
    set_up_templates(client)
    alerts = make_alerts()
    tries = [
        {"_index": INDICES[1], "_id": str(number), "_source": msgspec.to_builtins(one)}
        for number, one in enumerate(make_deliveries())
    ]
    helpers.bulk(client, tries)
    index_alerts(client, alerts)
    try:
        yield alerts
    finally:
        client.indices.delete(index=INDICES, ignore_unavailable=True)


def _later(
    number: int, symbol: str, severity: Severity, message: str, **fields: AlertState | Sending
) -> Alert:
    return changed(
        FIRST,
        timestamp=_time(60 * number),
        last_time=_time(60 * number + 5),
        symbol=symbol,
        severity=severity,
        message=message,
        first_trade=f"later-{number}",
        last_trade=f"later-{number}",
        anomalies=[f"later-{number}"],
        count=number,
        revision=1,
        **({"state": AlertState.OPENED} | fields),
    )


def _time(after_s: float) -> str:
    time = START + dt.timedelta(seconds=1 + after_s)
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
