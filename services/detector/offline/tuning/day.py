"""How many anomalies each threshold would give: the detector's own code over a symbol's day, in one pass.

A rule is run with a threshold so low that it tells the value of every trade that any threshold could flag, so
one pass answers for all thresholds. The forest's threshold is a percentile of what it has learnt: after each
fit, that of every contamination is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.detectors.price.price_history_forest import (
    PriceHistoryForest,
    PriceHistoryForestParameters,
)
from services.detector.detectors.price.rapid_price_change import RapidPriceChangeParameters
from services.detector.detectors.price.z_score import ZScoreParameters
from services.detector.detectors.registry import DetectorSet
from services.detector.detectors.size.high_volume import HighVolumeParameters
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.sessions import Sessions
from services.detector.offline.tuning.indexed_day import OnProgress
from services.detector.offline.tuning.measure import PARTS, find_standing_out, rarities_of
from services.detector.offline.tuning.thresholds import (
    CONTAMINATION,
    HIGH_VOLUME,
    RAPID_PRICE_CHANGE,
    RULES,
    Z_SCORE,
    Seen,
    contaminations,
)
from services.detector.profiles.profile import Detectors, Profile

PIECE_TRADES = 10_000


@dataclass(frozen=True)
class MeasuredDay:
    """A day as the rules and the calibrated detectors see it.

    Parameters
    ----------
    trades
        How many were judged; late and repeated ones are not.
    late_trades
        How many came late or repeated.
    seen
        By the detector's name: the rules always, of the calibrated ones those that the profile runs.
    flagged
        How many trades each calibrated detector flags as the profile has it.
    """

    trades: int
    late_trades: int
    seen: dict[str, Seen]
    flagged: dict[str, int]


def measure_day(columns: TradeColumns, profile: Profile, symbol: str, on_progress: OnProgress) -> MeasuredDay:
    """Let the rules and the calibrated detectors judge a day, once for all thresholds.

    Parameters
    ----------
    columns
        The symbol's trades, in order, as `read_trades` returns them.
    profile
        Says all but the thresholds.
    symbol
        The symbol.
    on_progress
        Called after each piece of `PIECE_TRADES`.
    """
    own = profile.for_symbol(symbol)
    z_score = own.z_score or ZScoreParameters()
    # Which detectors run matters to nothing else here: each looks at the trades alone.
    detectors = own.model_copy(
        update={
            "high_volume": HighVolumeParameters(threshold_shares=int(HIGH_VOLUME.least)),
            "rapid_price_change": RapidPriceChangeParameters(threshold_ratio=RAPID_PRICE_CHANGE.least),
            "z_score": z_score.model_copy(update={"threshold_sigmas": Z_SCORE.least}),
            "price_history_forest": None,
        }
    )
    run = _Run(profile, detectors)
    rules = [one for one in run.set.detectors if one.name in {rule.detector for rule in RULES}]
    calibrated = [one for one in run.set.detectors if one.name in PARTS]
    values: dict[str, list[np.ndarray]] = {rule.name: [] for rule in rules}
    flagged = {one.name: 0 for one in calibrated}
    rarities: list[np.ndarray] = []
    judged = 0
    for batch in run.batches(columns, on_progress):
        judged += len(batch)
        for rule in rules:
            values[rule.name].append(np.abs(rule.flag(batch).value))
        for one in calibrated:
            flagged[one.name] += len(one.flag(batch).at)
        if calibrated:
            measures, _ = run.set.tape.measure(batch)
            at = find_standing_out(measures, [])
            rarities.append(rarities_of(measures[at], batch.event_ns[at], own))
    seen = {name: Seen(np.sort(np.concatenate(found))) for name, found in values.items()}
    if rarities:
        by_part = np.concatenate(rarities)
        for column, part in enumerate(PARTS):
            if part in flagged:
                found = by_part[:, column]
                seen[part] = Seen(np.sort(found[found > 0]), flags_at_threshold=True)
    return MeasuredDay(judged, run.sessions.late_trades, seen, flagged)


def measure_forest(
    columns: TradeColumns, profile: Profile, symbol: str, on_progress: OnProgress
) -> dict[float, int]:
    """Let the forest on the price history judge a day; it takes 10 s for 200,000 trades.

    Parameters
    ----------
    columns, profile, symbol, on_progress
        As in `measure_day`.

    Returns
    -------
    dict
        From each of `contaminations` to how many trades it flags.
    """
    p = profile.for_symbol(symbol).price_history_forest or PriceHistoryForestParameters()
    grid = np.array(contaminations(p.contamination))
    # A trade that a contamination flags, the largest one flags as well.
    largest = p.model_copy(update={"contamination": CONTAMINATION.most})
    run = _Run(profile, Detectors(price_history_forest=largest))
    (forest,) = run.set.detectors
    assert isinstance(forest, PriceHistoryForest)  # noqa: S101 - the only one asked for
    counts = np.zeros(len(grid), np.int64)
    done: dict[int, int] = {}
    limits: dict[int, np.ndarray] = {}
    for batch in run.batches(columns, on_progress):
        for slot in np.unique(batch.slot).tolist():
            places = np.flatnonzero(batch.slot == slot)
            while len(places):
                # Up to the next fit, all trades have the same limits.
                trades = done.get(slot, 0)
                part = places[: p.refit_trades - trades % p.refit_trades]
                places = places[len(part) :]
                flags = forest.flag(batch[part])
                if slot in limits:
                    counts += np.count_nonzero(flags.value[:, None] > limits[slot], axis=0)
                done[slot] = trades + len(part)
                if done[slot] % p.refit_trades == 0:
                    limits[slot] = _limits(forest, slot, grid)
    return dict(zip(grid.tolist(), counts.tolist(), strict=True))


def _limits(detector: PriceHistoryForest, slot: int, grid: np.ndarray) -> np.ndarray:
    """Return the score that must be exceeded for each contamination, shape (k,), right after a fit."""
    session = detector.sessions[slot]
    state = detector.state[slot]
    assert session.forest is not None  # noqa: S101 - it was just fitted
    mean = state["price_sum"] / state["trades"]
    of_learnt = session.forest.score(session.prices[: session.trades] / (mean if mean != 0.0 else 1.0))
    limits: np.ndarray = -np.percentile(-of_learnt, 100.0 * grid)
    return limits


class _Run:
    """Detectors on sessions, as `Engine` has them, but each to be asked by itself.

    Parameters
    ----------
    profile
        Gives the exchange and the kind of sessions.
    detectors
        Those that run.
    """

    def __init__(self, profile: Profile, detectors: Detectors) -> None:
        calendar = ExchangeCalendar(profile.exchange)
        only = profile.model_copy(update={"detectors": detectors, "symbols": {}})
        self.set = DetectorSet(only, calendar.auction_times)
        self.sessions = Sessions(self._open, endless=profile.sessions == "endless")

    def batches(self, columns: TradeColumns, on_progress: OnProgress) -> Iterator[Batch]:
        """Cut trades into batches; each must be judged before the next is asked for."""
        for start in range(0, len(columns), PIECE_TRADES):
            piece = _cut(columns, slice(start, start + PIECE_TRADES))
            for _, batch in self.sessions.batches(piece):
                yield batch
            on_progress(start + len(piece), len(columns))

    def _open(self, slot: int, session: SessionKey) -> None:
        for detector in self.set.detectors:
            detector.open(slot, session)


def _cut(columns: TradeColumns, part: slice) -> TradeColumns:
    return TradeColumns(**{field.name: getattr(columns, field.name)[part] for field in fields(TradeColumns)})
