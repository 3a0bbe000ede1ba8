"""Random streams of many sessions, and engines that watch them, for what is saved and restored."""

from collections.abc import Iterable, Iterator
from random import Random

import numpy as np

from services.detector.engine.batch import SIDE_CODES, SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile

EVERYTHING = Profile.model_validate(
    {
        "detectors": {
            "auction_cross": {},
            "off_market_price": {"alert": 2.5},
            "unusual_size": {"alert": 2.0},
            "burst": {"alert": 2.0},
            "isolation_forest": {"refit_trades": 20, "window_trades": 50, "trees": 5, "alert": 1.5},
            "high_volume": {"threshold_shares": 900},
            "rapid_price_change": {"threshold_ratio": 0.002},
            "z_score": {"window_trades": 40, "min_trades": 10, "threshold_sigmas": 2.0},
        }
    }
)
OWN_PARAMETERS = EVERYTHING.model_copy(
    update={
        "symbols": {
            "AAA": {
                "isolation_forest": None,
                "high_volume": {"threshold_shares": 500},
                "z_score": {"window_trades": 15},
            },
            "B@B": {
                "isolation_forest": {"refit_trades": 13, "window_trades": 30},
                "auction_cross": None,
                "rapid_price_change": {"threshold_ratio": 0.001},
                "z_score": None,
            },
        }
    }
)
WITHOUT_RULES = EVERYTHING.model_copy(
    update={
        "detectors": EVERYTHING.detectors.model_copy(
            update={"high_volume": None, "rapid_price_change": None, "z_score": None}
        )
    }
)

_OPEN_NS = 14 * 3600 * 1_000_000_000 + 1800 * 1_000_000_000
_DAY_NS = 86_400 * 1_000_000_000
_FIRST_DAY = 20_059  # 2024-12-02


def session_trades(symbol: str, day: int, count: int, seed: int) -> TradeColumns:
    """Return a session's trades on the `day`-th day, leisurely ones and hectic ones.

    They begin with the opening auction, so soon after which the 20th comes that it may be its print.
    """
    generator = np.random.default_rng((seed, day))
    is_hectic = generator.random(-(-count // 25)).repeat(25)[:count] < 0.3
    gaps_ns = np.where(
        is_hectic, generator.integers(0, 200_000, count), generator.integers(0, 2_000_000_000, count)
    )
    size = generator.lognormal(4.5, 1.2, count).astype(np.int64)
    side = generator.choice(list(SIDE_CODES.values()), count)
    size[20:21] = 50_000
    side[20:21] = SIDE_CODES["N"]
    return TradeColumns(
        symbol=[symbol] * count,
        day=np.full(count, _FIRST_DAY + day),
        event_ns=(_FIRST_DAY + day) * _DAY_NS + _OPEN_NS + np.cumsum(gaps_ns),
        price=(100 + np.cumsum(generator.normal(0, 0.1, count))).round(2),
        size=size,
        side=side,
        sequence=np.arange(count),
    )


def part(columns: TradeColumns, places: np.ndarray | Iterable[int]) -> TradeColumns:
    """Return the trades at some places."""
    at = np.asarray(list(places), np.int64)
    return TradeColumns(
        symbol=[columns.symbol[place] for place in at],
        **{name: getattr(columns, name)[at] for name in columns.__dataclass_fields__ if name != "symbol"},
    )


def joined(streams: list[TradeColumns]) -> TradeColumns:
    """Return streams one after the other."""
    return TradeColumns(
        symbol=[symbol for stream in streams for symbol in stream.symbol],
        **{
            name: np.concatenate([getattr(stream, name) for stream in streams])
            for name in TradeColumns.__dataclass_fields__
            if name != "symbol"
        },
    )


def stream(random: Random, symbols: Iterable[str], days: int, trades: int, late_share: float) -> TradeColumns:
    """Return sessions of some symbols and days, interleaved at random, with trades that come again."""
    each = [
        session_trades(symbol, day, trades, seed)
        for seed, symbol in enumerate(symbols)
        for day in range(days)
    ]
    turns = [number for number in range(len(each)) for _ in range(trades)]
    random.shuffle(turns)
    next_of = [number * trades for number in range(len(each))]
    order = []
    for turn in turns:
        order.append(next_of[turn])
        next_of[turn] += 1
        if random.random() < late_share:
            order.append(random.choice(order))
    return part(joined(each), order)


def batches(first: int, end: int, batch_trades: int) -> Iterator[range]:
    """Cut the places from `first` to `end` into batches."""
    for start in range(first, end, batch_trades):
        yield range(start, min(start + batch_trades, end))


def anomalies(engine: Engine, columns: TradeColumns, places: Iterable[int]) -> list[tuple[int, str]]:
    """Give an engine the trades at some places; returns the places of anomalies, and all that is said."""
    at = list(places)
    found = engine.detect_columns(part(columns, at)) if at else []
    # repr tells floats apart to the last bit.
    return [(at[place], repr(anomaly)) for place, anomaly in found]


def open_sessions(engine: Engine) -> list[SessionKey]:
    """Return the sessions of a fresh engine that have been given trades."""
    return engine.take_changes().touched
