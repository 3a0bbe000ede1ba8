"""The core of the detector: it turns trades and a state into anomalies and a new state.

It has no Kafka, no clock and no randomness without a seed. The live service and the backtest call it.
"""

import hashlib
from dataclasses import replace
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.contracts.anomaly import Model
from services.contracts.trade import Trade
from services.detector.detectors.base import Flags, StateStore
from services.detector.detectors.detector_set import DetectorSet
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.build_anomaly import Found, combine
from services.detector.engine.columns import TradeColumns, to_columns
from services.detector.engine.sessions import Piece, Sessions
from services.detector.engine.state import Changes, OutOfOrder, SessionState
from services.detector.profiles.profile import Profile

MODEL_NAME = "tapewatch"

_STATE_VERSION = 1
"""Version of the saved state; must be raised when bytes of the same types change their meaning."""


class Flagged(NamedTuple):
    """Each detector's flags of some trades, by name; the piece's batch has measures."""

    piece: Piece
    flags: dict[str, Flags]


class Engine:
    """Detects anomalies in any number of symbols; its memory grows with symbols, not with trades.

    Parameters
    ----------
    profile
        What counts as unusual.
    """

    def __init__(self, profile: Profile) -> None:
        calendar = ExchangeCalendar(profile.exchange)
        self.time_zone = calendar.time_zone
        self._set = DetectorSet(profile, calendar.auction_times)
        self._sessions = Sessions(endless=profile.sessions == "endless")
        stores = self._set.state_stores
        self.checkpointable = None not in stores
        """Whether sessions can be saved: False where a detector's state grows with every trade."""
        self._stores: dict[str, StateStore] = {store.name: store for store in stores if store}
        self._model = Model(MODEL_NAME, version("tapewatch"), profile.hash)

    @property
    def states(self) -> np.ndarray:
        """The calibrated detectors' state of each session, by slot: `core.state.STATE`; read-only."""
        return self._set.states

    @property
    def out_of_order(self) -> OutOfOrder:
        """What has come out of order."""
        return self._sessions.out_of_order

    @property
    def state_schema(self) -> str:
        """A short text that changes whenever the format of saved states does."""
        parts = [f"{name} {self._stores[name].state_schema}" for name in sorted(self._stores)]
        return hashlib.sha256("\n".join([str(_STATE_VERSION), *parts]).encode()).hexdigest()[:12]

    def take_changes(self) -> Changes:
        """Return which sessions were given a trade or dropped since the last call."""
        return self._sessions.take_changes()

    def save(self, session: SessionKey) -> SessionState:
        """Return the complete state of an open session.

        Raises
        ------
        KeyError
            The session is not open.
        ValueError
            The engine is not `checkpointable`.
        """
        self._check_checkpointable()
        slot = self._sessions.slot_of(session)
        detectors = {name: store.save(slot) for name, store in self._stores.items()}
        return SessionState(session, *self._sessions.saved(slot), detectors)

    def restore(self, state: SessionState) -> None:
        """Resume a saved session; must be called before any trade. Parameters come from the profile.

        Raises
        ------
        ValueError
            The state does not fit this engine; the engine must not be used then.
        """
        self._check_checkpointable()
        if state.detectors.keys() != self._stores.keys():
            raise ValueError(
                f"state of {', '.join(sorted(state.detectors)) or 'nothing'} was saved, "
                f"not of {', '.join(sorted(self._stores)) or 'nothing'}"
            )
        slot = self._sessions.restore(state)
        self._set.open(slot, state.session)
        for name, store in self._stores.items():
            try:
                store.restore(slot, state.detectors[name])
            except ValueError as error:
                raise ValueError(f"the saved state of {name} cannot be read: {error}") from error

    def detect(self, trades: list[Trade]) -> list[Found]:
        """Judge the next trades, of any symbols, as they come.

        A late one is judged against its session's present state, and changes nothing in it.

        Returns
        -------
        list
            Anomalies in the order of their trades.
        """
        return self.detect_columns(to_columns(trades, self.time_zone)) if trades else []

    def detect_columns(self, columns: TradeColumns) -> list[Found]:
        """Judge trades that are already columns, like `detect`."""
        return [found for flagged in self.flag(columns) for found in self.anomalies(flagged)]

    def flag(self, columns: TradeColumns) -> list[Flagged]:
        """Let each detector judge the next trades: the first step of `detect_columns`."""
        found = []
        for piece in self._sessions.pieces(columns):
            for slot, session in piece.opened:
                self._set.open(slot, session)
            if len(piece.batch):
                judge = self._judge if piece.late_ns is None else self._judge_only
                batch, flags = judge(piece.batch)
                found.append(Flagged(replace(piece, batch=batch), flags))
        return found

    def _judge(self, batch: Batch) -> tuple[Batch, dict[str, Flags]]:
        measured = self._set.advance(batch)
        return measured, self._set.flag(measured)

    def _judge_only(self, batch: Batch) -> tuple[Batch, dict[str, Flags]]:
        """Judge late trades, at most one of each session, and put all states back."""
        saved = [
            (store, slot, store.save(slot)) for store in self._stores.values() for slot in batch.slot.tolist()
        ]
        measured = self._set.advance(batch)
        flags = self._set.flag(measured, only_stored=True)
        for store, slot, state in saved:
            store.restore(slot, state)
        return measured, flags

    def anomalies(self, flagged: Flagged) -> list[Found]:
        """Combine the detectors' flags into anomalies; places refer to the columns."""
        piece = flagged.piece

        def session_at(at: int) -> str:
            # An endless session has no day of its own.
            day = piece.sessions[int(piece.batch.slot[at])].day
            return day or str(np.datetime64(int(piece.days[at]), "D"))

        late_s = None if piece.late_ns is None else piece.late_ns / 1e9
        found = combine(flagged.flags, session_at, self._model, late_s)
        return [Found(int(piece.places[at]), anomaly) for at, anomaly in found]

    def _check_checkpointable(self) -> None:
        if not self.checkpointable:
            raise ValueError(
                "the state of this profile's detectors cannot be saved: it grows with every trade"
            )
