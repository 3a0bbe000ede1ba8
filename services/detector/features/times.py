"""Features of the moment, and what a trade may be used for."""

import numpy as np

from services.detector.engine.batch import ANCHOR_ELIGIBLE, PRICE_ELIGIBLE, VOLUME_ELIGIBLE
from services.detector.features.feature import Feature

_OURS = "own"
_PATTERN = "intraday pattern: Wood, McInish, Ord 1985"


def _may(name: str, bit: int, use: str) -> Feature:
    return Feature(
        f"{name}_eligible",
        "0 or 1",
        f"1 if the source says that it may be used {use}",
        "`Trade` in [contracts.md](contracts.md)",
        lambda m: m.batch.has(bit).astype(np.float64),
    )


FEATURES = [
    Feature("time_of_day_s", "s", "since midnight by the exchange's clock", _PATTERN, lambda m: m["clock_s"]),
    Feature(
        "since_open_min",
        "min",
        "since the opening auction; negative before",
        _PATTERN,
        lambda m: m["open_s"] / 60.0,
    ),
    Feature(
        "to_close_min",
        "min",
        "until the closing auction; negative after",
        _PATTERN,
        lambda m: m["close_s"] / 60.0,
    ),
    Feature(
        "gap_s",
        "s",
        "since the trade before",
        "durations: Engle, Russell 1998",
        lambda m: m["gap_s"],
    ),
    Feature(
        "time_ties", "trades", "trades in a row before this one of its time", _OURS, lambda m: m["time_ties"]
    ),
    _may("price", PRICE_ELIGIBLE, "for prices"),
    _may("anchor", ANCHOR_ELIGIBLE, "as the one price that another is measured against"),
    _may("volume", VOLUME_ELIGIBLE, "for volume"),
]
"""For all trades; time of day, open, close and eligibility for bars, too."""
