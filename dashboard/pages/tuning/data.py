"""How many anomalies each threshold would give: the detector's own code over a symbol's day, in one pass.

A rule is run with a threshold so low that it tells the value of every trade that any threshold could flag, so
one pass answers for all thresholds. The forest's threshold is a percentile of what it has learnt: after each
fit, that of every contamination is taken.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import TAPE_ORDER, read_values
from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.contracts.detectors import DETECTORS
from services.contracts.indices import TRADES_INDICES
from services.contracts.trade import Trade
from services.detector.detectors.price.price_history_forest import (
    PriceHistoryForest,
    PriceHistoryForestParameters,
)
from services.detector.detectors.price.rapid_price_change import RapidPriceChangeParameters
from services.detector.detectors.price.z_score import ZScoreParameters
from services.detector.detectors.registry import DetectorSet
from services.detector.detectors.size.high_volume import HighVolumeParameters
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.columns import TradeColumns, to_columns
from services.detector.engine.sessions import Sessions
from services.detector.offline.tuning.alerts import HIGHEST_ALERT, LOWEST_ALERT
from services.detector.offline.tuning.measure import PARTS, find_standing_out, rarities_of, running_parts
from services.detector.profiles.profile import BUILT_IN, Detectors, Profile
from services.detector.profiles.write import profile_text

MAX_TRADES = 2_000_000
"""A day with more is not read: it would take minutes, and 100 MB."""

PIECE_TRADES = 10_000
READ_TIMEOUT_S = 60.0
"""Of a page of trades; more than a page's queries take, as this one sorts."""

MAX_POINTS = 160
"""Of a curve."""

_MOST_FLAGGED = 0.1
"""A curve begins where so large a share of the trades would be flagged: nobody looks at more."""

_ROUNDED = ".3g"
_PROFILE_KEY = re.compile(r"^(detectors|symbols|base)\s*:", re.MULTILINE)
_LARGEST_PROFILE_BYTES = 5_000_000

OnProgress = Callable[[int, int], None]
"""Called with how many trades of how many are done."""


@dataclass(frozen=True)
class Threshold:
    """A number of a profile that decides how much one detector flags.

    Parameters
    ----------
    detector, parameter
        Their names in a profile.
    title
        What the anomalies are called.
    unit
        What the number is, for a person.
    least, most
        The range in which it can be set.
    is_whole
        Whether it is a whole number.
    """

    detector: str
    parameter: str
    title: str
    unit: str
    least: float
    most: float
    is_whole: bool = False


HIGH_VOLUME = Threshold(
    "high_volume",
    "threshold_shares",
    DETECTORS["high_volume"].title,
    "shares in one trade",
    0,
    1e15,
    is_whole=True,
)
RAPID_PRICE_CHANGE = Threshold(
    "rapid_price_change",
    "threshold_ratio",
    DETECTORS["rapid_price_change"].title,
    "change from the trade before, as a share of its price (0.05 is 5%)",
    1e-9,
    1e6,
)
Z_SCORE = Threshold(
    "z_score", "threshold_sigmas", DETECTORS["z_score"].title, "standard deviations from the mean", 1e-3, 1e6
)
RULES = (HIGH_VOLUME, RAPID_PRICE_CHANGE, Z_SCORE)

CONTAMINATION = Threshold(
    "price_history_forest",
    "contamination",
    DETECTORS["price_history_forest"].title,
    "contamination: the share of the learnt prices that a new one must be beyond",
    1e-4,
    0.5,
)

ALERTS = tuple(
    Threshold(
        spec.name,
        "alert",
        spec.title,
        "alert level (3: once in 1,000 trades, 4: once in 10,000)",
        LOWEST_ALERT,
        HIGHEST_ALERT,
    )
    for spec in DETECTORS.values()
    if spec.has_alert
)

_DEFAULTS = {
    "high_volume": HighVolumeParameters(),
    "rapid_price_change": RapidPriceChangeParameters(),
    "z_score": ZScoreParameters(),
    "price_history_forest": PriceHistoryForestParameters(),
}


@dataclass(frozen=True)
class Seen:
    """What one detector saw of a day.

    Parameters
    ----------
    values
        Of the trades that some threshold flags, n of them, not negative, rising.
    flags_at_threshold
        Whether a value that equals the threshold is flagged too.
    """

    values: np.ndarray
    flags_at_threshold: bool = False

    def flagged(self, threshold: float) -> int:
        """Return how many trades a threshold flags."""
        side = "left" if self.flags_at_threshold else "right"
        return len(self.values) - int(np.searchsorted(self.values, threshold, side=side))


@dataclass(frozen=True)
class Measured:
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


@dataclass(frozen=True)
class Present:
    """What a profile says of a threshold for a symbol: its `value`, and whether the detector `runs` at all.

    The value of one that does not run is the detector's default.
    """

    value: float
    runs: bool


@dataclass(frozen=True)
class Curve:
    """How many trades each threshold flags; k points, `MAX_POINTS` at most, thresholds rising."""

    thresholds: np.ndarray
    anomalies: np.ndarray


def profile_names(folder: Path) -> list[str]:
    """Return what can be chosen: the built-in profiles, and the files of a folder that look like one."""
    found = sorted(path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern))
    return [*sorted(BUILT_IN, key=lambda name: name != "default"), *(p.name for p in found if _is_profile(p))]


def _is_profile(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_PROFILE_BYTES:
            return False
        return _PROFILE_KEY.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def present(profile: Profile, symbol: str, threshold: Threshold) -> Present:
    """Return the present setting of a profile for a symbol."""
    parameters = getattr(profile.for_symbol(symbol), threshold.detector)
    known = parameters or _DEFAULTS[threshold.detector]
    return Present(getattr(known, threshold.parameter), parameters is not None)


def alerts_of(profile: Profile, symbol: str) -> list[Threshold]:
    """Return the alert levels of the calibrated detectors that a profile runs for a symbol."""
    running = running_parts(profile.for_symbol(symbol))
    return [alert for alert in ALERTS if alert.detector in running]


def count_trades(client: Elasticsearch, symbol: str, time_range: TimeRange) -> int:
    """Count the trades that `read_trades` would read.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or there are no trades, or more than `MAX_TRADES`.
    """
    with explain_errors(client):
        answer = client.count(index=TRADES_INDICES, query=_query(symbol, time_range), ignore_unavailable=True)
    trades = int(answer["count"])
    if trades == 0:
        raise TapewatchError(f"No trade of {symbol} is indexed on this day.", "Choose another day or symbol.")
    if trades > MAX_TRADES:
        raise TapewatchError(
            f"{symbol} has {trades:,} trades on this day; this page reads {MAX_TRADES:,} at most.",
            "Choose another day or symbol, or run `tapewatch backtest` and `tapewatch tune` on files.",
        )
    return trades


def read_trades(
    client: Elasticsearch,
    symbol: str,
    time_range: TimeRange,
    trades: int,
    time_zone: str,
    on_progress: OnProgress,
) -> TradeColumns:
    """Read a symbol's trades in the order in which the detector saw them, as `IndexRange` does.

    Parameters
    ----------
    client
        Of the cluster.
    symbol, time_range
        Which trades.
    trades
        How many are read at most, from `count_trades`.
    time_zone
        The exchange's.
    on_progress
        Called after each page.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer or refuses, or the trades are gone.
    """
    pages = read_values(
        client.options(request_timeout=READ_TIMEOUT_S),
        TRADES_INDICES,
        _query(symbol, time_range),
        TAPE_ORDER,
        ("price", "size", "side"),
        trades,
    )
    pieces: list[TradeColumns] = []
    done = 0
    for page in pages:
        found = [
            Trade(time, trade_id="", symbol=symbol, price=price, size=size, side=side, sequence=sequence)
            for time, sequence, price, size, side in page
        ]
        pieces.append(to_columns(found, time_zone))
        done += len(page)
        on_progress(done, trades)
    if not pieces:
        raise TapewatchError(f"The trades of {symbol} on this day are gone.", "Choose another day.")
    arrays = [field.name for field in fields(TradeColumns) if field.name != "symbol"]
    return TradeColumns(
        symbol=[symbol] * done,
        **{name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in arrays},
    )


def _query(symbol: str, time_range: TimeRange) -> dict[str, Any]:
    times = {"gte": time_range.start.isoformat(), "lt": time_range.end.isoformat()}
    return {"bool": {"filter": [{"term": {"symbol": symbol}}, {"range": {"@timestamp": times}}]}}


def measure(columns: TradeColumns, profile: Profile, symbol: str, on_progress: OnProgress) -> Measured:
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
    return Measured(judged, run.sessions.late_trades, seen, flagged)


def contaminations(present_value: float) -> list[float]:
    """Return the contaminations that a curve is drawn through, the present one among them."""
    steps = (float(f"{lead}e{power}") for power in (-4, -3, -2, -1) for lead in (1, 1.5, 2, 3, 4, 5, 7))
    return sorted({present_value, *(one for one in steps if one <= CONTAMINATION.most)})


def measure_forest(
    columns: TradeColumns, profile: Profile, symbol: str, on_progress: OnProgress
) -> dict[float, int]:
    """Let the forest on the price history judge a day; it takes 10 s for 200,000 trades.

    Parameters
    ----------
    columns, profile, symbol, on_progress
        As in `measure`.

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
    return -np.percentile(-of_learnt, 100.0 * grid)


def curve_of(seen: Seen, threshold: Threshold, trades: int, present_value: float) -> Curve:
    """Draw a curve through round thresholds, from where very many trades are flagged to where none is.

    Parameters
    ----------
    seen
        What the detector saw.
    threshold
        Which threshold.
    trades
        How many were judged.
    present_value
        Is one of the points.
    """
    if threshold.parameter == "alert":
        points = np.round(np.arange(LOWEST_ALERT, HIGHEST_ALERT + 0.01, 0.05), 2)
    else:
        rest = seen.values[-int(max(1, _MOST_FLAGGED * trades)) :]
        low = max(min([*rest[:1].tolist(), present_value]), threshold.least, 1 if threshold.is_whole else 0)
        high = max([*rest[-1:].tolist(), present_value, low]) * 1.05
        points = np.array([float(f"{x:{_ROUNDED}}") for x in np.geomspace(low, high, MAX_POINTS - 1)])
        points = np.round(points) if threshold.is_whole else points
    points = np.unique([*points, present_value])
    points = points[(points >= threshold.least) | (points == present_value)]
    return Curve(points, np.array([seen.flagged(point) for point in points]))


def configuration(
    profile: Profile,
    source: str,
    symbol: str,
    chosen: dict[str, dict[str, float] | None],
    comments: list[str],
) -> str:
    """Write a profile with the thresholds chosen for a symbol, as YAML that `load_profile` reads.

    Parameters
    ----------
    profile
        What to start from.
    source
        The name it was loaded by.
    symbol
        Whose thresholds they are; other symbols keep theirs.
    chosen
        Detector to the parameters that are set, or None for one that shall not run.
    comments
        Lines for the head.
    """
    symbols = {name: dict(own) for name, own in profile.symbols.items()}
    own = symbols.setdefault(symbol, {})
    for detector, parameters in chosen.items():
        own[detector] = None if parameters is None else {**(own.get(detector) or {}), **parameters}
    tuned = profile.model_copy(update={"name": "tuned", "symbols": symbols})
    return profile_text(tuned, source, comments, {})


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
