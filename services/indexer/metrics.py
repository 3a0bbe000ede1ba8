"""What the indexer counts and measures."""

import datetime as dt
import time
from collections import Counter as Count

import prometheus_client as prometheus

from services.common.observability.counters import DEAD_LETTERS, EVENT_LAG_S
from services.common.observability.rates import Rate

INDEXED = prometheus.Counter(
    "tapewatch_indexed_documents_total", "Documents that the sink has acknowledged", ["topic"]
)
RETRACTIONS = prometheus.Counter("tapewatch_retractions_total", "Anomalies taken back")
PER_SECOND = prometheus.Gauge(
    "tapewatch_documents_per_second", "Documents acknowledged, over the last seconds"
)


class Tally:
    """What this process has done so far.

    Parameters
    ----------
    service
        Its name.
    """

    def __init__(self, service: str) -> None:
        self._event_lag_s = EVENT_LAG_S.labels(service)
        self._dead_letters = DEAD_LETTERS.labels(service)
        self.indexed = self.retractions = self.dead_letters = 0
        self._rate = Rate(PER_SECOND)
        self._newest: dt.datetime | None = None

    def add(self, by_topic: Count[str], retractions: int) -> None:
        """Count what the sink has acknowledged."""
        indexed = by_topic.total()
        self.indexed += indexed
        self.retractions += retractions
        for topic, count in by_topic.items():
            INDEXED.labels(topic).inc(count)
        RETRACTIONS.inc(retractions)
        self._rate.add(indexed + retractions)

    def add_dead_letter(self) -> None:
        """Count a dead letter that was handed to Kafka."""
        self.dead_letters += 1
        self._dead_letters.inc()

    def note_event(self, value: bytes) -> None:
        """Take the event time of a trade or an anomaly as the newest, if it is."""
        start = value.find(b'"@timestamp":"') + len(b'"@timestamp":"')
        try:
            at = dt.datetime.fromisoformat(value[start : start + 19].decode()).replace(tzinfo=dt.UTC)
        except ValueError:  # written in another form; the next batch will do
            return
        self._newest = max(at, self._newest or at)
        self._event_lag_s.set(time.time() - self._newest.timestamp())
