"""Synthetic trades of several symbols, of a day or of a stretch at an even pace, before any anomaly.

The trades are built from *executions*: moments at which one aggressive order trades. An execution has one
event time, one direction and one or more rows (a sweep of several resting orders). Everything is drawn as
whole columns; `numpy` generators are seeded by day (or stretch) and symbol, so a symbol's trades do not
depend on those of other symbols.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.sources.synthetic.kinds import NS_PER_MINUTE
from services.sources.ticks import TICK_NANOS

NEW_YORK = ZoneInfo("America/New_York")
NS_PER_S = 1_000_000_000
SESSION_START_MINUTE = 4 * 60
OPENING_CROSS_MINUTE = 9 * 60 + 30
CLOSING_CROSS_MINUTE = 16 * 60
SESSION_END_MINUTE = 20 * 60
SESSION_MINUTES = SESSION_END_MINUTE - SESSION_START_MINUTE

SELL, BUY, HIDDEN = 0, 1, 2
SIDE_LETTERS = ("A", "B", "N")
"""Databento's letter for each side code: the aggressor sold, bought, or is unknown."""

MIN_ROWS_FOR_CROSSES = 50
"""A symbol with fewer rows has no auctions: two huge prints would dominate its day."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Minute of the New York day, executions a minute, standard deviation of a one-minute return in basis points;
# interpolated log-linearly. A minute listed twice is a jump.
_DAY_SHAPE = np.array(
    [
        (4 * 60, 25.0, 6.5),
        (5 * 60, 14.0, 6.0),
        (7 * 60, 14.0, 6.0),
        (8 * 60, 20.0, 6.0),
        (9 * 60, 40.0, 7.0),
        (9 * 60 + 30, 100.0, 10.0),
        (9 * 60 + 30, 1700.0, 21.0),
        (9 * 60 + 35, 850.0, 15.0),
        (10 * 60, 500.0, 11.0),
        (10 * 60 + 30, 340.0, 9.0),
        (11 * 60 + 30, 180.0, 6.3),
        (12 * 60 + 30, 130.0, 4.8),
        (14 * 60 + 30, 130.0, 4.4),
        (15 * 60 + 20, 170.0, 4.3),
        (15 * 60 + 45, 350.0, 5.0),
        (16 * 60, 1200.0, 6.5),
        (16 * 60, 75.0, 6.0),
        (16 * 60 + 10, 25.0, 3.5),
        (17 * 60, 9.0, 2.5),
        (20 * 60, 3.0, 2.0),
    ]
)

# Minute of the New York day, and the factor by which spreads are wider than usual from that minute on.
_SPREAD_FACTORS = np.array(
    [(0, 2.5), (9 * 60 + 30, 2.0), (9 * 60 + 35, 1.3), (10 * 60, 1.0), (15 * 60 + 50, 1.15), (16 * 60, 2.5)]
)

# Shares of executions with 1, 2, … rows; the remainder are long sweeps with a Pareto tail.
_ROWS_PER_EXECUTION = np.array([0.644, 0.165, 0.079, 0.043, 0.026, 0.014, 0.009, 0.006, 0.004])
_LONG_SWEEP_ROWS = 10
_LONG_SWEEP_TAIL = 1.7
_LONGEST_SWEEP_ROWS = 1_800

# Executions that closely follow another one (algorithms reacting to it): their share, and the quantiles of
# the gap in log10 nanoseconds. The other executions arrive independently, at the rate of `_DAY_SHAPE`.
_FOLLOWER_SHARE = 0.64
_FOLLOWER_GAP_QUANTILES = np.array(
    [(0.0, 3.0), (0.09, 4.0), (0.42, 5.0), (0.68, 6.0), (0.86, 7.0), (1.0, 8.0)]
)

# Probability that an execution keeps the previous one's side, by log10 of the gap in nanoseconds.
_SIDE_MEMORY = np.array(
    [(4.0, 0.62), (5.0, 0.60), (6.0, 0.35), (7.0, 0.27), (8.0, 0.20), (9.0, 0.08), (10.0, 0.0)]
)

# The same for the price: algorithms reacting to one another trade at one price, on either side.
_PRICE_MEMORY = np.array([(4.0, 0.95), (5.0, 0.90), (6.0, 0.56), (7.0, 0.31), (8.0, 0.23), (9.0, 0.16)])

_ODD_LOTS = np.array([1, 2, 3, 4, 5, 7, 8, 10, 20, 25, 30, 40, 50])
_ODD_LOT_WEIGHTS = np.array(
    [0.09, 0.026, 0.016, 0.014, 0.026, 0.008, 0.008, 0.04, 0.07, 0.01, 0.018, 0.01, 0.05]
)


@dataclass(frozen=True)
class Character:
    """Characteristics of a symbol.

    Parameters
    ----------
    ticker
        Ticker; with more than five symbols, repetitions append letters to it.
    price_dollars
        Approximate price at the start of the day.
    trade_share
        Weight of the symbol when the day's trades are divided among the symbols.
    day_volatility_bp
        Standard deviation of the return over the regular session, in basis points.
    spread_ticks
        Usual spread in ticks (cents); may be below 1 for a spread that rarely widens.
    sweep_step_chance
        Probability that the next row of a sweep is one price level further away.
    size_shares
        Median of the sizes that are not round or habitual numbers, in shares.
    hundred_share, round_lot_share, odd_lot_share
        Shares of rows with exactly 100 shares, with a multiple of 100, and with a habitual odd lot.
    """

    ticker: str
    price_dollars: float
    trade_share: float
    day_volatility_bp: float
    spread_ticks: float
    sweep_step_chance: float
    size_shares: float
    hundred_share: float
    round_lot_share: float
    odd_lot_share: float


CHARACTERS = (
    Character("ACME", 140.0, 0.50, 140.0, 1.0, 0.007, 48.0, 0.24, 0.045, 0.36),  # busy, one-cent spread
    Character("BOLT", 50.0, 0.25, 160.0, 1.2, 0.007, 60.0, 0.28, 0.060, 0.32),
    Character("CRUX", 4.0, 0.14, 280.0, 0.8, 0.001, 130.0, 0.30, 0.140, 0.18),  # one tick is 25 basis points
    Character("DYNA", 27.0, 0.01, 150.0, 3.0, 0.030, 45.0, 0.26, 0.040, 0.34),  # thin
    Character("EMBR", 3500.0, 0.10, 130.0, 130.0, 0.020, 10.0, 0.05, 0.010, 0.45),  # hardly any round lots
)


@dataclass(frozen=True)
class Pace:
    """How trading runs over the time that is generated, minute by minute; m of them.

    Parameters
    ----------
    start_ns
        Its beginning, nanoseconds since 1970, UTC.
    executions
        How many there are in each minute, relative to the other ones, shape (m,).
    deviation
        Standard deviation of each minute's return, likewise, shape (m,).
    is_regular
        Whether it is of the regular session, shape (m,).
    spread_factor
        By how much spreads are wider than usual, shape (m,).
    regular_sessions
        How many whole regular sessions those minutes are.
    """

    start_ns: int
    executions: Floats
    deviation: Floats
    is_regular: Bools
    spread_factor: Floats
    regular_sessions: float = 1.0

    @property
    def minutes(self) -> int:
        """How many minutes there are."""
        return len(self.executions)


def pace_of_day(date: dt.date) -> Pace:
    """Return how trading runs over a day in New York, from its first minute to its last."""
    minute = np.arange(SESSION_START_MINUTE, SESSION_END_MINUTE)
    period = np.searchsorted(_SPREAD_FACTORS[:, 0], minute, side="right") - 1
    return Pace(
        new_york_minute_ns(date, SESSION_START_MINUTE),
        _minute_shape(1),
        _minute_shape(2),
        (minute >= OPENING_CROSS_MINUTE) & (minute < CLOSING_CROSS_MINUTE),
        _SPREAD_FACTORS[period, 1],
    )


def even_pace(start_ns: int, minutes: int) -> Pace:
    """Return a pace that does not know the time of the day: each minute is like another."""
    even = np.ones(minutes)
    regular_sessions = minutes / (CLOSING_CROSS_MINUTE - OPENING_CROSS_MINUTE)
    return Pace(start_ns, even, even, np.ones(minutes, np.bool_), even, regular_sessions)


@dataclass(frozen=True)
class SyntheticTrades:
    """Trades as columns, each of shape (rows,); symbol after symbol, by event time within a symbol.

    Parameters
    ----------
    symbol_codes
        Number of the symbol: 0, 1, ….
    ts_event_ns
        Nanoseconds since 1970, UTC.
    price_nanos
        Price in units of 1e-9 dollar.
    size_shares
        At least 1.
    side_codes
        `SELL`, `BUY` or `HIDDEN`.
    spread_nanos
        Distance from bid to ask at the trade, in units of 1e-9 dollar.
    is_cross
        Whether the row is an auction's print.
    """

    symbol_codes: Ints
    ts_event_ns: Ints
    price_nanos: Ints
    size_shares: Ints
    side_codes: Ints
    spread_nanos: Ints
    is_cross: Bools

    def __len__(self) -> int:
        return len(self.ts_event_ns)


def new_york_minute_ns(date: dt.date, minute: int) -> int:
    """Return the time of a minute of a New York day.

    Parameters
    ----------
    date
        The day in New York; daylight saving follows from it.
    minute
        Minutes since midnight on the clock, 0 to 1439.

    Returns
    -------
    int
        Nanoseconds since 1970, UTC.
    """
    clock = dt.datetime.combine(date, dt.time(minute // 60, minute % 60), tzinfo=NEW_YORK)
    return int(clock.timestamp()) * NS_PER_S


def symbol_name(index: int) -> str:
    """Return the name of symbol `index`: five tickers, then these with letters appended (`ACMEB`, …)."""
    letters, round_number = "", index // len(CHARACTERS)
    while round_number > 0:
        round_number, letter = divmod(round_number, 26)
        letters = chr(ord("A") + letter) + letters
    return CHARACTERS[index % len(CHARACTERS)].ticker + letters


def rows_per_symbol(rows: int, symbols: int) -> Ints:
    """Divide the day's rows among the symbols by their `trade_share`.

    Parameters
    ----------
    rows
        Total number of rows, at least 0.
    symbols
        Number of symbols, at least 1.

    Returns
    -------
    array of int, shape (symbols,)
        Rows of each symbol, which add up to `rows`; may be 0 for thin symbols on a short day.
    """
    shares = np.resize([character.trade_share for character in CHARACTERS], symbols)
    ends = np.rint(np.cumsum(shares) / shares.sum() * rows).astype(np.int64)
    counts: Ints = np.diff(ends, prepend=0)
    return counts


def generate_trades(date: dt.date, seed: int, rows: int, symbols: int) -> SyntheticTrades:
    """Generate one day without anomalies.

    Parameters
    ----------
    date
        The day in New York.
    seed
        At least 0; the same seed gives the same trades.
    rows
        Total number of trades, including auctions, at least 0.
    symbols
        Number of symbols, at least 1.

    Returns
    -------
    SyntheticTrades
        Exactly `rows` trades.
    """
    pace = pace_of_day(date)
    parts = []
    for code, count in _symbols_with_rows(rows, symbols):
        rng = np.random.default_rng([seed, date.toordinal(), code])
        has_crosses = count >= MIN_ROWS_FOR_CROSSES
        trades = _symbol_trades(rng, pace, code, count - 2 if has_crosses else count)
        parts.append(_with_crosses(rng, trades, date) if has_crosses else trades)
    return _concatenate(parts)


def generate_stretch(
    pace: Pace, seeds: Sequence[int], rows: int, symbols: int, start_nanos: Mapping[int, int]
) -> SyntheticTrades:
    """Generate a stretch of time without anomalies and without auctions.

    Parameters
    ----------
    pace
        When it is, and how long.
    seeds
        Numbers of at least 0; the same ones give the same trades.
    rows
        Total number of trades, at least 0.
    symbols
        Number of symbols, at least 1.
    start_nanos
        Prices to begin at, in units of 1e-9 dollar, by the symbol's number; others begin at their usual one.

    Returns
    -------
    SyntheticTrades
        Exactly `rows` trades.
    """
    return _concatenate(
        [
            _symbol_trades(
                np.random.default_rng([*seeds, code]), pace, code, count, start_nanos.get(code, 0) / 1e9
            )
            for code, count in _symbols_with_rows(rows, symbols)
        ]
    )


def _symbols_with_rows(rows: int, symbols: int) -> list[tuple[int, int]]:
    """Return the number of each symbol that has trades, and how many."""
    counts = rows_per_symbol(rows, symbols)
    return [(code, int(counts[code])) for code in np.flatnonzero(counts).tolist()]


def _concatenate(parts: list[SyntheticTrades]) -> SyntheticTrades:
    if not parts:
        none = np.zeros(0, np.int64)
        return SyntheticTrades(none, none, none, none, none, none, np.zeros(0, np.bool_))
    columns = zip(*(vars(trades).values() for trades in parts), strict=True)
    return SyntheticTrades(*(np.concatenate(column) for column in columns))


def _symbol_trades(
    rng: np.random.Generator, pace: Pace, code: int, rows: int, given_dollars: float = 0.0
) -> SyntheticTrades:
    """Generate exactly `rows` trades (at least 1) of a symbol, without auctions, from a price on if given."""
    character = CHARACTERS[code % len(CHARACTERS)]

    # Busy and quiet minutes: trading activity and volatility rise and fall slowly and together.
    minute_activity = _slow_factor(rng, pace.minutes, persistence=0.85, log_deviation=0.35)
    execution_rows = _draw_execution_rows(rng, rows)
    executions = len(execution_rows)
    elapsed_ns = _execution_times(rng, executions, pace.executions * minute_activity)
    minutes = elapsed_ns // NS_PER_MINUTE
    is_regular = pace.is_regular[minutes]
    execution_rows = _short_sweeps_outside_the_session(rng, execution_rows, is_regular)

    gap_ns = np.diff(elapsed_ns, prepend=elapsed_ns[0])
    log_gap = np.log10(np.maximum(gap_ns, 1))
    side_memory = np.interp(log_gap, *_SIDE_MEMORY.T)
    is_requoted = rng.random(executions) >= np.interp(log_gap, *_PRICE_MEMORY.T)
    direction, is_hidden = _execution_sides(rng, side_memory, is_regular)
    round_factor = 1 + 0.11 * (code // len(CHARACTERS) % 7)  # so that repetitions of a ticker differ
    usual_dollars = character.price_dollars * round_factor * rng.lognormal(0, 0.02)
    mid_ticks = _mid_path_ticks(
        rng,
        character,
        given_dollars or usual_dollars,
        elapsed_ns,
        gap_ns,
        pace,
        minute_activity,
        direction,
        side_memory,
        is_requoted,
    )
    bid_ticks, spread_ticks = _quotes(rng, character, mid_ticks, pace.spread_factor[minutes])

    first_rows = np.cumsum(execution_rows) - execution_rows
    execution = np.repeat(np.arange(executions), execution_rows)
    side_codes = _row_sides(rng, execution, first_rows, direction, is_hidden)
    priced_at = _last_true_index(is_requoted)
    middle_half_ticks = (2 * bid_ticks + spread_ticks)[priced_at]
    # Hidden rows later in a sweep are at the best quote; only the first row may be at the midpoint.
    was_at_middle = ((rng.random(executions) < 0.6) & is_hidden)[priced_at]
    is_at_middle = was_at_middle & is_hidden
    is_at_ask = np.where(was_at_middle, direction, direction[priced_at]) > 0
    touch_ticks = np.where(is_at_ask, bid_ticks[priced_at] + spread_ticks[priced_at], bid_ticks[priced_at])
    level_ticks = direction[execution] * _sweep_levels(rng, character, execution, first_rows)
    price_half_ticks = np.where(
        is_at_middle[execution] & (side_codes == HIDDEN),
        middle_half_ticks[execution],
        2 * np.maximum(1, touch_ticks[execution] + level_ticks),
    )
    minute_size = _slow_factor(rng, pace.minutes, persistence=0.95, log_deviation=0.4)
    execution_size = minute_size[minutes] * rng.lognormal(0, 0.6, executions)
    size_shares = _draw_sizes(rng, character, execution_size[execution])
    return SyntheticTrades(
        np.full(rows, code),
        pace.start_ns + elapsed_ns[execution],
        price_half_ticks * (TICK_NANOS // 2),
        size_shares,
        side_codes,
        (spread_ticks * TICK_NANOS)[execution],
        np.zeros(rows, np.bool_),
    )


def _slow_factor(rng: np.random.Generator, length: int, persistence: float, log_deviation: float) -> Floats:
    """Draw a slowly varying positive factor around 1: exp of an AR(1) process, shape (length,)."""
    shocks = rng.normal(0.0, 1.0, length + 100)
    # An AR(1) process is a moving average with decreasing weights; after 100 steps they are negligible.
    weights = persistence ** np.arange(100)
    wandering = np.convolve(shocks, weights, mode="valid")[:length] * np.sqrt(1 - persistence**2)
    factor: Floats = np.exp(log_deviation * wandering - log_deviation**2 / 2)
    return factor


def _minute_shape(column: int) -> Floats:
    """Return a column of `_DAY_SHAPE` at the middle of each session minute, shape (SESSION_MINUTES,)."""
    middles = SESSION_START_MINUTE + np.arange(SESSION_MINUTES) + 0.5
    shape: Floats = np.exp(np.interp(middles, _DAY_SHAPE[:, 0], np.log(_DAY_SHAPE[:, column])))
    return shape


def _draw_execution_rows(rng: np.random.Generator, rows: int) -> Ints:
    """Draw the number of rows of each execution, at least 1 each; they add up to `rows`."""
    uniform = rng.random(rows)  # enough for every execution to have one row
    lengths = 1 + np.searchsorted(np.cumsum(_ROWS_PER_EXECUTION), uniform, side="right")
    is_long = lengths > len(_ROWS_PER_EXECUTION)
    tail = rng.random(int(is_long.sum())) ** (-1 / _LONG_SWEEP_TAIL)
    longest = min(max(_LONG_SWEEP_ROWS, rows // 100), _LONGEST_SWEEP_ROWS)
    lengths[is_long] = np.minimum(_LONG_SWEEP_ROWS * tail, longest).astype(np.int64)
    ends = np.cumsum(lengths)
    executions = int(np.searchsorted(ends, rows)) + 1
    lengths = lengths[:executions]
    lengths[-1] -= ends[executions - 1] - rows
    return lengths


def _short_sweeps_outside_the_session(
    rng: np.random.Generator, execution_rows: Ints, is_regular: Bools
) -> Ints:
    """Reassign the numbers of rows so that long sweeps occur mostly in the regular session."""
    rank_keys = rng.random(len(execution_rows)) * np.where(is_regular, 1.0, 0.83)
    redistributed = np.empty_like(execution_rows)
    redistributed[np.argsort(rank_keys)] = np.sort(execution_rows)
    return redistributed


def _execution_times(rng: np.random.Generator, executions: int, minute_weights: Floats) -> Ints:
    """Draw the times of executions in ns since the beginning, ascending, shape (executions,)."""
    minutes = len(minute_weights)
    is_leader = rng.random(executions) >= _FOLLOWER_SHARE
    is_leader[0] = True
    leaders = int(is_leader.sum())
    minute_ends = np.cumsum(minute_weights)
    # Inverting the cumulative rate gives the minute, and the position in it, from one uniform number.
    progress = rng.random(leaders) * minute_ends[-1]
    leader_minutes = np.interp(progress, np.r_[0.0, minute_ends], np.arange(minutes + 1))
    leader_ns = (leader_minutes * NS_PER_MINUTE).astype(np.int64)
    gap_ns = (10 ** np.interp(rng.random(executions), *_FOLLOWER_GAP_QUANTILES.T)).astype(np.int64)
    gap_ns[is_leader] = 0
    since_start_ns = np.cumsum(gap_ns)
    leader_of = np.cumsum(is_leader) - 1
    since_leader_ns = since_start_ns - since_start_ns[is_leader][leader_of]
    times_ns = leader_ns[leader_of] + since_leader_ns
    return np.sort(np.minimum(times_ns, minutes * NS_PER_MINUTE - 1))


def _last_true_index(mask: Bools) -> Ints:
    """Return for each position the last position up to it where `mask` is true (0 before the first)."""
    return np.maximum.accumulate(np.where(mask, np.arange(len(mask)), 0))


def _execution_sides(rng: np.random.Generator, side_memory: Floats, is_regular: Bools) -> tuple[Ints, Bools]:
    """Draw each execution's direction (-1 sells, +1 buys) and whether it starts with a hidden order.

    An execution keeps the previous one's with probability `side_memory`; otherwise both are drawn again.
    """
    executions = len(side_memory)
    drawn_from = _last_true_index(rng.random(executions) >= side_memory)
    direction = np.where(rng.random(executions) < 0.5, -1, 1)[drawn_from]
    is_hidden = (rng.random(executions) < np.where(is_regular, 0.26, 0.42))[drawn_from]
    return direction, is_hidden


def _mid_path_ticks(
    rng: np.random.Generator,
    character: Character,
    start_dollars: float,
    elapsed_ns: Ints,
    gap_ns: Ints,
    pace: Pace,
    minute_activity: Floats,
    direction: Ints,
    side_memory: Floats,
    is_requoted: Bools,
) -> Floats:
    """Simulate the mid price: its value in ticks just before each execution, shape (executions,).

    The day's variance has three parts: news, which arrive with clock time; reactions, which come with each
    execution and grow with the time since the previous one; and the impact of order flow, which follows
    the *surprise* in the side, so that a long run of buyers does not move the price indefinitely.
    """
    minute_variance = pace.deviation**2 * minute_activity
    regular_part = minute_variance[pace.is_regular].sum() / minute_variance.sum()
    day_deviation_ticks = start_dollars * character.day_volatility_bp / 1e4 / (TICK_NANOS / 1e9)
    variance_ticks2 = day_deviation_ticks**2 * pace.regular_sessions / regular_part

    surprise = (direction - side_memory * np.r_[0, direction[:-1]]) * is_requoted
    impact_ticks = min(
        0.5 * max(1.0, character.spread_ticks),
        np.sqrt(0.6 * variance_ticks2 / max(1.0, np.square(surprise).sum())),
    )
    flow_ticks = impact_ticks * surprise
    rest_ticks2 = variance_ticks2 - np.square(flow_ticks).sum()

    variance_clock = np.interp(
        elapsed_ns / NS_PER_MINUTE,
        np.arange(pace.minutes + 1),
        np.r_[0.0, np.cumsum(minute_variance) / minute_variance.sum()],
    )
    news = np.diff(variance_clock, prepend=0.0)
    reaction = gap_ns / (gap_ns + 1_000_000)
    reaction = reaction / max(reaction.sum(), 1.0)
    step_variance = rest_ticks2 * (0.7 * news + 0.3 * reaction)
    noise_ticks = np.sqrt(step_variance) * rng.normal(0.0, 1.0, len(elapsed_ns))
    start_ticks = start_dollars * 1e9 / TICK_NANOS
    # Relative moves, so that the price of a cheap share stays above zero.
    moves_ticks = np.cumsum(noise_ticks) + np.cumsum(flow_ticks) - flow_ticks
    middle_ticks: Floats = start_ticks * np.exp(moves_ticks / start_ticks)
    return middle_ticks


def _quotes(
    rng: np.random.Generator, character: Character, mid_ticks: Floats, spread_factor: Floats
) -> tuple[Ints, Ints]:
    """Draw bid and spread around the mid price, in whole ticks, at least 1; shape (executions,) each."""
    usual_ticks = character.spread_ticks * spread_factor
    drawn_ticks = usual_ticks * rng.lognormal(0, 0.3, len(mid_ticks))
    spread_ticks = np.maximum(1, np.rint(drawn_ticks)).astype(np.int64)
    bid_ticks = np.maximum(1, np.floor(mid_ticks - (spread_ticks - 1) / 2)).astype(np.int64)
    return bid_ticks, spread_ticks


def _row_sides(
    rng: np.random.Generator, execution: Ints, first_rows: Ints, direction: Ints, is_hidden: Bools
) -> Ints:
    """Draw each row's side: the execution's direction, or `HIDDEN` if a hidden order was hit."""
    rows = len(execution)
    is_redrawn = rng.random(rows) < 0.57
    row_is_hidden = rng.random(rows) < 0.12
    is_redrawn[first_rows] = True
    row_is_hidden[first_rows] = is_hidden
    row_is_hidden = row_is_hidden[_last_true_index(is_redrawn)]
    visible_codes = np.where(direction > 0, BUY, SELL)
    return np.where(row_is_hidden, HIDDEN, visible_codes[execution])


def _sweep_levels(rng: np.random.Generator, character: Character, execution: Ints, first_rows: Ints) -> Ints:
    """Draw how many ticks each row is beyond the best quote: a sweep may reach the next price levels."""
    steps = rng.random(len(execution)) < character.sweep_step_chance
    steps[first_rows] = False
    level = np.cumsum(steps)
    level = np.minimum(level - level[first_rows][execution], 3)
    beyond_ticks: Ints = level * max(1, round(0.3 * character.spread_ticks))
    return beyond_ticks


def _draw_sizes(rng: np.random.Generator, character: Character, size_factor: Floats) -> Ints:
    """Draw trade sizes in shares: habitual odd lots, 100, round lots, arbitrary sizes, and a few blocks.

    `size_factor`, shape (rows,), around 1, multiplies the arbitrary sizes.
    """
    rows = len(size_factor)
    any_size = np.ceil(character.size_shares * size_factor * rng.lognormal(0, 1.1, rows))
    odd_lots = rng.choice(_ODD_LOTS, rows, p=_ODD_LOT_WEIGHTS / _ODD_LOT_WEIGHTS.sum())
    round_lots = 100 * np.minimum(1 + rng.random(rows) ** (-1 / 1.15), 100).astype(np.int64)
    bounds = np.cumsum([character.hundred_share, character.round_lot_share, character.odd_lot_share])
    part = np.searchsorted(bounds, rng.random(rows), side="right")
    sizes = np.choose(part, [np.full(rows, 100), round_lots, odd_lots, any_size]).astype(np.int64)
    is_block = rng.random(rows) < 0.0003
    blocks = np.minimum(4_000 * rng.random(int(is_block.sum())) ** (-1 / 1.6), 150_000)
    sizes[is_block] = (blocks * min(1.0, character.size_shares / 45)).astype(np.int64)
    # Sliced orders, and orders of the same trader: sometimes the previous size is repeated.
    is_new = rng.random(rows) >= 0.08
    return np.maximum(1, sizes[_last_true_index(is_new)])


def _with_crosses(rng: np.random.Generator, trades: SyntheticTrades, date: dt.date) -> SyntheticTrades:
    """Add a symbol's opening and closing auction, priced at the last trade before them."""
    cross_ns = np.array(
        [
            new_york_minute_ns(date, OPENING_CROSS_MINUTE) + int(rng.uniform(0.2, 2.5) * NS_PER_S),
            new_york_minute_ns(date, CLOSING_CROSS_MINUTE) + int(rng.uniform(0.02, 0.4) * NS_PER_S),
        ]
    )
    places = np.searchsorted(trades.ts_event_ns, cross_ns, side="right")
    last_rows = np.maximum(places - 1, 0)
    volume_shares = trades.size_shares.sum()
    volume_parts = np.array([0.07, 0.55]) * rng.lognormal(0, 0.15, 2)
    crosses = SyntheticTrades(
        trades.symbol_codes[:2],
        cross_ns,
        trades.price_nanos[last_rows] // TICK_NANOS * TICK_NANOS,
        np.ceil(volume_shares * volume_parts).astype(np.int64),
        np.full(2, HIDDEN),
        trades.spread_nanos[last_rows],
        np.ones(2, np.bool_),
    )
    return SyntheticTrades(
        *(
            np.insert(column, places, added)
            for column, added in zip(vars(trades).values(), vars(crosses).values(), strict=True)
        )
    )
