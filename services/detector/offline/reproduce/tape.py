"""The trades that a print's session had, in the order in which the detector saw them.

A session begins with the profile's priors, so what it had learnt depends on its own trades alone: those of
the symbol on that day, or all of the symbol's where the profile has one endless session for each.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from services.common.errors import TapewatchError
from services.detector.engine.columns import to_columns
from services.detector.offline.decode import DecodedChunk, decode_chunk
from services.sources.base import Source

FIRST_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LAST_TIME = dt.datetime(2261, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class SessionTimes:
    """A session of a symbol, and when it is.

    Parameters
    ----------
    symbol
        The symbol.
    day
        `YYYY-MM-DD`, as in `SessionKey`; empty for an endless session.
    start, end
        Event times, UTC; the end is not included.
    """

    symbol: str
    day: str
    start: dt.datetime
    end: dt.datetime


class Place(NamedTuple):
    """Which print it is: its symbol, and its event time."""

    symbol: str
    time: dt.datetime


def session_of(place: Place, time_zone: str, is_endless: bool) -> SessionTimes:
    """Return the session that a print belongs to; `time_zone` is the exchange's."""
    if is_endless:
        return SessionTimes(place.symbol, "", FIRST_TIME, LAST_TIME)
    zone = ZoneInfo(time_zone)
    day = place.time.astimezone(zone).date()
    start, end = (dt.datetime.combine(one, dt.time(), zone) for one in (day, day + dt.timedelta(days=1)))
    return SessionTimes(place.symbol, day.isoformat(), start.astimezone(dt.UTC), end.astimezone(dt.UTC))


def find_print(sources: Sequence[Source], trade_id: str) -> Place:
    """Look for a print in files.

    Raises
    ------
    TapewatchError
        It is in none of them.
    """
    for source in sources:
        for chunk in source.chunks():
            own = chunk.trades.filter(pl.col("trade_id") == trade_id)
            if len(own):
                event_us = own["ts_event"][0] // 1000
                return Place(own["symbol"][0], FIRST_TIME + dt.timedelta(microseconds=event_us))
    names = ", ".join(source.name for source in sources)
    raise TapewatchError(
        f"No trade has the id {trade_id} in {names}.",
        "Check that the id is complete, and give the file of its day.",
    )


def session_trades(
    sources: Sequence[Source], session: SessionTimes, time_zone: str
) -> Iterator[DecodedChunk]:
    """Read a session's trades; what came by reconciliation is left out, as the live detector does."""
    start_ns, end_ns = (int(time.timestamp()) * 1_000_000_000 for time in (session.start, session.end))
    is_own = (pl.col("symbol") == session.symbol) & pl.col("ts_event").is_between(
        start_ns, end_ns, closed="left"
    )
    for source in sources:
        for chunk in source.chunks():
            own = chunk.trades.filter(is_own)
            if len(own):
                yield _judged(
                    decode_chunk(source, replace(chunk, trades=own, rejected=[]), time_zone), time_zone
                )


def _judged(decoded: DecodedChunk, time_zone: str) -> DecodedChunk:
    if not any(trade.reconciled for trade in decoded.trades):
        return decoded
    kept = [at for at, trade in enumerate(decoded.trades) if not trade.reconciled]
    trades = [decoded.trades[at] for at in kept]
    return replace(
        decoded,
        values=[decoded.values[at] for at in kept],
        trades=trades,
        columns=to_columns(trades, time_zone),
    )
