"""Metrics that several services have, each under its own `service`."""

from prometheus_client import Counter, Gauge, Histogram

ALIVE = Gauge("tapewatch_alive", "1 while `/healthz` says that the main loop is running, else 0", ["service"])
READY = Gauge("tapewatch_ready", "1 while `/readyz` says that the service does its work, else 0", ["service"])
DEAD_LETTERS = Counter("tapewatch_dead_letters_total", "Dead letters written", ["service"])
ABORTS = Counter(
    "tapewatch_aborted_transactions_total",
    "Transactions that were aborted and done again",
    ["service"],
)
COMMIT_SECONDS = Histogram(
    "tapewatch_commit_seconds", "Time to commit a transaction or offsets, in seconds", ["service"]
)
LAG_MESSAGES = Gauge("tapewatch_lag_messages", "Messages not yet read", ["service", "topic"])
EVENT_LAG_S = Gauge(
    "tapewatch_event_time_lag_seconds", "Now minus the newest event time processed, in seconds", ["service"]
)
UNASSIGNED_SECONDS = Gauge(
    "tapewatch_unassigned_seconds",
    "Time without partitions while Kafka answers, in seconds; 0 with partitions, and for a standby",
    ["service"],
)
REJOINS = Counter(
    "tapewatch_rejoins_total",
    "Times that a member without partitions or messages joined its group again",
    ["service"],
)
