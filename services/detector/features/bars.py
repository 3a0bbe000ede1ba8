"""Features of bars: the five that introductions to anomaly detection use."""

from services.detector.features.feature import Feature
from services.detector.features.state import BARS

_SOURCE = "usual in introductions to anomaly detection on bars"

FEATURES = [
    Feature("bar_return", "log", "ln close - ln close of the bar before", _SOURCE, lambda m: m["bar_return"]),
    Feature(
        "bar_volatility",
        "log",
        f"deviation of the returns of the last {BARS} bars, this one included",
        _SOURCE,
        lambda m: m["bar_volatility"],
    ),
    Feature(
        "bar_volume_z",
        "deviations",
        f"(v - mean) / deviation of the volumes of the last {BARS} bars, this one included",
        _SOURCE,
        lambda m: (m["bar_volume"] - m["bar_mean_volume"]) / m["bar_deviation_volume"],
    ),
    Feature(
        "bar_range_ratio",
        "1",
        "(high - low) / close",
        _SOURCE,
        lambda m: (m["bar_high"] - m["bar_low"]) / m["bar_close"],
    ),
    Feature(
        "bar_vwap_deviation",
        "1",
        f"close / (Σtv / Σv) - 1 over the last {BARS} bars, this one included; t = (high + low + close) / 3",
        _SOURCE,
        lambda m: m["bar_close"] / m["bar_vwap"] - 1.0,
    ),
]
"""For bars; not a number for trades."""
