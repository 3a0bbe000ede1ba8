"""A fixed tape whose features tell whether a model was made for the features of this version."""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.detectors.detector_set import context_of
from services.detector.engine.batch import BAR, FULLY_ELIGIBLE, SIDE_CODES, Batch, SessionKey
from services.detector.features.features import Features
from services.detector.features.registry import NAMES
from services.detector.models.windows import Windows
from services.detector.profiles.profile import load_profile

TRADES, BARS = 700, 40
_DAY = "2024-12-02"
_OPENING_NS = 1_733_149_800_000_000_000  # 9:30 in New York on that day
_SIDES = np.array([SIDE_CODES[side] for side in ("A", "B", "N")])


@cache
def sample_features() -> np.ndarray:
    """Return the features of the fixed tape by the default profile, float32, shape (trades, features)."""
    context = context_of(load_profile("default"), ExchangeCalendar("XNAS"))
    features = Features(context)
    walk = context.walk
    found = []
    for symbol, batch in _tapes():
        session = SessionKey(symbol, _DAY)
        walk.open(0, session)
        features.open(0, session)
        measured = batch.with_measures(walk.advance(batch))
        found.append(features.advance(measured))
    return np.concatenate(found).astype(np.float32)


def features_digest(names: Sequence[str]) -> str:
    """Return the SHA-256 of some features' names, and of their values of the fixed tape.

    Raises
    ------
    ValueError
        There is no such feature.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"there is no feature {unknown[0]!r}")
    digest = hashlib.sha256("\n".join(names).encode())
    digest.update(rows_of(sample_features(), names).tobytes())
    return digest.hexdigest()


def rows_of(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the columns of some features, in their order, shape (n, len(names))."""
    columns = [NAMES.index(name) for name in names]
    return np.ascontiguousarray(values[:, columns])


def sample_windows(names: Sequence[str], prints: int) -> np.ndarray:
    """Return the fixed tape's windows of some features, shape (n, prints * len(names)); see `Windows`."""
    values = rows_of(sample_features(), names)
    tape = np.repeat([0, 1], [TRADES, BARS])
    return Windows(tape, np.ones(len(tape), bool)).of(values, np.arange(len(tape)), prints)


def _tapes() -> list[tuple[str, Batch]]:
    """Return trades and bars with changing paces, sizes, prices and ranges."""
    drawn = _draw(TRADES)
    steps = np.where(drawn % 7 < 2, 1, np.where(drawn % 7 > 4, -1, 0))
    price = np.round(100 + 0.01 * np.cumsum(steps) + 2.0 * (np.arange(TRADES) % 233 == 232), 2)
    gaps_ns = np.where(drawn % 5 == 0, 0, (drawn % 997) ** 2 * 4_000)
    size = 1 + drawn % 400 + 20_000 * (np.arange(TRADES) % 311 == 310)
    trades = Batch(
        slot=np.zeros(TRADES, np.int64),
        event_ns=_OPENING_NS + np.cumsum(gaps_ns),
        price=price,
        size=size.astype(np.float64),
        side=_SIDES[drawn % 3],
        eligible=np.full(TRADES, FULLY_ELIGIBLE),
    )
    drawn = _draw(BARS)
    close = np.round(50 + 0.05 * np.cumsum(drawn % 9 - 4), 2)
    bars = Batch(
        slot=np.zeros(BARS, np.int64),
        event_ns=_OPENING_NS + 60_000_000_000 * np.arange(1, BARS + 1),
        price=close,
        size=(100.0 + drawn % 5_000),
        side=np.full(BARS, SIDE_CODES["N"]),
        eligible=np.full(BARS, FULLY_ELIGIBLE | BAR),
        high=close + 0.1,
        low=close - 0.07,
    )
    return [("TRADES", trades), ("BARS", bars)]


def _draw(count: int) -> np.ndarray:
    """Draw whole numbers by a rule that no library can change, int64, shape (count,)."""
    state, drawn = 12_345, []
    for _ in range(count):
        state = (1_103_515_245 * state + 12_345) % 2**31
        drawn.append(state >> 8)
    return np.array(drawn, np.int64)
