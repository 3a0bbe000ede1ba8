"""Chooses alerts (rarities from which trades are flagged) that meet a budget.

The alert of `unusual_size` is adjusted first: large blocks are the flagged trades that are most often normal,
so a stricter or laxer limit for sizes loses and gains the least. Only if that alone does not meet the budget,
all alerts are shifted by the same amount of rarity, so that flags become rarer by the same factor.
"""

from collections.abc import Callable

import numpy as np

LOWEST_ALERT, HIGHEST_ALERT = 3.0, 6.0
"""Once in 1,000 and once in 1,000,000 trades: lower ones are not rare, higher ones need more than a day."""
LOWEST_SIZE_ALERT, HIGHEST_SIZE_ALERT = 3.0, 4.0
"""Range in which only the alert of `unusual_size` is adjusted."""
STEP = 0.001
"""Alerts are multiples of this step."""

Alerts = dict[str, float]
"""Each detector's alert: the rarity from which it flags, as a power of ten (3: once in 1,000 trades)."""


def choose_alerts(rarities: np.ndarray, detectors: list[str], given: Alerts, allowed: int) -> Alerts:
    """Choose the lowest alerts that flag no more trades than allowed.

    Parameters
    ----------
    rarities
        Rarities of the trades for each detector, shape (k, len(detectors)).
    detectors
        The detectors, in the order of the columns.
    given
        The alerts to start from, for each detector that runs.
    allowed
        Number of trades that may be flagged.

    Returns
    -------
    dict
        The alerts of the detectors in `given`; at the upper limits if even these do not meet the budget.
    """

    def fits(alerts: Alerts) -> bool:
        return count_flagged(rarities, detectors, alerts) <= allowed

    start = {detector: _within(alert) for detector, alert in given.items()}
    # A higher one was shifted with the others before: to adjust it alone would undo that.
    if start.get("unusual_size", np.inf) <= HIGHEST_SIZE_ALERT:

        def with_size(alert: float) -> Alerts:
            return {**start, "unusual_size": _rounded(alert)}

        size_alert = _lowest(LOWEST_SIZE_ALERT, HIGHEST_SIZE_ALERT, lambda alert: fits(with_size(alert)))
        start = with_size(size_alert if size_alert is not None else HIGHEST_SIZE_ALERT)
        if size_alert is not None and size_alert > LOWEST_SIZE_ALERT:
            return start

    def shifted(shift: float) -> Alerts:
        return {detector: _within(alert + shift) for detector, alert in start.items()}

    span = HIGHEST_ALERT - LOWEST_ALERT
    shift = _lowest(-span, span, lambda shift: fits(shifted(shift)))
    return shifted(span if shift is None else shift)


def count_flagged(rarities: np.ndarray, detectors: list[str], alerts: Alerts) -> int:
    """Count the trades that alerts would flag; `rarities` and `detectors` as in `choose_alerts`."""
    limits = np.array([alerts.get(detector, np.inf) for detector in detectors])
    # A trade that a fixed rule flags has infinite rarity, whichever detectors run.
    is_flagged = (rarities >= limits).any(axis=1) | np.isinf(rarities).any(axis=1)
    return int(np.count_nonzero(is_flagged))


def _lowest(low: float, high: float, holds: Callable[[float], bool]) -> float | None:
    """Return the lowest multiple of `STEP` from which a monotonic condition holds; None if it never does."""
    first, last = round(low / STEP), round(high / STEP)
    if not holds(last * STEP):
        return None
    while first < last:
        middle = (first + last) // 2
        if holds(middle * STEP):
            last = middle
        else:
            first = middle + 1
    return _rounded(first * STEP)


def _within(alert: float) -> float:
    return _rounded(min(max(alert, LOWEST_ALERT), HIGHEST_ALERT))


def _rounded(alert: float) -> float:
    return round(alert, 3)
