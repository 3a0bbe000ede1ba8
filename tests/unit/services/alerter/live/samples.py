"""An anomaly as the alerter reads it."""

import datetime as dt
from typing import Any

from services.alerter.seen import Seen
from services.contracts.alert import Print, Worst
from services.contracts.anomaly import Severity

TIME = dt.datetime(2024, 12, 2, 15, tzinfo=dt.UTC)
EVENT_MS = int(TIME.timestamp()) * 1_000


def seen(**changes: Any) -> Seen:
    """Return an anomaly at `TIME`."""
    fields: dict[str, Any] = {
        "symbol": "NVDA",
        "trade_id": "id/1",
        "event_ns": EVENT_MS * 1_000_000,
        "clock_ns": EVENT_MS * 1_000_000,
        "labels": ("Off-Market Price",),
        "severity": Severity.HIGH,
        "score": 0.8,
        "message": "Price $1.00 is far from the others.",
        "session": "2024-12-02",
        "worst": Worst(Print("id/1", "2024-12-02T15:00:00.000000000Z", 1.0, 10), []),
        "last_trade": "id/1",
    }
    return Seen(**(fields | changes))
