"""The indices, by the beginnings of their names; their templates, and Kibana's views of them."""

TRADES_INDEX_PREFIX = "trades-"
"""Followed by the event day, `YYYY.MM.DD` (UTC)."""

TRADES_INDICES = f"{TRADES_INDEX_PREFIX}*"

ANOMALIES_INDEX_PREFIX = "anomalies-"
"""Followed by the event month, `YYYY.MM` (UTC)."""

ANOMALIES_INDICES = f"{ANOMALIES_INDEX_PREFIX}*"

VERDICTS_INDEX = "verdicts"

NEEDED_TEMPLATES = ("tapewatch-trades", "tapewatch-anomalies")
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

TRADES_DATA_VIEW = "tapewatch-trades"
ANOMALIES_DATA_VIEW = "tapewatch-anomalies"
"""Ids in Kibana, for links to it."""
