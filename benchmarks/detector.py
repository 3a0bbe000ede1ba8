"""The pure detector on one core: columns in, anomalies out, all detectors of the default profile."""

import time
from collections.abc import Iterable

import numpy as np
import polars as pl

from benchmarks.rows import Row
from benchmarks.surroundings import generated_day, note, real_day
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES
from services.detector.engine.columns import TradeColumns, identities, trading_days
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import load_profile
from services.sources.columns import PRICE_SCALE
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

TIME_ZONE = "America/New_York"
SYMBOLS = 500
ZIPF = 0.8
"""How unevenly trades spread: the n-th symbol has n**-ZIPF of the first one's."""


def measure() -> list[Row]:
    """Measure batches of 1000 of one symbol, and 500 symbols interleaved as in a market.

    The interleaved tape deals one day's trades out to the symbols, so each symbol keeps the day's order, and
    a poll of 5,000 trades holds some of nearly every symbol.
    """
    frame = tape()
    one = columns(frame, frame["symbol"].to_list())
    many = columns(frame, [f"S{number}" for number in dealt(len(frame), SYMBOLS)])
    _run(pieces(one[0:20_000], 1_000))  # compiles, where it was never compiled before
    return [
        Row(
            "pure detector, batches of 1,000 of one symbol",
            max(_run(pieces(one, 1_000)) for _ in range(3)),
            "trades/s",
            target="250,000",
        ),
        Row(
            f"pure detector, {SYMBOLS} symbols interleaved, batches of 5,000",
            max(_run(pieces(many, 5_000)) for _ in range(3)),
            "trades/s",
            target="200,000",
        ),
    ]


def tape() -> pl.DataFrame:
    """Return a real day's trades, or a generated one's."""
    path = real_day() or generated_day(DayConfig(trades=200_000, symbols=1))
    note(f"detector: {path.name}")
    return pl.concat([chunk.trades for chunk in open_source(path).chunks()])


def dealt(trades: int, symbols: int, zipf: float = ZIPF) -> np.ndarray:
    """Deal trades out unevenly; returns the number of each one's symbol, shape (trades,)."""
    weights = 1.0 / np.arange(1, symbols + 1) ** zipf
    return np.random.default_rng(1).choice(symbols, trades, p=weights / weights.sum())


def columns(frame: pl.DataFrame, symbols: list[str]) -> TradeColumns:
    """Return trades as the engine takes them, dealt out to symbols."""
    event_ns = frame["ts_event"].to_numpy()
    return TradeColumns(
        symbol=symbols,
        day=trading_days(event_ns, TIME_ZONE),
        event_ns=event_ns,
        price=frame["price"].to_numpy() / PRICE_SCALE,
        size=frame["size"].to_numpy().astype(np.float64),
        side=frame["side"].replace_strict(SIDE_CODES, return_dtype=pl.Int64).to_numpy(),
        eligible=np.full(len(frame), FULLY_ELIGIBLE),
        sequence=frame["sequence"].to_numpy(),
        tape_ns=event_ns,
        lane=frame["publisher_id"].to_numpy(),
        identity=identities(frame["trade_id"].to_list()),
        recv_ns=frame["ts_recv"].to_numpy(),
    )


def pieces(columns: TradeColumns, batch_trades: int) -> list[TradeColumns]:
    """Cut trades into batches."""
    return [columns[start : start + batch_trades] for start in range(0, len(columns), batch_trades)]


def _run(batches: Iterable[TradeColumns]) -> float:
    """Return trades a second of a fresh engine."""
    engine = Engine(load_profile())
    trades = 0
    began_s = time.perf_counter()
    for batch in batches:
        engine.detect_columns(batch)
        trades += len(batch)
    return trades / (time.perf_counter() - began_s)
