"""The indices, by the beginnings of their names."""

TRADES_INDEX_PREFIX = "trades-"
"""Followed by the event day, `YYYY.MM.DD` (UTC)."""

TRADES_INDICES = f"{TRADES_INDEX_PREFIX}*"

ANOMALIES_INDEX_PREFIX = "anomalies-"
"""Followed by the event month, `YYYY.MM` (UTC)."""

ANOMALIES_INDICES = f"{ANOMALIES_INDEX_PREFIX}*"

VERDICTS_INDEX = "verdicts"
