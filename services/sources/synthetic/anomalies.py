"""Anomalous trades to be added to a synthetic tape, each with what would have been normal in its place.

An anomaly is an extra trade (a `burst`: many) between two trades of its symbol, the *anchor* and the next
one. Anchors lie in quiet places: the next trade is about where the anchor is, so a price that is off is seen
to return, and the label's expected price is beyond dispute.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from services.sources.synthetic.kinds import (
    BURST_NS,
    BURST_TRADES,
    DISTANCES,
    FAT_FINGER_FACTORS,
    FAT_FINGER_KINDS,
    FAT_FINGER_LEAST_SHARES,
    NS_PER_MINUTE,
    STALE_AGE_NS,
    STALE_LEAST_MOVE,
)
from services.sources.synthetic.tape import (
    BUY,
    CLOSING_CROSS_MINUTE,
    HIDDEN,
    NS_PER_S,
    OPENING_CROSS_MINUTE,
    SELL,
    Bools,
    Floats,
    Ints,
    Tape,
    new_york_minute_ns,
)
from services.sources.ticks import TICK_NANOS

KIND_SHARES = {
    "off_market": 0.32,
    "fat_finger": 0.22,
    "off_market_small": 0.22,
    "off_market_fat_finger": 0.10,
    "stale": 0.12,
    "burst": 0.02,
}
"""Most wanted first: a day with room for two anomalies gets the first two."""

MOST_WANTED = tuple(KIND_SHARES)

BURST_DURATION_NS = (10_000_000, BURST_NS - 1_000_000)  # the first millisecond goes by before it
BURST_DRIFT_RANGE = (0.0015, 0.005)
"""Of the price; more than the evaluation's least, as the demonstration's bursts shall be plain to see."""

LOCAL_SIZE_ROWS = 100
"""Rows up to the anchor whose mean is the expected size; the evaluation takes 500, so that no detector can
fit the window of one injector."""

# A price is off when it is this many spreads away: nearer, it could be the other side of the market.
_SPREADS_AWAY = 3
_WARM_UP_ROWS = 20
_CROSS_DISTANCE_NS = 30 * NS_PER_S
_MIN_GAP_NS = 10_000
_BURST_GAP_NS = 60_000_000
_MAX_DELAY_NS = 2 * NS_PER_S
_BURST_PART_OF_DAY = 0.05


@dataclass(frozen=True)
class InjectedTrades:
    """Anomalous trades as columns, each of shape (rows,).

    Parameters
    ----------
    symbol_codes, ts_event_ns, price_nanos, size_shares, side_codes
        As in `Tape`.
    kind_codes
        Index into `MOST_WANTED`.
    event_numbers
        Which anomaly; the trades of one burst share it.
    expected_price_nanos
        The anchor's price.
    expected_size_shares
        Mean size of the symbol's last trades, auctions left out.
    """

    symbol_codes: Ints
    ts_event_ns: Ints
    price_nanos: Ints
    size_shares: Ints
    side_codes: Ints
    kind_codes: Ints
    event_numbers: Ints
    expected_price_nanos: Ints
    expected_size_shares: Floats

    def __len__(self) -> int:
        return len(self.ts_event_ns)


@dataclass(frozen=True)
class Plan:
    """How many anomalies a day shall have, known before its tape is.

    Parameters
    ----------
    events : array of int, shape (len(MOST_WANTED),)
        Anomalies of each kind.
    burst_rows : array of int, shape (events of the last kind,)
        Trades in each burst.
    """

    events: Ints
    burst_rows: Ints

    @property
    def rows(self) -> int:
        """Trades that the plan adds to the tape."""
        return int(self.events[:-1].sum() + self.burst_rows.sum())


def plan_anomalies(rng: np.random.Generator, trades: int, anomaly_rate: float) -> Plan:
    """Divide a day's anomalies among the kinds.

    Parameters
    ----------
    rng
        Source of randomness (for the lengths of bursts).
    trades
        Rows that the day shall have in all.
    anomaly_rate
        Anomalies per trade, 0 to 0.2; a burst counts as one.

    Returns
    -------
    Plan
        With at least one anomaly of each kind where there are as many anomalies as kinds, except that
        bursts never make up more than 5 % of the trades.
    """
    total = round(trades * anomaly_rate)
    if total < len(MOST_WANTED):
        events = (np.arange(len(MOST_WANTED)) < total).astype(np.int64)
    else:
        events = np.maximum(1, np.floor(np.array(list(KIND_SHARES.values())) * total)).astype(np.int64)
    burst = MOST_WANTED.index("burst")
    events[burst] = min(events[burst], int(trades * _BURST_PART_OF_DAY) // BURST_TRADES[1])
    events[0] += total - events.sum()
    return Plan(events, rng.integers(BURST_TRADES[0], BURST_TRADES[1], int(events[burst]), endpoint=True))


def inject_anomalies(rng: np.random.Generator, tape: Tape, plan: Plan, date: dt.date) -> InjectedTrades:
    """Make the planned anomalies for a tape; the tape itself is not changed.

    Parameters
    ----------
    rng
        Source of randomness.
    tape
        The undisturbed day.
    plan
        What to add.
    date
        The day in New York, for keeping away from the auctions.

    Returns
    -------
    InjectedTrades
        Fewer than planned where the tape has too few fitting places (short days, high rates).
    """
    if plan.rows == 0 or len(tape) < 2:
        return _no_trades()
    places = _Places(tape, date)
    wanted = dict(zip(MOST_WANTED, plan.events, strict=True))
    fitting = {
        "burst": places.is_quiet & (places.gap_ns >= _BURST_GAP_NS),
        "stale": places.is_stale,
        "off_market_small": places.is_quiet & places.has_off_prices(DISTANCES["off_market_small"]),
        "off_market_fat_finger": places.is_quiet & places.has_off_prices(DISTANCES["off_market_fat_finger"]),
        "off_market": places.is_quiet & places.has_off_prices(DISTANCES["off_market"]),
        "fat_finger": places.is_quiet,
    }
    parts: list[InjectedTrades] = []
    is_free = np.ones(len(tape), np.bool_)
    first_event = 0
    for kind, is_fitting in fitting.items():  # the kinds with the fewest fitting places choose first
        anchors = _choose_anchors(rng, tape, is_fitting & is_free, int(wanted[kind]))
        is_free[anchors] = False
        if len(anchors):
            parts.append(_make_trades(rng, tape, places, kind, anchors, plan.burst_rows, first_event))
        first_event += len(anchors)
    if not parts:
        return _no_trades()
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return InjectedTrades(*(np.concatenate(column) for column in columns))


def _no_trades() -> InjectedTrades:
    none = np.zeros(0, np.int64)
    return InjectedTrades(none, none, none, none, none, none, none, none, np.zeros(0))


class _Places:
    """What is known of each row of a tape as a possible anchor; every column has shape (rows,)."""

    def __init__(self, tape: Tape, date: dt.date) -> None:
        self.tape = tape
        rows = np.arange(len(tape))
        is_first = np.diff(tape.symbol_codes, prepend=-1) != 0
        self.symbol_start = np.maximum.accumulate(np.where(is_first, rows, 0))
        is_last = np.append(is_first[1:], True)
        following = np.minimum(rows + 1, len(tape) - 1)
        self.gap_ns = np.where(is_last, 0, tape.ts_event_ns[following] - tape.ts_event_ns)
        returns = np.abs(tape.price_nanos[following] - tape.price_nanos) <= tape.spread_nanos
        from_open_ns = np.abs(tape.ts_event_ns - new_york_minute_ns(date, OPENING_CROSS_MINUTE))
        from_close_ns = np.abs(tape.ts_event_ns - new_york_minute_ns(date, CLOSING_CROSS_MINUTE))
        self.is_quiet: Bools = (
            returns
            & (np.minimum(from_open_ns, from_close_ns) > _CROSS_DISTANCE_NS)
            & (self.gap_ns >= _MIN_GAP_NS)
            & (rows - self.symbol_start >= _WARM_UP_ROWS)
            & (tape.price_nanos % TICK_NANOS == 0)
        )
        self.local_size_shares = self._local_sizes()
        self.is_stale = self.is_quiet & self._differs_noticeably()

    def _local_sizes(self) -> Floats:
        """Mean size of the last `LOCAL_SIZE_ROWS` rows of the symbol, auctions left out."""
        counted = ~self.tape.is_cross
        shares_before = np.concatenate(([0], np.cumsum(self.tape.size_shares * counted)))
        rows_before = np.concatenate(([0], np.cumsum(counted)))
        ends = np.arange(1, len(self.tape) + 1)
        starts = np.maximum(ends - LOCAL_SIZE_ROWS, self.symbol_start)
        shares = shares_before[ends] - shares_before[starts]
        mean: Floats = shares / np.maximum(1, rows_before[ends] - rows_before[starts])
        return mean

    def rows_at(self, anchors: Ints, age_ns: Ints | int) -> Ints:
        """Find the anchors' symbol's last row so long ago; before the symbol's first row: that of another."""
        # One search through all symbols: the day's times of each are moved behind those of the one before.
        shift_ns = self.tape.symbol_codes * (2 * 24 * 60 * NS_PER_MINUTE) - self.tape.ts_event_ns.min()
        keys = self.tape.ts_event_ns + shift_ns
        found: Ints = np.searchsorted(keys, keys[anchors] - age_ns, side="right") - 1
        return found

    def _differs_noticeably(self) -> Bools:
        """Tell where every price of 15 to 30 minutes ago may be used: it was clearly another all the time."""
        rows = np.arange(len(self.tape))
        price = self.tape.price_nanos
        away = np.maximum(STALE_LEAST_MOVE * price, _SPREADS_AWAY * self.tape.spread_nanos)
        differs = np.ones(len(rows), np.bool_)
        for age_ns in (STALE_AGE_NS[0], sum(STALE_AGE_NS) // 2, STALE_AGE_NS[1]):
            old_rows = self.rows_at(rows, age_ns)
            differs &= (old_rows >= self.symbol_start) & (np.abs(price[old_rows] - price) >= away)
        return differs

    def distance_bounds_ticks(self, anchors: Ints, price_range: tuple[float, float]) -> tuple[Ints, Ints]:
        """Give the least and the greatest distance in ticks that is off by a part within `price_range`."""
        price = self.tape.price_nanos[anchors]
        least_nanos = np.maximum(price_range[0] * price, _SPREADS_AWAY * self.tape.spread_nanos[anchors])
        least = np.ceil(least_nanos / TICK_NANOS).astype(np.int64)
        greatest = np.floor(price_range[1] * price / TICK_NANOS).astype(np.int64)
        return least, greatest

    def has_off_prices(self, price_range: tuple[float, float]) -> Bools:
        """Tell where a price on the tick grid exists that is off by a part within `price_range`."""
        least, greatest = self.distance_bounds_ticks(np.arange(len(self.tape)), price_range)
        return least <= greatest


def _choose_anchors(rng: np.random.Generator, tape: Tape, is_fitting: Bools, wanted: int) -> Ints:
    """Choose rows without repetition, the less likely the more rows their symbol has; ascending."""
    candidates = np.flatnonzero(is_fitting)
    symbol_rows = np.bincount(tape.symbol_codes)
    # A busy symbol still gets more anomalies than a thin one, but by the root of its trades only.
    waiting = rng.exponential(1.0, len(candidates)) * np.sqrt(symbol_rows[tape.symbol_codes[candidates]])
    return np.sort(candidates[np.argsort(waiting, kind="stable")[:wanted]])


def _make_trades(
    rng: np.random.Generator,
    tape: Tape,
    places: _Places,
    kind: str,
    anchors: Ints,
    burst_rows: Ints,
    first_event: int,
) -> InjectedTrades:
    """Make the trades of one kind, anchor by anchor."""
    events = len(anchors)
    expected_price = tape.price_nanos[anchors]
    expected_size = places.local_size_shares[anchors]
    side = tape.side_codes[anchors]
    # The delay after the anchor is short, so that the anchor's price is still what is expected.
    longest_ns = np.minimum(places.gap_ns[anchors], _MAX_DELAY_NS)
    delay_ns = (rng.uniform(0.2, 0.8, events) * longest_ns).astype(np.int64)
    usual_size = _usual_sizes(rng, tape, places, anchors)

    if kind == "burst":
        return _make_bursts(rng, tape, places, anchors, burst_rows[:events], first_event)
    price, size = expected_price, usual_size
    if kind in DISTANCES:
        price = _off_prices(rng, places, anchors, DISTANCES[kind])
    elif kind == "stale":
        age_ns = rng.integers(*STALE_AGE_NS, events)
        price = _stale_prices(tape, places, anchors, age_ns)
    if kind in FAT_FINGER_KINDS:
        factors = rng.uniform(*FAT_FINGER_FACTORS, events)
        size = np.maximum(FAT_FINGER_LEAST_SHARES, np.ceil(factors * expected_size)).astype(np.int64)
    if kind != "fat_finger":
        aggressor = np.where(price < expected_price, SELL, BUY)
        is_hidden = (rng.random(events) < 0.3) | (
            price % TICK_NANOS != 0
        )  # only hidden orders have half ticks
        side = np.where(is_hidden, HIDDEN, aggressor)
    return InjectedTrades(
        tape.symbol_codes[anchors],
        tape.ts_event_ns[anchors] + delay_ns,
        price,
        size,
        side,
        np.full(events, MOST_WANTED.index(kind)),
        first_event + np.arange(events),
        expected_price,
        expected_size,
    )


def _usual_sizes(rng: np.random.Generator, tape: Tape, places: _Places, anchors: Ints) -> Ints:
    """Draw an unsuspicious size for each anchor: that of a recent trade, at most three times the mean."""
    start = np.maximum(anchors - LOCAL_SIZE_ROWS + 1, places.symbol_start[anchors])
    recent = tape.size_shares[rng.integers(start, anchors, endpoint=True)]
    return np.maximum(1, np.minimum(recent, 3 * places.local_size_shares[anchors])).astype(np.int64)


def _off_prices(
    rng: np.random.Generator, places: _Places, anchors: Ints, price_range: tuple[float, float]
) -> Ints:
    """Draw prices off by a part within `price_range`, either way, log-uniformly: small ones are usual."""
    least, greatest = places.distance_bounds_ticks(anchors, price_range)
    drawn = np.rint(least * (greatest / least) ** rng.random(len(anchors))).astype(np.int64)
    sign = rng.choice([-1, 1], len(anchors))
    prices: Ints = places.tape.price_nanos[anchors] + sign * np.clip(drawn, least, greatest) * TICK_NANOS
    return prices


def _stale_prices(tape: Tape, places: _Places, anchors: Ints, age_ns: Ints) -> Ints:
    """Take each anchor's symbol's price of `age_ns` ago; of 15 minutes ago where that came too near."""
    price = tape.price_nanos[anchors]
    away = np.maximum(STALE_LEAST_MOVE * price, _SPREADS_AWAY * tape.spread_nanos[anchors])
    old_price = tape.price_nanos[places.rows_at(anchors, age_ns)]
    nearest_price = tape.price_nanos[places.rows_at(anchors, STALE_AGE_NS[0])]
    return np.where(np.abs(old_price - price) >= away, old_price, nearest_price)


def _make_bursts(
    rng: np.random.Generator, tape: Tape, places: _Places, anchors: Ints, burst_rows: Ints, first_event: int
) -> InjectedTrades:
    """Make one burst for each anchor: `burst_rows` trades within 50 ms, drifting one way on the tick grid."""
    events = len(anchors)
    rows = int(burst_rows.sum())
    event = np.repeat(np.arange(events), burst_rows)
    anchor = anchors[event]
    progress = rng.random(rows)
    progress = progress[np.lexsort((progress, event))]
    duration_ns = rng.integers(*BURST_DURATION_NS, events)
    start_ns = tape.ts_event_ns[anchors] + 1_000_000
    low, high = BURST_DRIFT_RANGE
    drift_ticks = low * (high / low) ** rng.random(events) * tape.price_nanos[anchors] / TICK_NANOS
    drift_ticks = np.maximum(drift_ticks, _SPREADS_AWAY * tape.spread_nanos[anchors] / TICK_NANOS)
    direction = rng.choice([-1, 1], events)
    moved_ticks = np.rint(progress * drift_ticks[event]).astype(np.int64)
    return InjectedTrades(
        tape.symbol_codes[anchor],
        start_ns[event] + (progress * duration_ns[event]).astype(np.int64),
        np.maximum(TICK_NANOS, tape.price_nanos[anchor] + direction[event] * moved_ticks * TICK_NANOS),
        _usual_sizes(rng, tape, places, anchor),
        np.where(direction > 0, BUY, SELL)[event],
        np.full(rows, MOST_WANTED.index("burst")),
        first_event + event,
        tape.price_nanos[anchor],
        places.local_size_shares[anchor],
    )
