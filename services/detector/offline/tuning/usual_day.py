"""Measures what a usual day of each symbol has, and when: the `usual_day` of a profile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.detector.detectors.patterns.time_of_day import count_moments
from services.detector.detectors.usual_day import QUARTERS, UsualDay, quarter_text
from services.detector.engine.batch import VOLUME_ELIGIBLE, Batch

LEAST_DAYS = 3
"""Fewer full days have no usual one: the median of two is their mean, and one may be anything."""
LEAST_MOMENTS = 2_000
"""A day with fewer moments, some 30 in each quarter of an hour, has no curve of its own."""
MOST_UNLIKE = 3.0
"""A day counts as so many medians of a quarter of an hour at most, and as that part of one at least."""


@dataclass
class DayVolume:
    """What one day of a symbol has had so far.

    Parameters
    ----------
    start_ns
        Its midnight by the exchange's clock.
    apart_ns
        Trades so soon after the first one of a moment belong to it.
    """

    start_ns: int
    apart_ns: int
    moments: np.ndarray = field(default_factory=lambda: np.zeros(QUARTERS, np.int64))
    """In each quarter of an hour."""
    shares: float = 0.0
    _last_ns: int = 0

    def add(self, prints: Batch) -> None:
        """Count the next prints."""
        self.shares += float(prints.size[prints.has(VOLUME_ELIGIBLE)].sum())
        self._last_ns = count_moments(
            prints.event_ns, self.start_ns, self.apart_ns, self._last_ns, self.moments
        )


@dataclass(frozen=True)
class UsualDays:
    """The usual days that past days show.

    Parameters
    ----------
    of_all
        The curve of all symbols with enough moments; None without any.
    of_symbol
        Each symbol's own, without a curve where that of all serves; nothing where its days are too few.
    days
        How many full days each symbol has.
    """

    of_all: UsualDay | None
    of_symbol: dict[str, UsualDay]
    days: dict[str, int]


def usual_days(
    volumes: Mapping[str, Mapping[str, DayVolume]], missing_ns: Callable[[str], int | None]
) -> UsualDays:
    """Return what is usual on each symbol's full days; half days and holidays do not count.

    Parameters
    ----------
    volumes
        By symbol and day, `YYYY-MM-DD`.
    missing_ns
        By how much a day is shorter than most; None for one without a session.
    """
    of_symbol: dict[str, UsualDay] = {}
    days: dict[str, int] = {}
    curves: dict[str, list[np.ndarray]] = {}
    for symbol, by_day in volumes.items():
        full = [volume for day, volume in by_day.items() if missing_ns(day) == 0 and volume.moments.any()]
        days[symbol] = len(full)
        if len(full) < LEAST_DAYS:
            continue
        moments = float(np.median([day.moments.sum() for day in full]))
        shares = float(np.median([day.shares for day in full]))
        of_symbol[symbol] = UsualDay(
            moments=_rounded(moments), shares=_rounded(shares) if shares > 0 else None
        )
        if moments >= LEAST_MOMENTS:
            curves[symbol] = [day.moments / day.moments.sum() for day in full]
    if len(curves) > 1:
        for symbol, own in curves.items():
            of_symbol[symbol] = of_symbol[symbol].model_copy(update={"by_quarter_hour": _curve(own)})
    of_all = _curve([day for own in curves.values() for day in own]) if curves else None
    return UsualDays(None if of_all is None else UsualDay(by_quarter_hour=of_all), of_symbol, days)


def _curve(days: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the mean share of each quarter of an hour, as shares that add up to 1, without empty ones.

    A quarter that is busy on some days only has more than its median, as its next busy day is no surprise; a
    single wild day does not count in full.
    """
    median = np.median(days, axis=0)
    shares = np.clip(days, median / MOST_UNLIKE, median * MOST_UNLIKE).mean(axis=0)
    shares /= shares.sum()
    return {quarter_text(at): float(f"{share:.3g}") for at, share in enumerate(shares) if share > 0}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
