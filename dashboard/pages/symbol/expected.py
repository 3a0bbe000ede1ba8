"""What the detector expected of a symbol's trades, by time, as the charts draw it."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard.pages.symbol.price_layers import segments
from dashboard.ui.exchange import exchange
from dashboard.ui.prices import PriceRange
from dashboard.ui.time_ranges import Period, TimeRange

PRICES = ("low", "high", "lowest", "highest")
SIZES = ("size", "usual_size", "size_limit")
RATES = ("rate", "usual_rate", "rate_limit")


@dataclass(frozen=True)
class Expected:
    """What was expected in a time range, and what is to be said of it."""

    remark: str
    buckets: pd.DataFrame | None = None
    """A row for each bucket with trades, in order of time: `start`, `end` (UTC), `PRICES` (recent ones, and
    the farthest that are not flagged), `SIZES` and `RATES` (trades a second; each the seen one, the usual one
    and the largest that is not flagged). NaN for what is not compared; None if nothing is known."""

    def has(self, names: tuple[str, ...]) -> bool:
        """Tell whether there is anything to draw of some columns."""
        return self.buckets is not None and bool(self.buckets[names[-1]].notna().any())

    @property
    def likely(self) -> PriceRange | None:
        """The prices that mostly are not flagged; None without any."""
        if self.buckets is None or not self.has(PRICES):
            return None
        return PriceRange(float(self.buckets["lowest"].median()), float(self.buckets["highest"].median()))


def session_of(time_range: TimeRange) -> Period | None:
    """Return the session that a time range is a part of; None if it has parts of several."""
    first, last = (
        time.astimezone(exchange().zone).date()
        for time in (time_range.start, time_range.end - dt.timedelta(microseconds=1))
    )
    return Period(first, first) if first == last else None


def to_buckets(buckets: pd.DataFrame, found: np.ndarray) -> pd.DataFrame:
    """Lay out what `by_bucket` found as `Expected.buckets`."""
    columns = {name: found[name] for name in (*PRICES, *SIZES, *RATES)}
    return pd.DataFrame({"start": buckets["start"], "end": buckets["end"], **columns}, index=buckets.index)


def stretched(expected: pd.DataFrame, bucket_s: float) -> pd.DataFrame:
    """Let each bucket last until the next one, unless the market was closed: what is expected does not end.

    Adds `segment`, as `price_layers.segments` returns it.
    """
    segment = segments(expected, bucket_s)
    goes_on = segment == segment.shift(-1)
    return expected.assign(segment=segment, end=expected["end"].where(~goes_on, expected["start"].shift(-1)))
