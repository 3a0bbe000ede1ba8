"""Features of sizes and sides, and of how many trades and shares come in a time."""

import numpy as np

from services.detector.engine.batch import SIDE_CODES
from services.detector.features.feature import Feature, Moments
from services.detector.features.state import HORIZONS, LEAST_PAST, PAST_WINDOWS, WINDOWS

_Z = "z-score with the population's deviation"
_OURS = "own"


def _mean_size(m: Moments, number: int) -> np.ndarray:
    mean: np.ndarray = m["size_base"] + m.window("size_beyond", number) / m.window("sizes", number)
    return mean


def _size_z(m: Moments, number: int) -> np.ndarray:
    beyond = m.window("size_beyond", number) / m.window("sizes", number)
    variance = m.window("size_squares", number) / m.window("sizes", number) - beyond * beyond
    score: np.ndarray = (m["size"] - _mean_size(m, number)) / np.sqrt(np.maximum(variance, 0.0))
    return score


def _balance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    balance: np.ndarray = (one - other) / (one + other)
    return balance


def _of_window(number: int, w: int) -> list[Feature]:
    return [
        Feature(
            f"size_z_{w}",
            "deviations",
            f"(v - mean) / deviation of the sizes of the {w} trades before",
            _Z,
            lambda m: _size_z(m, number),
        ),
        Feature(
            f"size_ratio_{w}",
            "1",
            f"v / mean size of the {w} trades before",
            _OURS,
            lambda m: m["size"] / _mean_size(m, number),
        ),
        Feature(
            f"side_imbalance_{w}",
            "1",
            f"(bought - sold) / (bought + sold) shares of the {w} trades before",
            "order imbalance: Chordia, Roll, Subrahmanyam 2002",
            lambda m: _balance(m.window("bought", number), m.window("sold", number)),
        ),
    ]


def _of_horizon(number: int, horizon: str, name: str, counted: str) -> list[Feature]:
    return [
        Feature(
            f"{name}_z_{horizon}",
            "deviations",
            f"(N - mean) / deviation, N the {counted} of the last {horizon}, of the {PAST_WINDOWS} whole "
            f"{horizon} before, {LEAST_PAST} at least",
            _Z,
            lambda m: (
                (m.window(f"near_{counted}", number) - m.window(f"mean_{counted}", number))
                / m.window(f"deviation_{counted}", number)
            ),
        ),
        Feature(
            f"{name}_change_{horizon}",
            "1",
            f"(N - M) / (N + M), N the {counted} of the last {horizon}, M of the {horizon} before",
            _OURS,
            lambda m: _balance(m.window(f"near_{counted}", number), m.window(f"far_{counted}", number)),
        ),
    ]


FEATURES = [
    *(feature for number, w in enumerate(WINDOWS) for feature in _of_window(number, w)),
    Feature(
        "side",
        "1",
        "1 if the aggressor bought, -1 if he sold, 0 if that is not known",
        _OURS,
        lambda m: (m.batch.side == SIDE_CODES["B"]).astype(np.float64) - (m.batch.side == SIDE_CODES["A"]),
    ),
    Feature(
        "side_run",
        "trades",
        "trades in a row from one side, this one included; sells negative, 0 without a side",
        "runs: Hasbrouck, Ho 1987",
        lambda m: m["side_run"],
    ),
    *(
        feature
        for number, horizon in enumerate(HORIZONS)
        for name, counted in (("volume", "shares"), ("rate", "trades"))
        for feature in _of_horizon(number, horizon, name, counted)
    ),
]
"""For trades that are eligible for volume; the numbers in a time count all that are eligible for anything."""
