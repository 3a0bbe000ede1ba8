"""When new trades were last seen: a trade itself does not say when it was indexed."""

import datetime as dt
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class Arrival:
    """The last time the number of trades was seen to grow, or the first look."""

    trades: int
    """Number of new trades; 0 if none have arrived since the first look."""
    at: dt.datetime
    """UTC."""


class Arrivals:
    """Notes when there are more trades than at the look before; all visitors share it."""

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
