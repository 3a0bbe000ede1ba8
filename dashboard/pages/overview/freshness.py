"""How fresh the data is: the newest events, and when new trades were last seen."""

import datetime as dt
from dataclasses import dataclass
from threading import Lock

from dashboard.server.indexed_data import IndexedData
from dashboard.ui.exchange import exchange
from dashboard.ui.time_ranges import ago


@dataclass(frozen=True)
class Arrival:
    """The last time the number of trades was seen to grow, or the first look."""

    trades: int
    """Number of new trades; 0 if none have arrived since the first look."""
    at: dt.datetime
    """UTC."""


class Arrivals:
    """Notes when new trades are seen: a trade itself does not say when it was indexed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._trades: int | None = None
        self._last = Arrival(0, dt.datetime.min.replace(tzinfo=dt.UTC))

    def note(self, trades: int, now: dt.datetime) -> Arrival:
        """Take the number of trades there are now, and return the last arrival.

        Parameters
        ----------
        trades
            Number in all indices; fewer than before means that retention deleted some.
        now
            UTC.
        """
        with self._lock:
            if self._trades is None:
                self._last = Arrival(0, now)
            elif trades > self._trades:
                self._last = Arrival(trades - self._trades, now)
            self._trades = trades
            return self._last


def describe(indexed: IndexedData, arrival: Arrival, now: dt.datetime) -> str:
    """Say how fresh the data is, in Markdown that contains no text from the data."""
    parts = []
    since = ago((now - arrival.at).total_seconds())
    if indexed.trades.newest is not None:
        behind = ago((now - indexed.trades.newest).total_seconds())
        parts.append(f"Newest trade {_by_both_clocks(indexed.trades.newest)}, {behind} ago")
    if arrival.trades:
        parts.append(f"last indexed {since} ago ({arrival.trades:,} trades)")
    else:
        parts.append(f"nothing new indexed in the last {since}")
    if indexed.anomalies.newest is not None:
        parts.append(f"newest anomaly {_by_both_clocks(indexed.anomalies.newest)}")
    if indexed.newest_detection is not None:
        parts.append(f"last detected {ago((now - indexed.newest_detection).total_seconds())} ago")
    return " · ".join(parts)


def _by_both_clocks(time: dt.datetime) -> str:
    if exchange().is_utc:
        return rf"{time:%Y-%m-%d %H\:%M\:%S} UTC"
    local = time.astimezone(exchange().zone)
    # Between two bare colons, digits pass for the name of an emoji, whose code the browser would then fetch.
    return rf"{time:%Y-%m-%d %H\:%M\:%S} UTC ({local:%H\:%M\:%S} {exchange().city})"
