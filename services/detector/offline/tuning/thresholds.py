"""The thresholds of a profile that can be tuned individually, and the curve of how much each would flag."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.contracts.detectors import DETECTORS
from services.detector.detectors.price.price_history_forest import PriceHistoryForestParameters
from services.detector.detectors.price.rapid_price_change import RapidPriceChangeParameters
from services.detector.detectors.price.z_score import ZScoreParameters
from services.detector.detectors.size.high_volume import HighVolumeParameters
from services.detector.offline.tuning.alerts import HIGHEST_ALERT, LOWEST_ALERT
from services.detector.offline.tuning.measure import running_by_rarity
from services.detector.profiles.profile import Profile

MAX_POINTS = 160
"""Maximum number of points of a curve."""

_MAX_FLAGGED_SHARE = 0.1
"""A curve starts at the threshold that flags this share of the trades; lower thresholds are of no use."""

_ROUNDED = ".3g"


@dataclass(frozen=True)
class Threshold:
    """A parameter of a profile that decides how much a detector flags.

    Parameters
    ----------
    detector, parameter
        Names of the detector and the parameter in a profile.
    title
        Title of the detector's anomalies.
    unit
        Meaning and unit of the number, for display.
    least, most
        Minimum and maximum.
    is_whole
        Whether it is a whole number.
    """

    detector: str
    parameter: str
    title: str
    unit: str
    least: float
    most: float
    is_whole: bool = False


HIGH_VOLUME = Threshold(
    "high_volume",
    "threshold_shares",
    DETECTORS["high_volume"].title,
    "shares in one trade",
    0,
    1e15,
    is_whole=True,
)
RAPID_PRICE_CHANGE = Threshold(
    "rapid_price_change",
    "threshold_ratio",
    DETECTORS["rapid_price_change"].title,
    "change from the trade before, as a share of its price (0.05 is 5%)",
    1e-9,
    1e6,
)
Z_SCORE = Threshold(
    "z_score", "threshold_sigmas", DETECTORS["z_score"].title, "standard deviations from the mean", 1e-3, 1e6
)
RULES = (HIGH_VOLUME, RAPID_PRICE_CHANGE, Z_SCORE)
CONTAMINATION = Threshold(
    "price_history_forest",
    "contamination",
    DETECTORS["price_history_forest"].title,
    "contamination: the share of the learnt prices that count as anomalous",
    1e-4,
    0.5,
)
ALERTS = tuple(
    Threshold(
        spec.name,
        "alert_rarity",
        spec.title,
        "alert level (3: once in 1,000 trades, 4: once in 10,000)",
        LOWEST_ALERT,
        HIGHEST_ALERT,
    )
    for spec in DETECTORS.values()
    if spec.has_alert_rarity
)
_DEFAULTS = {
    "high_volume": HighVolumeParameters(),
    "rapid_price_change": RapidPriceChangeParameters(),
    "z_score": ZScoreParameters(),
    "price_history_forest": PriceHistoryForestParameters(),
}


@dataclass(frozen=True)
class Present:
    """A profile's setting of a threshold for a symbol: its `value`, and whether the detector `runs` at all.

    For a detector that does not run, the value is its default.
    """

    value: float
    runs: bool


@dataclass(frozen=True)
class MeasuredValues:
    """Values that a detector measured on a day.

    Parameters
    ----------
    values
        Values of the trades that any threshold could flag, shape (n,), at least 0, ascending.
    flags_at_threshold
        Whether a value that equals the threshold is flagged, too.
    """

    values: np.ndarray
    flags_at_threshold: bool = False

    def flagged(self, threshold: float) -> int:
        """Return the number of trades that a threshold flags."""
        side: Literal["left", "right"] = "left" if self.flags_at_threshold else "right"
        return len(self.values) - int(np.searchsorted(self.values, threshold, side=side))


@dataclass(frozen=True)
class Curve:
    """Number of trades that each threshold flags; at most `MAX_POINTS` points, thresholds ascending."""

    thresholds: np.ndarray
    anomalies: np.ndarray


def present(profile: Profile, symbol: str, threshold: Threshold) -> Present:
    """Return a profile's current setting of a threshold for a symbol."""
    parameters = profile.for_symbol(symbol).get(threshold.detector)
    known = parameters or _DEFAULTS[threshold.detector]
    return Present(getattr(known, threshold.parameter), parameters is not None)


def alerts_of(profile: Profile, symbol: str) -> list[Threshold]:
    """Return the alert levels of the calibrated detectors that a profile runs for a symbol."""
    running = running_by_rarity(profile.for_symbol(symbol))
    return [alert for alert in ALERTS if alert.detector in running]


def curve_through(flagged: dict[float, int]) -> Curve:
    """Return the curve through the given points: for each threshold, the number of trades it flags."""
    thresholds = sorted(flagged)
    return Curve(np.array(thresholds), np.array([flagged[one] for one in thresholds]))


def contaminations(present_value: float) -> list[float]:
    """Return the contaminations of the curve's points, including the current one."""
    steps = (float(f"{lead}e{power}") for power in (-4, -3, -2, -1) for lead in (1, 1.5, 2, 3, 4, 5, 7))
    return sorted({present_value, *(one for one in steps if one <= CONTAMINATION.most)})


def curve_of(values: MeasuredValues, threshold: Threshold, trades: int, present_value: float) -> Curve:
    """Return a curve through round thresholds, from one that flags very many trades to one that flags none.

    Parameters
    ----------
    values
        Values that the detector measured.
    threshold
        The threshold to vary.
    trades
        Number of judged trades.
    present_value
        Current value, always one of the points.
    """
    if threshold.parameter == "alert_rarity":
        points = np.round(np.arange(LOWEST_ALERT, HIGHEST_ALERT + 0.01, 0.05), 2)
    else:
        rest = values.values[-int(max(1, _MAX_FLAGGED_SHARE * trades)) :]
        low = max(min([*rest[:1].tolist(), present_value]), threshold.least, 1 if threshold.is_whole else 0)
        high = max([*rest[-1:].tolist(), present_value, low]) * 1.05
        points = np.array([float(f"{x:{_ROUNDED}}") for x in np.geomspace(low, high, MAX_POINTS - 1)])
        points = np.round(points) if threshold.is_whole else points
    points = np.unique([*points, present_value])
    points = points[(points >= threshold.least) | (points == present_value)]
    return Curve(points, np.array([values.flagged(point) for point in points]))
