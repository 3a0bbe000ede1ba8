"""What the detector counts; what other services have too is in `services.common.observability.counters`."""

from prometheus_client import Counter, Gauge

TRADES = Counter("tapewatch_scored_trades_total", "Trades worked off, late ones included, each once")
LATE_TRADES = Counter(
    "tapewatch_late_trades_total", "Trades at or before the last one of their session: late or repeated"
)
REPLAYED = Counter("tapewatch_replayed_messages_total", "Messages read again to rebuild state")
ANOMALIES = Counter("tapewatch_anomalies_total", "Anomalies published", ["label", "severity"])
RETRACTIONS = Counter("tapewatch_retracted_anomalies_total", "Anomalies withdrawn by a reset")
PER_SECOND = Gauge("tapewatch_scored_trades_per_second", "Trades scored, over the last seconds")
CHECKPOINT_BYTES = Counter("tapewatch_checkpoint_bytes_total", "Bytes of checkpoints written")
CHECKPOINTS = Counter("tapewatch_checkpoints_total", "Sessions saved in checkpoints")
CHECKPOINT_SIZE = Gauge("tapewatch_checkpoint_session_bytes", "Size of the largest session saved last")
CHECKPOINT_AGE = Gauge(
    "tapewatch_checkpoint_age_messages", "Messages that a restart would replay now", ["partition"]
)
RECOVERY_SECONDS = Gauge(
    "tapewatch_recovery_seconds", "Time that the last recovery took until the committed offset was reached"
)
