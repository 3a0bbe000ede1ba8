"""Anomalous trades to add to synthetic trades, each with the price and size that would have been normal.

An anomaly is an extra trade (a `burst`: many) between two trades of its symbol, the *anchor* and the next
one. Anchors are in quiet places: the next trade's price is close to the anchor's, so an off-market price is
seen to return, and the label's expected price is beyond dispute.
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
from services.sources.synthetic.trades import (
    BUY,
    CLOSING_CROSS_MINUTE,
    HIDDEN,
    NS_PER_S,
    OPENING_CROSS_MINUTE,
    SELL,
    Bools,
    Floats,
    Ints,
    SyntheticTrades,
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
"""In order of priority: a day with room for two anomalies gets the first two kinds."""

MOST_WANTED = tuple(KIND_SHARES)

BURST_DURATION_NS = (10_000_000, BURST_NS - 1_000_000)  # it starts one millisecond after its anchor
BURST_DRIFT_RANGE = (0.0015, 0.005)
"""Relative to the price; the minimum exceeds the evaluation's, so that bursts in the demo are easy to see."""

LOCAL_SIZE_ROWS = 100
"""Rows up to the anchor whose mean is the expected size; the evaluation uses 500, so that no detector can be
tuned to one injector's window."""

# A price is off-market if it is at least this many spreads away: nearer, it could be the other side's quote.
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
        As in `SyntheticTrades`.
    kind_codes
        Index into `MOST_WANTED`.
    event_numbers
        Number of the anomaly; the trades of one burst share it.
    expected_price_nanos
        The anchor's price.
    expected_size_shares
        Mean size of the symbol's last trades, without auctions.
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
    """Numbers of anomalies to inject, decided before the day's trades are generated.

    Parameters
    ----------
    events : array of int, shape (len(MOST_WANTED),)
        Number of anomalies of each kind.
    burst_rows : array of int, shape (events of the last kind,)
        Trades in each burst.
    """

    events: Ints
    burst_rows: Ints

    @property
    def rows(self) -> int:
        """Number of trades that the plan adds."""
        return int(self.events[:-1].sum() + self.burst_rows.sum())


def plan_anomalies(rng: np.random.Generator, trades: int, anomaly_rate: float) -> Plan:
    """Divide a day's anomalies among the kinds.

    Parameters
    ----------
    rng
        Random generator (for the lengths of bursts).
    trades
        Total number of rows of the day, including anomalies.
    anomaly_rate
        Anomalies per trade, 0 to 0.2; a burst counts as one.

    Returns
    -------
    Plan
        At least one anomaly of each kind if there are at least as many anomalies as kinds, except that
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


def inject_anomalies(
    rng: np.random.Generator, trades: SyntheticTrades, plan: Plan, date: dt.date
) -> InjectedTrades:
    """Generate the planned anomalies for a day; its trades are not changed.

    Parameters
    ----------
    rng
        Random generator.
    trades
        The day's trades.
    plan
        Anomalies to generate.
    date
        The day in New York, to keep anomalies away from the auctions.

    Returns
    -------
    InjectedTrades
        Fewer than planned if the day has too few suitable places (short days, high rates).
    """
    if plan.rows == 0 or len(trades) < 2:
        return _no_trades()
    places = _Places(trades, date)
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
    is_free = np.ones(len(trades), np.bool_)
    first_event = 0
    for kind, is_fitting in fitting.items():  # the kinds with the fewest suitable places come first
        anchors = _choose_anchors(rng, trades, is_fitting & is_free, int(wanted[kind]))
        is_free[anchors] = False
        if len(anchors):
            parts.append(_make_trades(rng, trades, places, kind, anchors, plan.burst_rows, first_event))
        first_event += len(anchors)
    if not parts:
        return _no_trades()
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return InjectedTrades(*(np.concatenate(column) for column in columns))


def _no_trades() -> InjectedTrades:
    none = np.zeros(0, np.int64)
    return InjectedTrades(none, none, none, none, none, none, none, none, np.zeros(0))


class _Places:
    """Properties of each trade as a possible anchor; every column has shape (rows,)."""

    def __init__(self, trades: SyntheticTrades, date: dt.date) -> None:
        self.trades = trades
        rows = np.arange(len(trades))
        is_first = np.diff(trades.symbol_codes, prepend=-1) != 0
        self.symbol_start = np.maximum.accumulate(np.where(is_first, rows, 0))
        is_last = np.append(is_first[1:], True)
        following = np.minimum(rows + 1, len(trades) - 1)
        self.gap_ns = np.where(is_last, 0, trades.ts_event_ns[following] - trades.ts_event_ns)
        returns = np.abs(trades.price_nanos[following] - trades.price_nanos) <= trades.spread_nanos
        from_open_ns = np.abs(trades.ts_event_ns - new_york_minute_ns(date, OPENING_CROSS_MINUTE))
        from_close_ns = np.abs(trades.ts_event_ns - new_york_minute_ns(date, CLOSING_CROSS_MINUTE))
        self.is_quiet: Bools = (
            returns
            & (np.minimum(from_open_ns, from_close_ns) > _CROSS_DISTANCE_NS)
            & (self.gap_ns >= _MIN_GAP_NS)
            & (rows - self.symbol_start >= _WARM_UP_ROWS)
            & (trades.price_nanos % TICK_NANOS == 0)
        )
        self.local_size_shares = self._local_sizes()
        self.is_stale = self.is_quiet & self._differs_noticeably()

    def _local_sizes(self) -> Floats:
        """Return the mean size of the symbol's last `LOCAL_SIZE_ROWS` rows, without auctions."""
        counted = ~self.trades.is_cross
        shares_before = np.concatenate(([0], np.cumsum(self.trades.size_shares * counted)))
        rows_before = np.concatenate(([0], np.cumsum(counted)))
        ends = np.arange(1, len(self.trades) + 1)
        starts = np.maximum(ends - LOCAL_SIZE_ROWS, self.symbol_start)
        shares = shares_before[ends] - shares_before[starts]
        mean: Floats = shares / np.maximum(1, rows_before[ends] - rows_before[starts])
        return mean

    def rows_at(self, anchors: Ints, age_ns: Ints | int) -> Ints:
        """Return each anchor's symbol's last row at least `age_ns` old; another symbol's if it has none."""
        # One search for all symbols: the times of each symbol are shifted behind those of the one before.
        shift_ns = self.trades.symbol_codes * (2 * 24 * 60 * NS_PER_MINUTE) - self.trades.ts_event_ns.min()
        keys = self.trades.ts_event_ns + shift_ns
        found: Ints = np.searchsorted(keys, keys[anchors] - age_ns, side="right") - 1
        return found

    def _differs_noticeably(self) -> Bools:
        """Tell where prices of 15 to 30 minutes ago all clearly differ from the current price."""
        rows = np.arange(len(self.trades))
        price = self.trades.price_nanos
        away = np.maximum(STALE_LEAST_MOVE * price, _SPREADS_AWAY * self.trades.spread_nanos)
        differs = np.ones(len(rows), np.bool_)
        for age_ns in (STALE_AGE_NS[0], sum(STALE_AGE_NS) // 2, STALE_AGE_NS[1]):
            old_rows = self.rows_at(rows, age_ns)
            differs &= (old_rows >= self.symbol_start) & (np.abs(price[old_rows] - price) >= away)
        return differs

    def distance_bounds_ticks(self, anchors: Ints, price_range: tuple[float, float]) -> tuple[Ints, Ints]:
        """Return the minimum and maximum distance in ticks for a relative distance within `price_range`."""
        price = self.trades.price_nanos[anchors]
        least_nanos = np.maximum(price_range[0] * price, _SPREADS_AWAY * self.trades.spread_nanos[anchors])
        least = np.ceil(least_nanos / TICK_NANOS).astype(np.int64)
        greatest = np.floor(price_range[1] * price / TICK_NANOS).astype(np.int64)
        return least, greatest

    def has_off_prices(self, price_range: tuple[float, float]) -> Bools:
        """Tell where the tick grid has a price at a relative distance within `price_range`."""
        least, greatest = self.distance_bounds_ticks(np.arange(len(self.trades)), price_range)
        return least <= greatest


def _choose_anchors(
    rng: np.random.Generator, trades: SyntheticTrades, is_fitting: Bools, wanted: int
) -> Ints:
    """Choose distinct rows, each less likely the more rows its symbol has; ascending."""
    candidates = np.flatnonzero(is_fitting)
    symbol_rows = np.bincount(trades.symbol_codes)
    # A busy symbol still gets more anomalies than a thin one, but only by the square root of its trades.
    waiting = rng.exponential(1.0, len(candidates)) * np.sqrt(symbol_rows[trades.symbol_codes[candidates]])
    return np.sort(candidates[np.argsort(waiting, kind="stable")[:wanted]])


def _make_trades(
    rng: np.random.Generator,
    trades: SyntheticTrades,
    places: _Places,
    kind: str,
    anchors: Ints,
    burst_rows: Ints,
    first_event: int,
) -> InjectedTrades:
    """Generate the anomalies of one kind, one for each anchor."""
    events = len(anchors)
    expected_price = trades.price_nanos[anchors]
    expected_size = places.local_size_shares[anchors]
    side = trades.side_codes[anchors]
    # The delay after the anchor is short, so that the anchor's price is still the expected one.
    longest_ns = np.minimum(places.gap_ns[anchors], _MAX_DELAY_NS)
    delay_ns = (rng.uniform(0.2, 0.8, events) * longest_ns).astype(np.int64)
    usual_size = _usual_sizes(rng, trades, places, anchors)

    if kind == "burst":
        return _make_bursts(rng, trades, places, anchors, burst_rows[:events], first_event)
    price, size = expected_price, usual_size
    if kind in DISTANCES:
        price = _off_prices(rng, places, anchors, DISTANCES[kind])
    elif kind == "stale":
        age_ns = rng.integers(*STALE_AGE_NS, events)
        price = _stale_prices(trades, places, anchors, age_ns)
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
        trades.symbol_codes[anchors],
        trades.ts_event_ns[anchors] + delay_ns,
        price,
        size,
        side,
        np.full(events, MOST_WANTED.index(kind)),
        first_event + np.arange(events),
        expected_price,
        expected_size,
    )


def _usual_sizes(rng: np.random.Generator, trades: SyntheticTrades, places: _Places, anchors: Ints) -> Ints:
    """Draw a normal size for each anchor: that of a recent trade, at most three times the mean."""
    start = np.maximum(anchors - LOCAL_SIZE_ROWS + 1, places.symbol_start[anchors])
    recent = trades.size_shares[rng.integers(start, anchors, endpoint=True)]
    return np.maximum(1, np.minimum(recent, 3 * places.local_size_shares[anchors])).astype(np.int64)


def _off_prices(
    rng: np.random.Generator, places: _Places, anchors: Ints, price_range: tuple[float, float]
) -> Ints:
    """Draw prices at a log-uniform relative distance within `price_range`, up or down."""
    least, greatest = places.distance_bounds_ticks(anchors, price_range)
    drawn = np.rint(least * (greatest / least) ** rng.random(len(anchors))).astype(np.int64)
    sign = rng.choice([-1, 1], len(anchors))
    prices: Ints = places.trades.price_nanos[anchors] + sign * np.clip(drawn, least, greatest) * TICK_NANOS
    return prices


def _stale_prices(trades: SyntheticTrades, places: _Places, anchors: Ints, age_ns: Ints) -> Ints:
    """Return each anchor's symbol's price of `age_ns` ago, or of 15 minutes ago if that one is too close."""
    price = trades.price_nanos[anchors]
    away = np.maximum(STALE_LEAST_MOVE * price, _SPREADS_AWAY * trades.spread_nanos[anchors])
    old_price = trades.price_nanos[places.rows_at(anchors, age_ns)]
    nearest_price = trades.price_nanos[places.rows_at(anchors, STALE_AGE_NS[0])]
    return np.where(np.abs(old_price - price) >= away, old_price, nearest_price)


def _make_bursts(
    rng: np.random.Generator,
    trades: SyntheticTrades,
    places: _Places,
    anchors: Ints,
    burst_rows: Ints,
    first_event: int,
) -> InjectedTrades:
    """Generate a burst for each anchor: `burst_rows` trades in 50 ms, drifting one way on the tick grid."""
    events = len(anchors)
    rows = int(burst_rows.sum())
    event = np.repeat(np.arange(events), burst_rows)
    anchor = anchors[event]
    progress = rng.random(rows)
    progress = progress[np.lexsort((progress, event))]
    duration_ns = rng.integers(*BURST_DURATION_NS, events)
    start_ns = trades.ts_event_ns[anchors] + 1_000_000
    low, high = BURST_DRIFT_RANGE
    drift_ticks = low * (high / low) ** rng.random(events) * trades.price_nanos[anchors] / TICK_NANOS
    drift_ticks = np.maximum(drift_ticks, _SPREADS_AWAY * trades.spread_nanos[anchors] / TICK_NANOS)
    direction = rng.choice([-1, 1], events)
    moved_ticks = np.rint(progress * drift_ticks[event]).astype(np.int64)
    return InjectedTrades(
        trades.symbol_codes[anchor],
        start_ns[event] + (progress * duration_ns[event]).astype(np.int64),
        np.maximum(TICK_NANOS, trades.price_nanos[anchor] + direction[event] * moved_ticks * TICK_NANOS),
        _usual_sizes(rng, trades, places, anchor),
        np.where(direction > 0, BUY, SELL)[event],
        np.full(rows, MOST_WANTED.index("burst")),
        first_event + event,
        trades.price_nanos[anchor],
        places.local_size_shares[anchor],
    )
