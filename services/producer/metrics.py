"""What the producer counts."""

import time

from prometheus_client import Counter, Gauge

from services.common.observability.counters import DEAD_LETTERS
from services.common.observability.health import Health
from services.common.observability.rates import Rate
from services.contracts.components import PRODUCER

TRADES = Counter("tapewatch_published_trades_total", "Trades committed to the topic trades")
PER_SECOND = Gauge("tapewatch_published_trades_per_second", "Trades published, over the last seconds")


class Tally:
    """What this process has committed so far.

    Parameters
    ----------
    health
        Told that the work is running.
    limit
        Trades to publish at most, None for all.
    """

    def __init__(self, health: Health, limit: int | None) -> None:
        self.health = health
        self.trades = self.rejected = 0
        self._limit = limit
        self._rate = Rate(PER_SECOND)
        self._began_s = time.monotonic()

    @property
    def room(self) -> int | None:
        """How many trades may still be published; None for any number.

        A source that is published chunk by chunk may have gone beyond the limit.
        """
        return None if self._limit is None else max(0, self._limit - self.trades)

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self.room == 0

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._began_s

    def add(self, trades: int, rejected: int) -> None:
        """Count what was committed."""
        self.trades += trades
        self.rejected += rejected
        TRADES.inc(trades)
        DEAD_LETTERS.labels(PRODUCER.service).inc(rejected)
        self._rate.add(trades)
