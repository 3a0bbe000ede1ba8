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

TRADES_DATA_VIEW = "tapewatch-trades"
ANOMALIES_DATA_VIEW = "tapewatch-anomalies"
"""Ids in Kibana, for links to it."""
