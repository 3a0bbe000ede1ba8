"""The heart of the detector: trades and a state go in, anomalies and a new state come out.

No Kafka, no clock, no randomness without a seed. The live service and the backtest call the same code.
"""

import datetime as dt
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import orjson

from services.common.trade import Trade
from services.detector.profile import Profile
from services.detector.session import Finding, Session
from services.detector.ticks import to_columns

MODEL_NAME = "tapewatch"
SESSIONS_KEPT = 8
"""Days of a symbol whose state is kept, those seen last: enough to backfill several days side by side."""


@dataclass
class Anomaly:
    """An anomalous trade, by its place in the batch, with the contract's fields beside the trade's."""

    at: int
    fields: dict[str, object] = field(repr=False)


class Engine:
    """Detects over any number of symbols; what it holds is bounded by symbols, not by trades.

    Parameters
    ----------
    profile
        What counts as unusual.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._sessions: dict[str, dict[str, Session]] = {}
        self._model = {"name": MODEL_NAME, "version": version("tapewatch"), "profile": profile.hash}
        self.late_trades = 0

    def detect(self, trades: list[Trade]) -> list[Anomaly]:
        """Judge the next trades, of any symbols, each symbol's in order.

        Returns
        -------
        list
            Anomalies in the order of their trades.
        """
        if not trades:
            return []
        columns = to_columns(trades, self._profile.exchange_time_zone)
        anomalies: list[Anomaly] = []
        for symbol, day, places in _groups(columns.symbol, columns.session):
            session = self._session(symbol, day)
            findings, late = session.detect(columns.ticks[places], columns.sequence[places])
            self.late_trades += late
            anomalies += [self._anomaly(int(places[finding.at]), finding) for finding in findings]
        anomalies.sort(key=lambda anomaly: anomaly.at)
        return anomalies

    def _session(self, symbol: str, day: str) -> Session:
        days = self._sessions.setdefault(symbol, {})
        session = days.pop(day, None) or Session(symbol, day, self._profile.for_symbol(symbol))
        days[day] = session  # the newest stands last
        if len(days) > SESSIONS_KEPT:
            del days[next(iter(days))]
        return session

    def _anomaly(self, at: int, finding: Finding) -> Anomaly:
        return Anomaly(at, {**finding.fields, "model": self._model})


def anomaly_json(trade: bytes, anomaly: Anomaly, detected_at: dt.datetime) -> bytes:
    """Write the contract's anomaly: the trade's fields, and those about it."""
    fields = orjson.loads(trade) | anomaly.fields
    fields["detected_at"] = (
        detected_at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )
    return orjson.dumps(fields)


def _groups(symbols: np.ndarray, days: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """Return symbol, day and the places of its trades, for each session in a batch."""
    names, codes = np.unique(symbols.astype("U"), return_inverse=True)
    first_day = days.min()
    span = int((days.max() - first_day).astype(int)) + 1
    keys = codes.astype(np.int64) * span + (days - first_day).astype(int)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    return [
        (str(names[keys[places[0]] // span]), str(days[places[0]]), places)
        for places in np.split(order, starts[1:])
    ]
