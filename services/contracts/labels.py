"""What anomalies are called."""

from enum import StrEnum


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
