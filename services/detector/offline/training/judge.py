"""Computes features and alerts of a day's messages in one pass, as the live detector would."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.contracts.anomaly import Anomaly
from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.detector.detectors.base import put_back
from services.detector.detectors.detector_set import context_of
from services.detector.engine.batch import SessionKey
from services.detector.engine.columns import to_columns
from services.detector.engine.engine import Engine, Flagged
from services.detector.engine.growth import Prints
from services.detector.features.features import Features
from services.detector.features.registry import NAMES
from services.detector.models.windows import Windows
from services.detector.offline.evaluation.detection import Finding, alert_scores, credit_stretches
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.profiles.profile import Profile

BATCH_TRADES = 20_000


@dataclass(frozen=True)
class JudgedDay:
    """What is known of a day's messages, n of them.

    Parameters
    ----------
    features
        `NAMES`, float32, shape (n, features); not a number where a trade was not judged.
    is_judged
        Whether it was: repeats and what is too late are not. Bool, shape (n,).
    is_remembered
        Whether it was, is a print, and was not late: a late trade is judged and then forgotten. Bool, shape
        (n,).
    alert
        Score of the anomaly that the profile's detectors make of it, 0 to 1; 0 if none, or only `info`.
        That of a stretch stands at the first print of each known anomaly in it. Shape (n,).
    symbol
        A number for each symbol, int64, shape (n,).
    symbols
        The symbols, by number.
    event_ns, size
        Of the trades, shape (n,).
    """

    features: np.ndarray
    is_judged: np.ndarray
    is_remembered: np.ndarray
    alert: np.ndarray
    symbol: np.ndarray
    symbols: list[str]
    event_ns: np.ndarray
    size: np.ndarray

    @cached_property
    def windows(self) -> Windows:
        """Which trades came before each."""
        return Windows(self.symbol, self.is_remembered)


def judge_day(messages: Sequence[bytes], event: np.ndarray, profile: Profile) -> JudgedDay:
    """Judge the messages of a day.

    Parameters
    ----------
    messages
        The trades as JSON, in the order in which they come.
    event
        Number of each one's known anomaly, or `NATURAL`.
    profile
        The detectors, and the parameters of the measures among the features.
    """
    pass_ = _Pass(profile, len(messages))
    for start in range(0, len(messages), BATCH_TRADES):
        pass_.judge(start, messages[start : start + BATCH_TRADES])
    event_of = {int(row): int(event[row]) for row in np.flatnonzero(event != NATURAL)}
    findings = credit_stretches([pass_.findings.get(str(row)) for row in range(len(messages))], event_of)
    return JudgedDay(
        pass_.features,
        pass_.is_judged,
        pass_.is_remembered,
        alert_scores(findings),
        pass_.symbol,
        list(pass_.symbols),
        pass_.event_ns,
        pass_.size,
    )


class _Pass:
    """One pass over a day; the features share the walk of calibrated measures with none of the detectors."""

    def __init__(self, profile: Profile, count: int) -> None:
        self._engine = Engine(profile)
        self._store = Features(context_of(profile, ExchangeCalendar(profile.exchange)))
        self._open: dict[int, SessionKey] = {}
        self.features = np.full((count, len(NAMES)), np.nan, np.float32)
        self.is_judged, self.is_remembered = np.zeros((2, count), bool)
        self.symbol = np.zeros(count, np.int64)
        self.symbols: dict[str, int] = {}
        self.event_ns = np.zeros(count, np.int64)
        self.size = np.zeros(count)
        self.findings: dict[str, Finding] = {}

    def judge(self, start: int, messages: Sequence[bytes]) -> None:
        rows, trades = _decoded(start, messages)
        if not trades:
            return
        columns = to_columns(trades, self._engine.time_zone)
        places = np.array(rows, np.int64)
        self.symbol[places] = [self.symbols.setdefault(one, len(self.symbols)) for one in columns.symbol]
        self.event_ns[places], self.size[places] = columns.event_ns, columns.size
        prints = Prints(lambda at: str(rows[at]))
        for flagged in self._engine.flag(columns):
            at = places[flagged.piece.places]
            self.features[at] = self._values(flagged)
            self.is_judged[at] = True
            if flagged.piece.late_ns is None:
                self.is_remembered[at[flagged.piece.batch.prints[0]]] = True
            for found in self._engine.anomalies(flagged, prints):
                anomaly = found.anomaly
                self.findings[anomaly.first_trade or str(rows[found.at])] = _finding(anomaly)

    def _values(self, flagged: Flagged) -> np.ndarray:
        piece = flagged.piece
        # A slot that was opened while no trade of its session was judged is not in `opened` any more.
        new = [pair for pair in piece.sessions.items() if self._open.get(pair[0]) != pair[1]]
        for slot, session in dict([*piece.opened, *new]).items():
            self._store.open(slot, session)
            self._open[slot] = session
        with put_back([] if piece.late_ns is None else [self._store], piece.sessions):
            return self._store.advance(piece.batch)


def _decoded(start: int, messages: Sequence[bytes]) -> tuple[list[int], list[Trade]]:
    pairs = list(_trades(start, messages))
    return [row for row, _ in pairs], [trade for _, trade in pairs]


def _trades(start: int, messages: Sequence[bytes]) -> Iterator[tuple[int, Trade]]:
    for row, value in enumerate(messages, start):
        try:
            yield row, decode_trade(value)
        except NotATradeError:
            continue  # the live detector rejects it too


def _finding(anomaly: Anomaly) -> Finding:
    return Finding(anomaly.score, anomaly.severity, anomaly.anomalies[0], "", anomaly.last_trade or "")
