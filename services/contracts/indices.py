"""The indices, by the beginnings of their names."""

TRADES_INDEX_PREFIX = "trades-"
"""Followed by the event day, `YYYY.MM.DD` (UTC)."""

ANOMALIES_INDEX_PREFIX = "anomalies-"
"""Followed by the event month, `YYYY.MM` (UTC)."""
