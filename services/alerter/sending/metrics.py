"""What the sender counts and measures, by channel."""

import prometheus_client as prometheus

from services.alerter.sending.dispatcher import Dispatcher
from services.contracts.alert import Delivery

DELIVERIES = prometheus.Counter(
    "tapewatch_alert_deliveries_total", "Records of what became of messages", ["channel", "outcome"]
)
QUEUED = prometheus.Gauge("tapewatch_alert_queue_length", "Messages that are still to be sent", ["channel"])
HELD = prometheus.Gauge(
    "tapewatch_alert_held_back", "Revisions held back that no digest has told of yet", ["channel"]
)
OPEN = prometheus.Gauge(
    "tapewatch_alert_channel_open",
    "1 while the last five tries of a channel have failed, or it is switched off",
    ["channel"],
)
OLDEST_S = prometheus.Gauge(
    "tapewatch_alert_oldest_unsent_seconds",
    "Age of a channel's oldest message that is still to be sent, in seconds; 0 without any",
    ["channel"],
)


def count(deliveries: list[Delivery]) -> None:
    """Count records that were written."""
    for delivery in deliveries:
        DELIVERIES.labels(delivery.channel, delivery.outcome.value).inc()


def measure(dispatcher: Dispatcher, now_s: float) -> None:
    """Set the gauges; the time is in seconds since 1970."""
    for name, state in dispatcher.channels.items():
        oldest_s = state.queue.oldest_s
        QUEUED.labels(name).set(len(state.queue))
        HELD.labels(name).set(dispatcher.held(name))
        OPEN.labels(name).set(state.queue.is_failing or state.gone is not None)
        OLDEST_S.labels(name).set(0.0 if oldest_s is None else max(0.0, now_s - oldest_s))
