"""The choice of alerts that meet a budget.

Sizes move first: of all that is flagged, blocks are most often natural, so a stricter or a laxer line for
sizes costs and brings the least. Only when sizes alone do not meet the budget, all parts move together, by
one shift in rarity: each part's alerts then become as many times rarer, or more frequent.
"""

from collections.abc import Callable

import numpy as np

LOWEST_ALERT, HIGHEST_ALERT = 3.0, 6.0
"""Once in a thousand trades and in a million: lower values are not rare, higher ones need more than a day."""
LOWEST_SIZE_ALERT, HIGHEST_SIZE_ALERT = 3.0, 4.0
"""Range in which the sizes' alert moves alone."""
STEP = 0.001
"""Step of alerts."""

Alerts = dict[str, float]
"""Detector to its alert, in decades of rarity."""


def choose_alerts(rarities: np.ndarray, parts: list[str], given: Alerts, allowed: int) -> Alerts:
    """Choose the lowest alerts that flag no more trades than allowed.

    Parameters
    ----------
    rarities
        Of the trades, by part, shape (k, len(parts)).
    parts
        The detectors, in the order of the columns.
    given
        The alerts to start from, of those that run.
    allowed
        How many trades may be flagged.

    Returns
    -------
    dict
        The alerts, of the detectors in `given`; at their limits where these do not meet the budget.
    """

    def fits(alerts: Alerts) -> bool:
        return count_flagged(rarities, parts, alerts) <= allowed

    start = {part: _within(alert) for part, alert in given.items()}
    if "unusual_size" in start:

        def with_size(alert: float) -> Alerts:
            return {**start, "unusual_size": _rounded(alert)}

        size_alert = _lowest(LOWEST_SIZE_ALERT, HIGHEST_SIZE_ALERT, lambda alert: fits(with_size(alert)))
        start = with_size(size_alert if size_alert is not None else HIGHEST_SIZE_ALERT)
        if size_alert is not None and size_alert > LOWEST_SIZE_ALERT:
            return start

    def shifted(shift: float) -> Alerts:
        return {part: _within(alert + shift) for part, alert in start.items()}

    span = HIGHEST_ALERT - LOWEST_ALERT
    shift = _lowest(-span, span, lambda shift: fits(shifted(shift)))
    return shifted(span if shift is None else shift)


def count_flagged(rarities: np.ndarray, parts: list[str], alerts: Alerts) -> int:
    """Count the trades that alerts would flag; `rarities` and `parts` as in `choose_alerts`."""
    lines = np.array([alerts.get(part, np.inf) for part in parts])
    # A rule's flag is infinitely rare, whatever part runs.
    is_flagged = (rarities >= lines).any(axis=1) | np.isinf(rarities).any(axis=1)
    return int(np.count_nonzero(is_flagged))


def _lowest(low: float, high: float, holds: Callable[[float], bool]) -> float | None:
    """Return the lowest multiple of `STEP` at which a condition holds that holds for all above; or None."""
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
