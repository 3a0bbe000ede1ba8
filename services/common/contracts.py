"""Names and shapes that the services agree on; what others build on, so none of it changes lightly."""

from enum import StrEnum

TRADES_TOPIC = "trades"
ANOMALIES_TOPIC = "anomalies"
DEAD_LETTERS_TOPIC = "dead-letters"
REPLAYS_TOPIC = "dead-letter-replays"
CHECKPOINTS_TOPIC = "detector-checkpoints"
PROGRESS_TOPIC = "producer-progress"

TRADES_INDEX_PREFIX = "trades-"
"""Followed by the event day, `YYYY.MM.DD` (UTC)."""

ANOMALIES_INDEX_PREFIX = "anomalies-"
"""Followed by the event month, `YYYY.MM` (UTC)."""

DETECTOR_GROUP = "tapewatch-detector"
INDEXER_GROUP = "tapewatch-indexer"

TRADE_MAX_BYTES = 1_000_000
"""Largest message in `trades`; `dead-letters` takes more, to hold whatever `trades` held."""

DEAD_LETTER_MAX_BYTES = 2_000_000


class Label(StrEnum):
    """What an anomaly is called in `anomalies` and in each detection."""

    HIGH_VOLUME = "High Volume"
    RAPID_PRICE_CHANGE = "Rapid Price Change"
    ISOLATION_FOREST = "Isolation Forest Anomaly"
    Z_SCORE = "Z-Score"
    OFF_MARKET_PRICE = "Off-Market Price"
    UNUSUAL_SIZE = "Unusual Size"
    BURST = "Burst"
    AUCTION_CROSS = "Auction Cross"


class Severity(StrEnum):
    """How urgent an anomaly is; `info` is for the natural and expected, outside any alert budget."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
