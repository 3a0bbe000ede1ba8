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

ALERTS_INDEX_PREFIX = "alerts-"
"""Followed by the month of the alert's first anomaly, `YYYY.MM` (UTC)."""

ALERTS_INDICES = f"{ALERTS_INDEX_PREFIX}*"

ALERT_DELIVERIES_INDEX_PREFIX = "alert-deliveries-"
"""Followed by the month of the try, `YYYY.MM` (UTC)."""

ALERT_DELIVERIES_INDICES = f"{ALERT_DELIVERIES_INDEX_PREFIX}*"

SILENCES_INDEX = "silences"

CASES_INDEX = "cases"

VERDICTS_INDEX = "verdicts"

VIEWS_INDEX = "views"

PROFILES_INDEX = "profiles"

MAX_ID_BYTES = 512
"""Elasticsearch's limit for the id of a document."""

NEEDED_TEMPLATES = (
    "tapewatch-trades",
    "tapewatch-anomalies",
    "tapewatch-corrections",
    "tapewatch-feed-events",
    "tapewatch-alerts",
    "tapewatch-alert-deliveries",
    "tapewatch-silences",
    "tapewatch-profiles",
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

ALERT_FIELD_TYPES = {
    "@timestamp": "date_nanos",
    "alert_id": "keyword",
    "revision": "long",
    "state": "keyword",
    "symbol": "keyword",
    "severity": "keyword",
    "score": "double",
    "last_time": "date_nanos",
    "anomalies": "keyword",
    "worst.trade.price": "double",
}
"""The same of an alert."""

DELIVERY_FIELD_TYPES = {
    "@timestamp": "date_nanos",
    "alert_id": "keyword",
    "revision": "long",
    "channel": "keyword",
    "outcome": "keyword",
    "seconds": "double",
    "retry_at": "date_nanos",
}
"""The same of a try to send an alert."""

SILENCE_FIELD_TYPES = {
    "@timestamp": "date_nanos",
    "silence_id": "keyword",
    "matcher.symbols": "keyword",
    "expires_at": "date_nanos",
    "author": "keyword",
}
"""The same of a silence."""

PROFILE_FIELD_TYPES = {
    "@timestamp": "date_nanos",
    "profile": "keyword",
    "name": "keyword",
    "version": "keyword",
    "text": "keyword",
}
"""The same of a profile that a detector has worked with."""

TRADES_DATA_VIEW = "tapewatch-trades"
ANOMALIES_DATA_VIEW = "tapewatch-anomalies"
CORRECTIONS_DATA_VIEW = "tapewatch-corrections"
FEED_EVENTS_DATA_VIEW = "tapewatch-feed-events"
ALERTS_DATA_VIEW = "tapewatch-alerts"
ALERT_DELIVERIES_DATA_VIEW = "tapewatch-alert-deliveries"
SILENCES_DATA_VIEW = "tapewatch-silences"
CASES_DATA_VIEW = "tapewatch-cases"
VERDICTS_DATA_VIEW = "tapewatch-verdicts"
"""Ids in Kibana, for links to it."""
