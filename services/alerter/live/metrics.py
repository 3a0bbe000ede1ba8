"""The alerter's own metrics; those shared by services are in `services.common.observability.counters`."""

import time
from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from services.alerter.seen import ns_of
from services.common.observability.counters import DEAD_LETTERS, EVENT_LAG_S
from services.common.observability.rates import Rate
from services.contracts.alert import Alert
from services.contracts.components import ALERTER

ANOMALIES = Counter(
    "tapewatch_alerted_anomalies_total", "Anomalies, revisions and retractions that were decided on"
)
PER_SECOND = Gauge("tapewatch_anomalies_per_second", "Anomalies decided on, over the last seconds")
REVISIONS = Counter(
    "tapewatch_alert_revisions_total",
    "Revisions of alerts written, by state, and by whether they are due or stale",
    ["state", "sending"],
)
MISSED = Counter(
    "tapewatch_missed_alert_revisions_total",
    "Revisions that only an outage of Tapewatch made too old to send",
)
OPEN_ALERTS = Gauge("tapewatch_open_alerts", "Alerts that are open in this instance's partitions")
CORRECTIONS = Counter("tapewatch_alerted_corrections_total", "Corrections that were applied to alerts")


class Tally:
    """Totals of what this process has committed."""

    def __init__(self) -> None:
        self.anomalies = self.revisions = self.dead_letters = 0
        self._rate = Rate(PER_SECOND)

    def count(self, anomalies: int, corrections: int, letters: int, alerts: Iterable[Alert]) -> None:
        """Count what a transaction has committed."""
        self.anomalies += anomalies
        self.dead_letters += letters
        ANOMALIES.inc(anomalies)
        CORRECTIONS.inc(corrections)
        DEAD_LETTERS.labels(ALERTER.service).inc(letters)
        self._rate.add(anomalies)
        newest_ns = 0
        for alert in alerts:
            self.revisions += 1
            REVISIONS.labels(alert.state, alert.sending).inc()
            MISSED.inc(alert.is_missed)
            newest_ns = max(newest_ns, ns_of(alert.last_time))
        if newest_ns:
            EVENT_LAG_S.labels(ALERTER.service).set(time.time() - newest_ns / 1e9)
