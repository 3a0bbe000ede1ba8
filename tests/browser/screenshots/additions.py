"""What people and the venue add to the demo's day: a verdict, views, a cancelled print, a feed's gaps."""

import datetime as dt
from typing import Any

import msgspec

from services.common.elastic.client import Elasticsearch
from services.contracts.correction import Correction
from services.contracts.feed_event import FeedEvent
from services.contracts.indices import CORRECTIONS_INDEX_PREFIX, FEED_EVENTS_INDEX_PREFIX
from services.review.history import Person
from services.review.verdicts import Decision, record
from services.review.views import save_view

PERSON = "Kim"
VIEWS = {
    "Critical today": ("search", "severity=critical&sort=score"),
    "Desk ACME": ("", "symbol=ACME&chart=candles"),
    "My alerts": ("alerts", ""),
}
"""Page and query by name."""

AROUND = dt.timedelta(minutes=30)


def add(client: Elasticsearch, anomaly: dict[str, Any]) -> tuple[dt.datetime, dt.datetime]:
    """Add all of it, as far as it has a trade or a time, about one anomaly.

    Returns
    -------
    tuple of datetime.datetime
        The stretch of time that shows the cancelled print and the feed's gaps, UTC.
    """
    record(client, anomaly, Decision.CONFIRMED, "Fat finger: the desk called the broker.", PERSON)
    for name, (page, query) in VIEWS.items():
        save_view(client, name, page, query, Person(PERSON, signed_in=False), None)
    at = dt.datetime.fromisoformat(anomaly["@timestamp"])
    correction = Correction(
        timestamp=_time(at + dt.timedelta(minutes=5)),
        correction_id="cancel-1",
        trade_id=anomaly["trade_id"],
        symbol=anomaly["symbol"],
        action="cancel",
        source=anomaly["source"],
    )
    _index(client, f"{CORRECTIONS_INDEX_PREFIX}{at:%Y.%m}", correction)
    for event in _gaps(anomaly["source"], at):
        _index(client, f"{FEED_EVENTS_INDEX_PREFIX}{at:%Y.%m}", event)
    return at - AROUND, at + AROUND


def _gaps(venue: str, at: dt.datetime) -> list[FeedEvent]:
    """Return a lost connection, a gap that was filled and one that was not."""

    def minutes(after: float) -> str:
        return _time(at + dt.timedelta(minutes=after))

    gone = {"start": minutes(-11), "end": minutes(-8)}
    return [
        FeedEvent(minutes(-22), venue, "gap_filled", count=30, reason="30 numbers were missing"),
        FeedEvent(minutes(-15), venue, "lost", reason="the connection was reset"),
        FeedEvent(minutes(-11), venue, "connected"),
        FeedEvent(minutes(-7), venue, "gap_lost", count=112, reason="its history has them no more", **gone),
    ]


def _index(client: Elasticsearch, index: str, document: msgspec.Struct) -> None:
    client.index(index=index, document=msgspec.to_builtins(document), refresh=True)


def _time(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
