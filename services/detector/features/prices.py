"""Features of prices: returns, volatility, range, VWAP, envelope, Roll's spread, runs."""

import numpy as np

from services.detector.features.feature import Feature, Moments
from services.detector.features.state import HORIZONS, TRADES_BACK, WINDOWS

_CAMPBELL = "Campbell, Lo, MacKinlay 1997, ch. 1"
_ANDERSEN = "realised volatility: Andersen, Bollerslev 1998"
_PARKINSON = "range as a measure of volatility: Parkinson 1980"
_ROLL = "Roll 1984"
_VWAP = "Berkowitz, Logue, Noser 1988"
_OURS = "own"


def _return_over(number: int) -> Feature:
    return Feature(
        f"return_{TRADES_BACK[number]}",
        "log",
        f"ln p - ln p[{TRADES_BACK[number]} trades before]",
        _CAMPBELL,
        lambda m: m["log_price"] - m.window("log_back", number),
    )


def _return_in(number: int, horizon: str) -> Feature:
    return Feature(
        f"return_{horizon}",
        "log",
        f"ln p - ln p[{horizon} before]",
        _CAMPBELL,
        lambda m: m["log_price"] - m.window("log_ago", number),
    )


def _roll(m: Moments, number: int) -> np.ndarray:
    mean = m.window("total", number) / m.window("returns", number)
    covariance = m.window("products", number) / m.window("pairs", number) - mean * mean
    spread: np.ndarray = 2.0 * np.sqrt(np.maximum(-covariance, 0.0))
    return spread


def _of_window(number: int, w: int) -> list[Feature]:
    return [
        Feature(
            f"volatility_{w}",
            "log",
            f"√(Σr² / n), r the returns over one trade in the {w} trades before",
            _ANDERSEN,
            lambda m: np.sqrt(m.window("squares", number) / m.window("returns", number)),
        ),
        Feature(
            f"range_ratio_{w}",
            "1",
            f"(highest - lowest) / p of the {w} trades before",
            _PARKINSON,
            lambda m: (m.window("high", number) - m.window("low", number)) / m["price"],
        ),
        Feature(
            f"vwap_deviation_{w}",
            "1",
            f"p / (Σpv / Σv) - 1 over the {w} trades before",
            _VWAP,
            lambda m: m["price"] / (m.window("worth", number) / m.window("weight", number)) - 1.0,
        ),
        Feature(
            f"roll_spread_{w}",
            "log",
            f"2√max(-cov(r, r[next]), 0) over the {w} trades before",
            _ROLL,
            lambda m: _roll(m, number),
        ),
    ]


def _beyond_envelope(m: Moments) -> np.ndarray:
    price = m["price"]
    above = np.maximum(price - m["envelope_high"], 0.0)
    beyond: np.ndarray = (above + np.minimum(price - m["envelope_low"], 0.0)) / m["middle"]
    return beyond


FEATURES = [
    *(_return_over(number) for number in range(len(TRADES_BACK))),
    *(_return_in(number, horizon) for number, horizon in enumerate(HORIZONS)),
    *(feature for number, w in enumerate(WINDOWS) for feature in _of_window(number, w)),
    Feature(
        "vwap_deviation_session",
        "1",
        "p / (Σpv / Σv) - 1 over the session's trades before",
        _VWAP,
        lambda m: m["price"] / (m["session_worth"] / m["session_weight"]) - 1.0,
    ),
    Feature(
        "median_deviation_200",
        "1",
        "p / median of the 200 trades before - 1",
        _OURS,
        lambda m: m["price"] / m["middle"] - 1.0,
    ),
    Feature(
        "envelope_distance_200",
        "1",
        "how far p is above the 90 % or below the 10 % quantile of the 200 trades before, / their median",
        _OURS,
        _beyond_envelope,
    ),
    Feature(
        "tick_run",
        "trades",
        "price changes in a row in one direction, this one included; falling ones negative",
        "runs: Campbell, Lo, MacKinlay 1997, ch. 2",
        lambda m: m["tick_run"],
    ),
    Feature(
        "price_ties",
        "trades",
        "trades in a row before this one at its price",
        _OURS,
        lambda m: m["price_ties"],
    ),
]
"""For trades that are eligible for price; not a number for others."""
