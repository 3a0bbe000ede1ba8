"""The indices, by the beginnings of their names; their templates, and Kibana's views of them."""

TRADES_INDEX_PREFIX = "trades-"
"""Followed by the event day, `YYYY.MM.DD` (UTC)."""

TRADES_INDICES = f"{TRADES_INDEX_PREFIX}*"

ANOMALIES_INDEX_PREFIX = "anomalies-"
"""Followed by the event month, `YYYY.MM` (UTC)."""

ANOMALIES_INDICES = f"{ANOMALIES_INDEX_PREFIX}*"

CORRECTIONS_INDEX_PREFIX = "corrections-"
"""Followed by the month of the correction, `YYYY.MM` (UTC)."""

CORRECTIONS_INDICES = f"{CORRECTIONS_INDEX_PREFIX}*"

FEED_EVENTS_INDEX_PREFIX = "feed-events-"
"""Followed by the month of the event, `YYYY.MM` (UTC)."""

FEED_EVENTS_INDICES = f"{FEED_EVENTS_INDEX_PREFIX}*"

VERDICTS_INDEX = "verdicts"

NEEDED_TEMPLATES = (
    "tapewatch-trades",
    "tapewatch-anomalies",
    "tapewatch-corrections",
    "tapewatch-feed-events",
)
"""Those of the indices that the indexer writes: without them it writes nothing."""

TRADE_FIELD_TYPES = {
    "@timestamp": "date_nanos",
    "trade_id": "keyword",
    "symbol": "keyword",
    "price": "double",
    "side": "keyword",
    "source": "keyword",
    "ts_recv": "date_nanos",
    "sequence": "long",
}
"""Types of the fields that lose digits, or are no longer found, if a foreign template makes them others."""

ANOMALY_FIELD_TYPES = {
    "anomalies": "keyword",
    "score": "double",
    "severity": "keyword",
    "detections.detector": "keyword",
    "detections.score": "double",
    "session": "date",
    "detected_at": "date_nanos",
}
"""The same of what an anomaly has beyond its trade."""

CORRECTION_FIELD_TYPES = {
    "@timestamp": "date_nanos",
    "correction_id": "keyword",
    "trade_id": "keyword",
    "symbol": "keyword",
    "action": "keyword",
    "price": "double",
    "size": "double",
}
"""The same of a correction."""

FEED_EVENT_FIELD_TYPES = {
    "@timestamp": "date_nanos",
    "venue": "keyword",
    "symbol": "keyword",
    "event": "keyword",
    "from": "keyword",
    "to": "keyword",
    "count": "long",
}
"""The same of an event of a feed."""

TRADES_DATA_VIEW = "tapewatch-trades"
ANOMALIES_DATA_VIEW = "tapewatch-anomalies"
CORRECTIONS_DATA_VIEW = "tapewatch-corrections"
FEED_EVENTS_DATA_VIEW = "tapewatch-feed-events"
"""Ids in Kibana, for links to it."""
