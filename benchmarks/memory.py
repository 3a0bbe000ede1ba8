"""The detector's memory when it watches as many symbols at once as a market has.

A process of its own deals a day's trades out to the symbols, unevenly, each symbol getting one at least, and
gives them to an engine with the default profile. The figure is by how much the process's resident memory has
grown since just before the engine was created; the compiled code and the trades were loaded by then.
"""

import multiprocessing
import os
from pathlib import Path

import numpy as np

from benchmarks.detector import columns, dealt, pieces, tape
from benchmarks.rows import Row
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import load_profile

SYMBOLS = 8_000
BATCH_TRADES = 5_000
WARM_UP_TRADES = 20_000


def measure() -> list[Row]:
    """Measure the growth in a fresh process: this one's may be memory that another benchmark has left."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        grown_bytes = pool.apply(_growth_bytes)
    return [
        Row(f"pure detector, memory of {SYMBOLS:,} symbols at once", grown_bytes / 1e6, "MB"),
        Row("pure detector, memory of a symbol", grown_bytes / 1e3 / SYMBOLS, "kB"),
    ]


def _growth_bytes() -> int:
    frame = tape()
    numbers = dealt(len(frame), SYMBOLS)
    numbers[:SYMBOLS] = np.arange(SYMBOLS)
    batches = pieces(columns(frame, [f"S{number}" for number in numbers]), BATCH_TRADES)
    _fed(pieces(columns(frame[:WARM_UP_TRADES], ["S"] * WARM_UP_TRADES), BATCH_TRADES))
    before = _resident_bytes()
    engine = _fed(batches)
    grown_bytes = _resident_bytes() - before
    del engine
    return grown_bytes


def _fed(batches: list[TradeColumns]) -> Engine:
    engine = Engine(load_profile())
    for batch in batches:
        engine.detect_columns(batch)
    return engine


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
