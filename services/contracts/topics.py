"""The topics and their settings; other systems rely on them, so none of them changes lightly."""

TRADES_TOPIC = "trades"
ANOMALIES_TOPIC = "anomalies"
DEAD_LETTERS_TOPIC = "dead-letters"
REPLAYS_TOPIC = "dead-letter-replays"
CHECKPOINTS_TOPIC = "detector-checkpoints"
PROGRESS_TOPIC = "producer-progress"
CORRECTIONS_TOPIC = "corrections"
FEED_EVENTS_TOPIC = "feed-events"
ALERTS_TOPIC = "alerts"
ALERT_DELIVERIES_TOPIC = "alert-deliveries"
ALERTER_CHECKPOINTS_TOPIC = "alerter-checkpoints"
SILENCES_TOPIC = "silences"
PROFILES_TOPIC = "profiles"

TRADE_MAX_BYTES = 1_000_000
"""Largest message in `trades`; `dead-letters` takes more, to hold whatever `trades` held."""

DEAD_LETTER_MAX_BYTES = 2_000_000

PROFILE_MAX_BYTES = 2_000_000
"""Longest message in `profiles`: some 5,000 symbols with thresholds and usual days of their own."""

DEFAULT_PARTITIONS = 6
"""How many partitions `tapewatch setup` gives topics that it creates, unless told otherwise."""

DAY_MS = 24 * 3600 * 1000
RECORD_OVERHEAD_BYTES = 100_000
"""A batch of one record is larger than the record: key, headers, framing."""

# Event times of past years would expire at once, so retention goes by the time of appending.
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


def _kept(days: int, max_bytes: int) -> dict[str, str]:
    return {
        **_APPEND_TIME,
        "cleanup.policy": "delete",
        "retention.ms": str(days * DAY_MS),
        "max.message.bytes": str(max_bytes + RECORD_OVERHEAD_BYTES),
    }


TOPICS: dict[str, dict[str, str]] = {
    TRADES_TOPIC: _kept(days=7, max_bytes=TRADE_MAX_BYTES),
    ANOMALIES_TOPIC: _kept(days=30, max_bytes=DEAD_LETTER_MAX_BYTES),
    CORRECTIONS_TOPIC: _kept(days=30, max_bytes=TRADE_MAX_BYTES),
    FEED_EVENTS_TOPIC: _kept(days=30, max_bytes=TRADE_MAX_BYTES),
    DEAD_LETTERS_TOPIC: _kept(days=90, max_bytes=DEAD_LETTER_MAX_BYTES),
    # Longer than letters, so that no letter outlives the record of its replay.
    REPLAYS_TOPIC: _kept(days=180, max_bytes=TRADE_MAX_BYTES),
    CHECKPOINTS_TOPIC: {
        **_APPEND_TIME,
        "cleanup.policy": "compact",
        "max.message.bytes": str(DEAD_LETTER_MAX_BYTES),
        # The newest segment is never compacted; a restart reads what is left, so segments are small.
        "segment.bytes": str(32 << 20),
    },
    PROGRESS_TOPIC: {**_APPEND_TIME, "cleanup.policy": "compact", "segment.bytes": str(32 << 20)},
    ALERTS_TOPIC: _kept(days=90, max_bytes=TRADE_MAX_BYTES),
    ALERT_DELIVERIES_TOPIC: _kept(days=90, max_bytes=TRADE_MAX_BYTES),
    ALERTER_CHECKPOINTS_TOPIC: {
        **_APPEND_TIME,
        "cleanup.policy": "compact",
        "max.message.bytes": str(DEAD_LETTER_MAX_BYTES),
        "segment.bytes": str(32 << 20),
    },
    SILENCES_TOPIC: {**_APPEND_TIME, "cleanup.policy": "compact"},
    PROFILES_TOPIC: {
        **_APPEND_TIME,
        "cleanup.policy": "compact",
        "max.message.bytes": str(PROFILE_MAX_BYTES + RECORD_OVERHEAD_BYTES),
    },
}
"""Settings by topic."""

SAME_PARTITIONS = (TRADES_TOPIC, ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, ALERTER_CHECKPOINTS_TOPIC)
"""Topics with equal numbers of partitions: what belongs to a trade is in the partition of the same number."""

INDEXED = (
    TRADES_TOPIC,
    ANOMALIES_TOPIC,
    CORRECTIONS_TOPIC,
    FEED_EVENTS_TOPIC,
    ALERTS_TOPIC,
    ALERT_DELIVERIES_TOPIC,
    SILENCES_TOPIC,
    PROFILES_TOPIC,
)
"""Topics that Elasticsearch has a copy of."""

ONE_PARTITION = (ALERTS_TOPIC, ALERT_DELIVERIES_TOPIC, SILENCES_TOPIC, PROFILES_TOPIC)
"""Topics with a single partition: they are small, and what is in them is read and sent in one order."""
