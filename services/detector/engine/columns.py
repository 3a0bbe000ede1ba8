"""Converts decoded trades to columns."""

from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import polars as pl

from services.contracts.trade import MOST_PRICE, Trade
from services.detector.engine.batch import (
    ANCHOR_ELIGIBLE,
    BAR,
    PRICE_ELIGIBLE,
    SIDE_CODES,
    VOLUME_ELIGIBLE,
)
from services.detector.engine.order import identities_of
from services.detector.engine.texts import NO_TIME, joined, parse_times

DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True)
class TradeColumns:
    """Trades of any symbols, in the order in which they came; n of each column.

    Parameters
    ----------
    symbol
        Their symbols.
    day
        Trading days, days since 1970, int64.
    event_ns
        The trades' own times, ns since 1970, int64.
    price, size, side, eligible, recv_ns
        As in `Batch`.
    sequence
        The venue's numbers, int64; from 1 up, they order the trades of their lane.
    tape_ns
        What orders trades without such a number: when the tape showed them, else when they were received,
        else `event_ns`; int64.
    lane
        A number for each publisher or venue, int64.
    identity
        64 bits of each `trade_id`, int64.
    high, low
        As in `Batch`, likewise not a number by default.
    """

    symbol: list[str]
    day: np.ndarray
    event_ns: np.ndarray
    price: np.ndarray
    size: np.ndarray
    side: np.ndarray
    eligible: np.ndarray
    sequence: np.ndarray
    tape_ns: np.ndarray
    lane: np.ndarray
    identity: np.ndarray
    recv_ns: np.ndarray
    high: np.ndarray = None  # type: ignore[assignment] # set below
    low: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name in ("high", "low"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(len(self.symbol), np.nan))

    def __len__(self) -> int:
        return len(self.symbol)

    def __getitem__(self, part: slice) -> "TradeColumns":
        return TradeColumns(**{field.name: getattr(self, field.name)[part] for field in fields(self)})


def to_columns(trades: list[Trade], time_zone: str) -> TradeColumns:
    """Convert decoded trades to columns; the trading day is the calendar day in `time_zone`."""
    count = len(trades)
    event_ns = nanoseconds([trade.timestamp for trade in trades])
    sequence = np.fromiter((trade.sequence for trade in trades), np.int64, count)
    marks = list(map(_MARKS, trades))
    distinct = set(marks)
    eligible = _numbers(marks, {mark: _eligible(*mark[2:]) for mark in distinct})
    high, low = _ranges(trades, np.flatnonzero(eligible & BAR))
    return TradeColumns(
        symbol=[trade.symbol for trade in trades],
        day=trading_days(event_ns, time_zone),
        event_ns=event_ns,
        price=np.fromiter((trade.price for trade in trades), np.float64, count),
        size=np.fromiter((trade.size for trade in trades), np.float64, count),
        side=np.fromiter((SIDE_CODES[trade.side] for trade in trades), np.int64, count),
        eligible=eligible,
        sequence=sequence,
        tape_ns=_tape_times(trades, event_ns, sequence),
        lane=_numbers(marks, {mark: _lane(*mark[:2]) for mark in distinct}),
        identity=identities([trade.trade_id for trade in trades]),
        recv_ns=_received(trades),
        high=high,
        low=low,
    )


def identities(trade_ids: list[str]) -> np.ndarray:
    """Return 64 bits for each id, int64; see `identities_of`."""
    return identities_of(*joined(trade_ids))


_MARKS = attrgetter("venue", "publisher_id", "price_eligible", "anchor_eligible", "volume_eligible", "kind")
"""Fields of which a batch has few combinations: they are converted once for each, not for each trade."""

_Mark = tuple[str | None, int | str, bool, bool, bool, str]


def _numbers(marks: list[_Mark], number_of: dict[_Mark, int]) -> np.ndarray:
    """Return the number of each trade's mark, int64, shape (n,)."""
    if len(number_of) == 1:
        return np.full(len(marks), number_of[marks[0]])
    return np.fromiter(map(number_of.__getitem__, marks), np.int64, len(marks))


def _eligible(price: bool, anchor: bool, volume: bool, kind: str) -> int:
    return (
        price * PRICE_ELIGIBLE + anchor * ANCHOR_ELIGIBLE + volume * VOLUME_ELIGIBLE + (kind == "bar") * BAR
    )


def _ranges(trades: list[Trade], bars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest and the lowest price of the bars, which stand at these places."""
    high, low = (np.full(len(trades), np.nan) for _ in range(2))
    for at in bars.tolist():
        extra = _extra(trades[at])
        for name, column in (("high", high), ("low", low)):
            found = extra.get(name)
            if isinstance(found, int | float) and abs(found) <= MOST_PRICE:
                column[at] = found
    return high, low


def _extra(trade: Trade) -> dict[str, Any]:
    """Return what a source has besides; nothing if it is no object or has numbers that no computer has."""
    if isinstance(trade.extra, msgspec.UnsetType):
        return {}
    try:
        extra = msgspec.json.decode(trade.extra)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return extra if isinstance(extra, dict) else {}


def _lane(venue: str | None, publisher_id: int | str) -> int:
    if venue is None and isinstance(publisher_id, int):
        return publisher_id
    return _named_lane(venue or str(publisher_id))


@lru_cache(maxsize=4096)
def _named_lane(name: str) -> int:
    return int(identities([name])[0])


def _tape_times(trades: list[Trade], event_ns: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    shown = {
        at: time
        for at in np.flatnonzero(sequence <= 0).tolist()
        if (time := trades[at].tape_time or trades[at].ts_recv) is not None
    }
    if not shown:
        return event_ns
    tape_ns = event_ns.copy()
    tape_ns[list(shown)] = nanoseconds(list(shown.values()))
    return tape_ns


def _received(trades: list[Trade]) -> np.ndarray:
    times = [trade.ts_recv for trade in trades]
    if not any(times):
        return np.zeros(len(times), np.int64)
    parsed = parse_times([time or "" for time in times])
    return np.where(parsed == NO_TIME, 0, parsed)


def nanoseconds(times: list[str]) -> np.ndarray:
    """Return ISO 8601 times in UTC as ns since 1970, int64, shape (n,).

    Raises
    ------
    ValueError
        One of them is no time from 1970 to 2261.
    """
    parsed = parse_times(times)
    if np.any(parsed == NO_TIME):
        raise ValueError(f"not an ISO 8601 UTC time: {times[int(np.argmax(parsed == NO_TIME))]!r}")
    return parsed


def trading_days(event_ns: np.ndarray, time_zone: str) -> np.ndarray:
    """Return the calendar days in a time zone, as days since 1970, int64, shape (n,)."""
    times = pl.Series(event_ns).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(time_zone)
    return times.dt.date().cast(pl.Int32).cast(pl.Int64).to_numpy()
