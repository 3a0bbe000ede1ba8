"""Sessions of several symbols, measured and ready for their features."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from services.detector.detectors.checks import joined, mixed, session_trades
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.walk import FeatureWalk
from services.detector.engine.batch import BAR, Batch, SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.sessions import Sessions
from services.detector.features.features import Features

OPEN_NS, CLOSE_NS = 1_733_149_800_000_000_000, 1_733_173_200_000_000_000
SYMBOLS = ("AAA", "B@B", "ODD")
"""Of `ODD` some trades are bars or not eligible, and some prices not positive."""


def context() -> DetectorContext:
    return DetectorContext(
        lambda _symbol: {}, lambda _day: (OPEN_NS, CLOSE_NS), FeatureWalk, time_zone="America/New_York"
    )


def session(symbol: str, trades: int, seed: int) -> TradeColumns:
    """Return some 2 s a trade, with a fast stretch of equal times and one wrong stamp an hour ahead."""
    columns = session_trades(symbol, 0, trades, seed)
    event_ns = columns.event_ns[0] + (columns.event_ns - columns.event_ns[0]) * 3
    stretch = slice(trades // 2, trades // 2 + 40)
    event_ns[stretch] = event_ns[stretch.start] + np.arange(40) // 3 * 4_000_000
    event_ns[trades * 3 // 4] += 3_600_000_000_000
    return replace(columns, event_ns=event_ns)


def measured(streams: Sequence[TradeColumns], seed: int) -> tuple[Batch, dict[int, SessionKey]]:
    """Return sessions interleaved at random, and each slot's session."""
    columns = mixed(np.random.default_rng(seed), streams) if len(streams) > 1 else joined(streams)
    walk = context().walk
    batches, keys = [], {}
    for piece in Sessions(endless=False).pieces(columns):
        for slot, key in piece.opened:
            walk.open(slot, key)
            keys[slot] = key
        assert piece.late_ns is None
        batches.append(piece.batch.with_measures(walk.advance(piece.batch)))
    [batch] = batches
    return batch, keys


def opened(keys: dict[int, SessionKey]) -> Features:
    features = Features(context())
    for slot, key in keys.items():
        features.open(slot, key)
    return features


def ranges(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return highest and lowest prices of the bars; of every other one they are not known."""
    is_known = (batch.eligible & BAR != 0) & (np.arange(len(batch)) % 2 == 0)
    return np.where(is_known, batch.price + 0.5, np.nan), np.where(is_known, batch.price - 0.25, np.nan)


def values(features: Features, batch: Batch, part: slice) -> np.ndarray:
    high, low = ranges(batch)
    return features.advance(replace(batch, high=high, low=low)[part])
