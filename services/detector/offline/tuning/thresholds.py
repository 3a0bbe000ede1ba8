"""The thresholds of a profile that can be tuned one by one, and the curve of what each would flag."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.contracts.detectors import DETECTORS
from services.detector.detectors.price.price_history_forest import PriceHistoryForestParameters
from services.detector.detectors.price.rapid_price_change import RapidPriceChangeParameters
from services.detector.detectors.price.z_score import ZScoreParameters
from services.detector.detectors.size.high_volume import HighVolumeParameters
from services.detector.offline.tuning.alerts import HIGHEST_ALERT, LOWEST_ALERT
from services.detector.offline.tuning.measure import running_parts
from services.detector.profiles.profile import Profile

MAX_POINTS = 160
"""Of a curve."""

_MOST_FLAGGED = 0.1
"""A curve begins where so large a share of the trades would be flagged: nobody looks at more."""

_ROUNDED = ".3g"


@dataclass(frozen=True)
class Threshold:
    """A number of a profile that decides how much one detector flags.

    Parameters
    ----------
    detector, parameter
        Their names in a profile.
    title
        What the anomalies are called.
    unit
        What the number is, for a person.
    least, most
        The range in which it can be set.
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
    "contamination: the share of the learnt prices that a new one must be beyond",
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
    """What a profile says of a threshold for a symbol: its `value`, and whether the detector `runs` at all.

    The value of one that does not run is the detector's default.
    """

    value: float
    runs: bool


@dataclass(frozen=True)
class Seen:
    """What one detector saw of a day.

    Parameters
    ----------
    values
        Of the trades that some threshold flags, n of them, not negative, rising.
    flags_at_threshold
        Whether a value that equals the threshold is flagged too.
    """

    values: np.ndarray
    flags_at_threshold: bool = False

    def flagged(self, threshold: float) -> int:
        """Return how many trades a threshold flags."""
        side: Literal["left", "right"] = "left" if self.flags_at_threshold else "right"
        return len(self.values) - int(np.searchsorted(self.values, threshold, side=side))


@dataclass(frozen=True)
class Curve:
    """How many trades each threshold flags; k points, `MAX_POINTS` at most, thresholds rising."""

    thresholds: np.ndarray
    anomalies: np.ndarray


def present(profile: Profile, symbol: str, threshold: Threshold) -> Present:
    """Return the present setting of a profile for a symbol."""
    parameters = profile.for_symbol(symbol).get(threshold.detector)
    known = parameters or _DEFAULTS[threshold.detector]
    return Present(getattr(known, threshold.parameter), parameters is not None)


def alerts_of(profile: Profile, symbol: str) -> list[Threshold]:
    """Return the alert levels of the calibrated detectors that a profile runs for a symbol."""
    running = running_parts(profile.for_symbol(symbol))
    return [alert for alert in ALERTS if alert.detector in running]


def curve_through(flagged: dict[float, int]) -> Curve:
    """Return the curve through what was counted, from a threshold to how many trades it flags."""
    thresholds = sorted(flagged)
    return Curve(np.array(thresholds), np.array([flagged[one] for one in thresholds]))


def contaminations(present_value: float) -> list[float]:
    """Return the contaminations that a curve is drawn through, the present one among them."""
    steps = (float(f"{lead}e{power}") for power in (-4, -3, -2, -1) for lead in (1, 1.5, 2, 3, 4, 5, 7))
    return sorted({present_value, *(one for one in steps if one <= CONTAMINATION.most)})


def curve_of(seen: Seen, threshold: Threshold, trades: int, present_value: float) -> Curve:
    """Draw a curve through round thresholds, from where very many trades are flagged to where none is.

    Parameters
    ----------
    seen
        What the detector saw.
    threshold
        Which threshold.
    trades
        How many were judged.
    present_value
        Is one of the points.
    """
    if threshold.parameter == "alert_rarity":
        points = np.round(np.arange(LOWEST_ALERT, HIGHEST_ALERT + 0.01, 0.05), 2)
    else:
        rest = seen.values[-int(max(1, _MOST_FLAGGED * trades)) :]
        low = max(min([*rest[:1].tolist(), present_value]), threshold.least, 1 if threshold.is_whole else 0)
        high = max([*rest[-1:].tolist(), present_value, low]) * 1.05
        points = np.array([float(f"{x:{_ROUNDED}}") for x in np.geomspace(low, high, MAX_POINTS - 1)])
        points = np.round(points) if threshold.is_whole else points
    points = np.unique([*points, present_value])
    points = points[(points >= threshold.least) | (points == present_value)]
    return Curve(points, np.array([seen.flagged(point) for point in points]))
