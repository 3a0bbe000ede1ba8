"""Injects labelled anomalies into a real day: the ground truth of `tapewatch evaluate`.

Every anomaly is one extra trade (a burst: many) between two natural trades of its symbol, the *anchor* and
the next one; the natural trades are not changed. `services/sources/synthetic/kinds.py` describes the kinds
of anomalies, and why there is a second injector.

A detector that learned the habits of one injector would look better than it is. So nothing distinguishes
the extra rows: some have the time of a natural trade, some its size, sizes may be round lots, and prices are
on the tick grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from services.sources.synthetic.kinds import (
    BURST_NS,
    BURST_TRADES,
    DISTANCES,
    FAT_FINGER_FACTORS,
    FAT_FINGER_KINDS,
    FAT_FINGER_LEAST_SHARES,
    KINDS,
    STALE_AGE_NS,
    STALE_LEAST_MOVE,
)
from services.sources.ticks import on_grid, tick_of

PRICE_KINDS = ("off_market", "off_market_fat_finger", "stale")
"""Kinds with a clearly wrong price; `off_market_small` has a figure of its own."""

EVENTS_PER_TRADE = 0.0005

STALE_LEAST_TICKS = 2  # one tick away is only the other side's quote
BURST_DRIFTS = (0.001, 0.005)

LOCAL_TRADES = 500
"""Trades up to the anchor whose mean size is the local mean."""

# Sizes beyond this quantile of the symbol's day are clipped, so that an auction does not dominate the mean.
SIZE_QUANTILE = 0.999
ROUND_LOT_SHARES = 100

SHARE_PLACED_BY_TIME = 0.1  # uniformly over time, so that the thin extended hours get some, too
SHARE_AT_ANCHORS_TIME = 0.3  # in addition to those between two trades with the same time
SHARE_WITH_ANCHORS_SIZE = 0.5
SHARE_WITH_ANCHORS_SIDE = 0.7
SHARE_OF_ROUND_LOTS = 0.5  # of fat-finger sizes

WARM_UP_TRADES = 40
KEEP_APART_TRADES = 3
TRIES = 1_000

SEQUENCE_STEP = 1_000
"""Factor for the natural trades' sequence numbers, so that extra rows have numbers between them."""


@dataclass(frozen=True)
class Injected:
    """A day with injected anomalies.

    Parameters
    ----------
    trades
        The natural and the extra trades, in order of time and, for each symbol, of (`ts_event`, `sequence`).
        Columns as in the input; every natural `sequence` is multiplied by `SEQUENCE_STEP`; the extra rows
        have `line` 0.
    labels
        One row for each extra trade, in the order of the trades: `row` (in `trades`), `event` (0, 1, …; the
        trades of a burst share one), `kind`, `expected_price_nanos` (the anchor's price),
        `expected_size_shares` (the local mean).
    """

    trades: pl.DataFrame
    labels: pl.DataFrame


@dataclass(frozen=True)
class _Event:
    """One anomaly; arrays have an element for each of its trades, `anchor` has positions in `_SortedDay`."""

    kind: str
    expected_price_nanos: int
    expected_size_shares: float
    anchor: np.ndarray
    ts_event_ns: np.ndarray
    price_nanos: np.ndarray
    size_shares: np.ndarray
    side: list[str]


def inject(
    trades: pl.DataFrame,
    seed: int | Sequence[int],
    rate: float = EVENTS_PER_TRADE,
    kinds: Sequence[str] = KINDS,
    taken: np.ndarray | None = None,
) -> Injected:
    """Inject anomalies into a day, equal numbers of each kind.

    Parameters
    ----------
    trades
        A day's trades as the sources yield them (`services.sources.base.Chunk`), of any number of symbols;
        the number of anomalies of a symbol is proportional to its trades.
    seed
        Random seed; the same seed and trades give the same result.
    rate
        Anomalies per trade; a burst counts as one.
    kinds
        The kinds, names in `KINDS`.
    taken
        For each trade whether no anomaly may be next to it, shape (trades,); None if all are free.

    Returns
    -------
    Injected
        The day; it has fewer anomalies than requested if it has too few suitable places.
    """
    rng = np.random.default_rng(seed)
    day = _SortedDay(trades, taken)
    events = []
    for kind in _draw_kinds(rng, round(rate * len(trades)), kinds):
        for _ in range(TRIES):
            at = day.draw_anchor(rng)
            event = _burst(rng, day, at) if kind == "burst" else _single(rng, day, at, kind)
            if event is not None:
                day.reserve(event)
                events.append(event)
                break
    return _merge(trades, day, events)


class _SortedDay:
    """A day's columns sorted by symbol, each symbol's trades in the file's order; all of shape (trades,)."""

    def __init__(self, trades: pl.DataFrame, taken: np.ndarray | None) -> None:
        count = len(trades)
        symbol = trades["symbol"].rank("dense").to_numpy()
        self.row = np.argsort(symbol, kind="stable")  # row in the file
        self.place = np.empty(count, np.int64)  # its inverse
        self.place[self.row] = np.arange(count)
        symbol = symbol[self.row]
        self.start = np.searchsorted(symbol, symbol, side="left")
        self.stop = np.searchsorted(symbol, symbol, side="right")
        self.ts, self.price, self.size, sequence = (
            trades[name].to_numpy()[self.row] for name in ("ts_event", "price", "size", "sequence")
        )
        self.side = trades["side"].to_numpy()[self.row]
        self.latest_ns = self.ts.copy()  # made ascending below, for searches: a trade may be out of order
        self.usual_size = self.size.astype(np.float64)  # clipped below
        for start in np.unique(self.start):
            part = slice(start, self.stop[start])
            np.maximum.accumulate(self.ts[part], out=self.latest_ns[part])
            self.usual_size[part] = np.minimum(
                self.size[part], max(1.0, np.quantile(self.size[part], SIZE_QUANTILE))
            )
        self._shares_before = np.concatenate(([0.0], np.cumsum(self.usual_size)))
        place = np.arange(count)
        self.is_fitting = (
            (place - self.start >= WARM_UP_TRADES)
            & (place < self.stop - 1)
            & (self.price > 0)
            & (self.price % tick_of(self.price) == 0)
            & (self.ts == self.latest_ns)
            # Trades of one packet have the same number, so nothing fits between them.
            & (np.roll(sequence, -1) != sequence)
        )
        self._is_reserved = np.zeros(count, np.bool_) if taken is None else taken[self.row]

    def draw_anchor(self, rng: np.random.Generator) -> int:
        """Draw a position for an anomaly, uniformly over the trades or over time."""
        at = int(rng.integers(len(self.ts)))
        if rng.random() < SHARE_PLACED_BY_TIME:
            first, last = self.latest_ns[self.start[at]], self.latest_ns[self.stop[at] - 1]
            at = max(int(self.start[at]), int(self.last_at(at, rng.integers(first, last, endpoint=True))))
        return at

    def last_at(self, at: int, ts_ns: int | np.ndarray) -> np.ndarray:
        """Return the position of the symbol's last trade up to a time; `start - 1` if it has none.

        `at` is the position of any of the symbol's trades.
        """
        part = slice(self.start[at], self.stop[at])
        place: np.ndarray = self.start[at] + np.searchsorted(self.latest_ns[part], ts_ns, side="right") - 1
        return place

    def local_mean_size(self, at: int) -> float:
        """Return the mean size in shares of the last `LOCAL_TRADES` trades of the symbol up to `at`."""
        first = max(int(self.start[at]), at + 1 - LOCAL_TRADES)
        return float(self._shares_before[at + 1] - self._shares_before[first]) / (at + 1 - first)

    def is_free(self, first: int, last: int) -> bool:
        """Tell whether no anomaly is near the trades from `first` to `last`."""
        return not self._is_reserved[max(0, first - KEEP_APART_TRADES) : last + KEEP_APART_TRADES + 1].any()

    def reserve(self, event: _Event) -> None:
        """Reserve an anomaly's surroundings, so that other anomalies keep away."""
        first, last = int(event.anchor[0]), int(event.anchor[-1])
        self._is_reserved[max(0, first - KEEP_APART_TRADES) : last + KEEP_APART_TRADES + 1] = True


def _draw_kinds(rng: np.random.Generator, count: int, kinds: Sequence[str]) -> list[str]:
    """Return equal numbers of each kind, a remainder of randomly chosen kinds, in random order."""
    whole, odd = divmod(count, len(kinds))
    drawn = list(kinds) * whole + [kinds[k] for k in rng.permutation(len(kinds))[:odd]]
    return [drawn[k] for k in rng.permutation(count)]


def _single(rng: np.random.Generator, day: _SortedDay, at: int, kind: str) -> _Event | None:
    """Return an anomaly of one trade after the one at `at`; None if it does not fit there."""
    if not day.is_fitting[at] or not day.is_free(at, at + 1):
        return None
    anchor_price = int(day.price[at])
    price = _price(rng, day, at, kind)
    if price is None or 2 * abs(int(day.price[at + 1]) - anchor_price) > abs(price - anchor_price) > 0:
        return None  # the next trade's price would not clearly return to the anchor's
    mean_size = day.local_mean_size(at)
    if kind in FAT_FINGER_KINDS:
        size = max(float(FAT_FINGER_LEAST_SHARES), mean_size * rng.uniform(*FAT_FINGER_FACTORS))
        lot = ROUND_LOT_SHARES if rng.random() < SHARE_OF_ROUND_LOTS else 1
        size = np.ceil(size / lot) * lot
    else:
        shared = rng.random() < SHARE_WITH_ANCHORS_SIZE
        size = day.usual_size[at if shared else _recent(rng, day, at)]
    ts = int(day.ts[at])
    if rng.random() >= SHARE_AT_ANCHORS_TIME:
        ts = int(rng.integers(ts, max(ts + 1, int(day.ts[at + 1]))))
    side = day.side[at] if rng.random() < SHARE_WITH_ANCHORS_SIDE else rng.choice(["A", "B", "N"])
    return _Event(
        kind,
        anchor_price,
        mean_size,
        np.array([at]),
        np.array([ts]),
        np.array([price]),
        np.array([max(1, int(size))]),
        [str(side)],
    )


def _price(rng: np.random.Generator, day: _SortedDay, at: int, kind: str) -> int | None:
    """Draw the price of a kind of anomaly in 1e-9 dollars; None if no price is possible at this position."""
    anchor_price = int(day.price[at])
    if kind == "stale":
        old = int(day.last_at(at, int(day.ts[at]) - int(rng.integers(*STALE_AGE_NS, endpoint=True))))
        if old < day.start[at]:
            return None
        price = int(on_grid(day.price[old]))
        least = max(STALE_LEAST_MOVE * anchor_price, STALE_LEAST_TICKS * int(tick_of(anchor_price)))
        return price if abs(price - anchor_price) >= least else None
    if kind not in DISTANCES:
        return anchor_price
    least, greatest = DISTANCES[kind]
    price = int(on_grid(anchor_price * (1 + rng.choice([-1, 1]) * rng.uniform(least, greatest))))
    return price if least <= abs(price / anchor_price - 1) <= greatest else None


def _recent(rng: np.random.Generator, day: _SortedDay, at: int) -> int:
    return int(rng.integers(max(int(day.start[at]), at + 1 - LOCAL_TRADES), at + 1))


def _burst(rng: np.random.Generator, day: _SortedDay, at: int) -> _Event | None:
    """Return a burst after the trade at `at`, among the natural trades there; None if it does not fit."""
    if not day.is_fitting[at]:
        return None
    count = int(rng.integers(*BURST_TRADES, endpoint=True))
    # Uneven steps, as in a real sweep, over at least one tick in total.
    ts = int(day.ts[at]) + np.sort(rng.integers(1, BURST_NS, count))
    anchor = day.last_at(at, ts)
    if not day.is_free(at, int(anchor[-1]) + 1):
        return None
    anchor_price = int(day.price[at])
    drift = max(rng.uniform(*BURST_DRIFTS) * anchor_price, float(tick_of(anchor_price)))
    direction = int(rng.choice([-1, 1]))
    progress = np.append(np.sort(rng.random(count - 1)), 1.0)
    sizes = day.usual_size[[_recent(rng, day, at) for _ in range(count)]]
    return _Event(
        "burst",
        anchor_price,
        day.local_mean_size(at),
        anchor,
        ts,
        on_grid(anchor_price + direction * drift * progress),
        np.maximum(1, sizes).astype(np.int64),
        ["B" if direction > 0 else "A"] * count,
    )


def _merge(trades: pl.DataFrame, day: _SortedDay, events: list[_Event]) -> Injected:
    """Insert the events' trades between the natural ones, and label them."""
    natural = trades.with_columns(pl.col("sequence") * SEQUENCE_STEP)
    if not events:
        return Injected(natural, _labels(events, np.zeros(0, np.int64)))
    anchor = np.concatenate([event.anchor for event in events])
    ts = np.concatenate([event.ts_event_ns for event in events])
    anchor_row = day.row[anchor]
    extra = natural[anchor_row].with_columns(
        line=pl.lit(0, pl.Int64),
        ts_event=pl.Series(ts),
        price=pl.Series(np.concatenate([event.price_nanos for event in events])),
        size=pl.Series(np.concatenate([event.size_shares for event in events])),
        side=pl.Series([side for event in events for side in event.side]),
        # The extra trades after an anchor get the numbers after its own, in order of time (as in an event).
        sequence=pl.col("sequence") + _count_within(anchor),
    )
    # After the last row up to its time, of any symbol; if it has its anchor's time, right after the anchor.
    latest = np.maximum.accumulate(trades["ts_event"].to_numpy())
    after = np.maximum(np.searchsorted(latest, ts, side="right") - 1, anchor_row)
    after = np.where(ts == day.ts[anchor], anchor_row, after)
    is_extra = np.repeat([0, 1], [len(natural), len(extra)])
    merged = pl.concat([natural, extra.select(natural.columns)])
    order = np.lexsort(
        (
            merged["sequence"].to_numpy(),
            merged["ts_event"].to_numpy() * is_extra,
            is_extra,
            np.concatenate([np.arange(len(natural)), after]),
        )
    )
    row = np.empty(len(merged), np.int64)
    row[order] = np.arange(len(merged))
    return Injected(merged[order], _labels(events, row[len(natural) :]))


def _count_within(groups: np.ndarray) -> pl.Series:
    """Return each element's number within its group, from 1, in order."""
    return pl.DataFrame({"group": groups}).select(pl.int_range(1, pl.len() + 1).over("group")).to_series()


def _labels(events: list[_Event], row: np.ndarray) -> pl.DataFrame:
    trades_of = [len(event.anchor) for event in events]
    number = np.repeat(np.arange(len(events)), trades_of)
    return pl.DataFrame(
        {
            "row": row,
            "event": number.astype(np.int64),
            "kind": [events[event].kind for event in number],
            "expected_price_nanos": [events[event].expected_price_nanos for event in number],
            "expected_size_shares": [events[event].expected_size_shares for event in number],
        },
        schema={
            "row": pl.Int64,
            "event": pl.Int64,
            "kind": pl.String,
            "expected_price_nanos": pl.Int64,
            "expected_size_shares": pl.Float64,
        },
    ).sort("row")
