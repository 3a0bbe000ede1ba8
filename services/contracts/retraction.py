"""A retraction as the topic `anomalies` carries it: a null value, and headers that name the anomaly.

It says that a trade is no longer flagged. It comes after the anomaly, in the same partition.
"""

TRADE_ID = "trade_id"
TIMESTAMP = "timestamp"
"""As in the anomaly's `@timestamp`, which names the index."""


def retraction_headers(trade_id: str, timestamp: str) -> dict[str, str]:
    """Return the headers that retract a trade's anomaly.

    Parameters
    ----------
    trade_id
        Id of the trade.
    timestamp
        The anomaly's `@timestamp`.
    """
    return {TRADE_ID: trade_id, TIMESTAMP: timestamp}
