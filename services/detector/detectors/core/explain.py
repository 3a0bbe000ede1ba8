"""Texts, contributions and features that the calibrated detectors share."""

import numpy as np

from services.detector.detectors.core.tail import ALERT
from services.detector.engine.record import Record

FEATURES = ("price_distance", "size_surprise", "burst_intensity", "isolation")
"""Contributions to a calibrated detection, in the order of `state.PRICE`, `SIZE`, `BURST`, `FOREST`."""

_EVIDENCE = ("price_evidence", "size_evidence", "burst_evidence", "forest_evidence")


def once_in(rarity: float) -> str:
    """Write a rarity as a frequency, to two digits."""
    if rarity > 6.0:  # more than a session's trades can tell
        return "less than once in a million trades"
    trades = 10.0**rarity
    unit = 10 ** max(0, int(np.log10(trades)) - 1)
    return f"once in {round(trades / unit) * unit:,} trades"


def among_few(row: Record) -> str:
    """Return what a message adds about one of a session's first trades, which only the priors judge."""
    trades = int(row["few_sizes"])
    if trades < 0:
        return ""
    return f", by what is usual elsewhere: the session had {trades} trade{'s' * (trades != 1)} before"


def contributions_of(measures: np.ndarray, part: int) -> dict[str, np.ndarray]:
    """Divide a detection among the parts, by each one's evidence beyond half of an alert.

    Parameters
    ----------
    measures
        Of the k flagged trades.
    part
        The part that flags them; it gets everything where no part stands out.
    """
    evidence = np.column_stack([np.maximum(measures[name] - 0.5 * ALERT, 0.0) for name in _EVIDENCE])
    evidence[evidence.sum(axis=1) == 0.0, part] = 1.0
    shares = evidence / evidence.sum(axis=1, keepdims=True)
    return {name: shares[:, column] for column, name in enumerate(FEATURES)}


def features_of(measures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the features shown of the k flagged trades."""
    return {
        "price_distance": measures["distance"],
        "price_low": measures["low"],
        "price_high": measures["high"],
        "size_ratio": np.exp(measures["size_ratio"]),
        "mean_size": measures["mean_size"],
        "burst_times": measures["burst_times"],
        "burst_trades": measures["burst_trades"],
        "burst_drift": measures["burst_drift"],
        "forest_score": measures["forest_score"],
    }
