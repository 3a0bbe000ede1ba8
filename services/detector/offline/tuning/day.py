"""Counts how many anomalies each threshold would give, with the detector's own code, in one pass over a day.

A rule runs with a threshold so low that it reports the value of every trade that any threshold could flag, so
one pass is enough for all thresholds. The forest's threshold is a percentile of the learnt prices: after each
fit, the percentile of every contamination is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.detector.detectors.base import Flags
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.price.price_history_forest import (
    PriceHistoryForest,
    PriceHistoryForestParameters,
)
from services.detector.detectors.price.rapid_price_change import RapidPriceChangeParameters
from services.detector.detectors.price.z_score import ZScoreParameters
from services.detector.detectors.size.high_volume import HighVolumeParameters
from services.detector.engine.batch import Batch
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.engine.sessions import Sessions
from services.detector.offline.tuning.indexed_day import OnProgress
from services.detector.offline.tuning.measure import BY_RARITY, find_standing_out, rarities_of
from services.detector.offline.tuning.thresholds import (
    CONTAMINATION,
    HIGH_VOLUME,
    RAPID_PRICE_CHANGE,
    RULES,
    Z_SCORE,
    MeasuredValues,
    contaminations,
)
from services.detector.profiles.profile import Profile

PIECE_TRADES = 10_000


@dataclass(frozen=True)
class MeasuredDay:
    """A day as measured by the rules and the calibrated detectors.

    Parameters
    ----------
    trades
        Number of judged trades, without late and repeated ones.
    late_trades
        Number of late and repeated trades.
    measured
        Measured values by detector: of all rules, and of the calibrated detectors that the profile runs.
    flagged
        Number of trades that each calibrated detector flags with the profile's settings.
    """

    trades: int
    late_trades: int
    measured: dict[str, MeasuredValues]
    flagged: dict[str, int]


def measure_day(columns: TradeColumns, profile: Profile, symbol: str, on_progress: OnProgress) -> MeasuredDay:
    """Run the rules and the calibrated detectors over a day, once for all thresholds.

    Parameters
    ----------
    columns
        The symbol's trades, in order, as `read_trades` returns them.
    profile
        The profile; its thresholds are ignored.
    symbol
        The symbol.
    on_progress
        Called after each piece of `PIECE_TRADES`.
    """
    own = profile.for_symbol(symbol)
    z_score = own.get("z_score") or ZScoreParameters()
    # Detectors do not depend on each other, so the rules can run whether the profile runs them or not.
    detectors = own.replaced(
        high_volume=HighVolumeParameters(threshold_shares=int(HIGH_VOLUME.least)),
        rapid_price_change=RapidPriceChangeParameters(threshold_ratio=RAPID_PRICE_CHANGE.least),
        z_score=z_score.model_copy(update={"threshold_sigmas": Z_SCORE.least}),
        price_history_forest=None,
    )
    engine = Engine(profile.model_copy(update={"detectors": detectors, "symbols": {}}))
    values: dict[str, list[np.ndarray]] = {rule.detector: [] for rule in RULES}
    flagged = {name: 0 for name in detectors.running if name in BY_RARITY}
    last_flag_ns: dict[str, dict[int, int]] = {}
    rarities: list[np.ndarray] = []
    judged = 0
    for piece in _pieces(columns, on_progress):
        for found in engine.flag(piece):
            if found.piece.late_ns is not None:
                continue
            batch = found.piece.batch
            judged += len(batch)
            for rule, seen_values in values.items():
                seen_values.append(np.abs(found.flags[rule].value))
            for name in flagged:
                flagged[name] += _count_stretches(found.flags[name], batch, last_flag_ns.setdefault(name, {}))
            if batch.measures is not None:
                at = find_standing_out(batch.measures, [])
                rarities.append(rarities_of(batch.measures[at], batch.event_ns[at], own))
    measured = {name: MeasuredValues(np.sort(np.concatenate(found))) for name, found in values.items()}
    if rarities:
        by_detector = np.concatenate(rarities)
        for column, name in enumerate(BY_RARITY):
            if name in flagged:
                found_by = by_detector[:, column]
                measured[name] = MeasuredValues(np.sort(found_by[found_by > 0]), flags_at_threshold=True)
    return MeasuredDay(judged, engine.out_of_order.all, measured, flagged)


def _count_stretches(flags: Flags, batch: Batch, last_ns: dict[int, int]) -> int:
    """Count the stretches that begin among flags: each is one anomaly.

    Parameters
    ----------
    flags
        A detector's flags.
    batch
        The trades.
    last_ns
        When each slot's last flag was; updated.
    """
    count = 0
    joins_s = np.broadcast_to(flags.join_s, len(flags.at)).tolist()
    for at, join_s in zip(flags.at.tolist(), joins_s, strict=True):
        slot, now_ns = int(batch.slot[at]), int(batch.event_ns[at])
        count += slot not in last_ns or now_ns - last_ns[slot] > join_s * SECOND_NS or join_s == 0
        last_ns[slot] = now_ns
    return count


def measure_forest(
    columns: TradeColumns, profile: Profile, symbol: str, on_progress: OnProgress
) -> dict[float, int]:
    """Run the forest on the price history over a day; takes 10 s for 200,000 trades.

    Parameters
    ----------
    columns, profile, symbol, on_progress
        As in `measure_day`.

    Returns
    -------
    dict
        Number of flagged trades for each of `contaminations`.
    """
    p = profile.for_symbol(symbol).get("price_history_forest")
    if not isinstance(p, PriceHistoryForestParameters):
        p = PriceHistoryForestParameters()
    grid = np.array(contaminations(p.contamination))
    # The largest contamination flags every trade that a smaller one flags.
    largest = p.model_copy(update={"contamination": CONTAMINATION.most})
    forest = PriceHistoryForest(DetectorContext(lambda _: {PriceHistoryForest.name: largest}, _no_auctions))
    sessions = Sessions(endless=profile.sessions == "endless")
    counts = np.zeros(len(grid), np.int64)
    done: dict[int, int] = {}
    limits: dict[int, np.ndarray] = {}
    for some in _pieces(columns, on_progress):
        for piece in sessions.pieces(some):
            for slot, session in piece.opened:
                forest.open(slot, session)
                done.pop(slot, None)
                limits.pop(slot, None)
            if piece.late_ns is not None:
                continue
            for slot in piece.sessions:
                places = np.flatnonzero(piece.batch.slot == slot)
                while len(places):
                    # All trades up to the next fit have the same limits.
                    trades = done.get(slot, 0)
                    part = places[: p.refit_trades - trades % p.refit_trades]
                    places = places[len(part) :]
                    flags = forest.flag(piece.batch[part])
                    if slot in limits:
                        counts += np.count_nonzero(flags.value[:, None] > limits[slot], axis=0)
                    done[slot] = trades + len(part)
                    if done[slot] % p.refit_trades == 0:
                        limits[slot] = forest.limits_after_fit(slot, grid)
    return dict(zip(grid.tolist(), counts.tolist(), strict=True))


def _no_auctions(_day: str) -> tuple[int, int]:
    return 0, 0


def _pieces(columns: TradeColumns, on_progress: OnProgress) -> Iterator[TradeColumns]:
    """Cut trades into pieces; call `on_progress` after each."""
    for start in range(0, len(columns), PIECE_TRADES):
        piece = columns[start : start + PIECE_TRADES]
        yield piece
        on_progress(start + len(piece), len(columns))
