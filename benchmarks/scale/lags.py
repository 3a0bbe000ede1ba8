"""How far a group is behind while more comes than it can take, and when it has caught up."""

from collections.abc import Sequence
from dataclasses import dataclass

Lags = Sequence[tuple[float, float]]
"""Seconds and messages not committed, in order of time."""


@dataclass(frozen=True)
class Recovery:
    """A group before, at and after a rush.

    Parameters
    ----------
    usual
        The largest lag before the rush.
    peak
        The largest one from its beginning on.
    after_s
        Seconds from its end until the lag is usual again; None if that was not seen.
    taken
        Messages that were committed during it.
    """

    usual: float
    peak: float
    after_s: float | None
    taken: float


def recovery_of(lags: Lags, begins_s: float, ends_s: float, sent: int) -> Recovery:
    """Return how a group came through a rush.

    Parameters
    ----------
    lags
        Of the group, with some before the rush.
    begins_s, ends_s
        The rush.
    sent
        Messages that came during it.
    """
    before = [lag for at_s, lag in lags if at_s < begins_s]
    usual = max(before)
    at_end = [lag for at_s, lag in lags if at_s <= ends_s][-1]
    back = next((at_s for at_s, lag in lags if at_s >= ends_s and lag <= usual), None)
    return Recovery(
        usual,
        max(lag for at_s, lag in lags if at_s >= begins_s),
        None if back is None else back - ends_s,
        sent - (at_end - before[-1]),
    )
