"""The core of the detector: it turns trades and a state into anomalies and a new state.

It has no Kafka, no clock and no randomness without a seed. The live service and the backtest call it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.contracts.anomaly import Model
from services.contracts.trade import Trade
from services.detector.detectors.base import Flags, StateStore, put_back
from services.detector.detectors.detector_set import DetectorSet
from services.detector.detectors.tally import ModelTally
from services.detector.engine.adjust import Adjustment
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.columns import TradeColumns, to_columns
from services.detector.engine.growth import UNNAMED, Found, Growth, Prints
from services.detector.engine.sessions import Piece, Sessions
from services.detector.engine.state import Changes, OutOfOrder, SessionState
from services.detector.profiles.profile import Profile

MODEL_NAME = "tapewatch"

_STATE_VERSION = 3
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
        self._set = DetectorSet(profile, calendar)
        self._sessions = Sessions(endless=profile.sessions == "endless")
        stores = self._set.state_stores
        self.checkpointable = None not in stores
        """Whether sessions can be saved: False where a detector's state grows with every trade."""
        self._stores: dict[str, StateStore] = {store.name: store for store in stores if store}
        self._adjustment = Adjustment(profile, self.time_zone)
        model = Model(MODEL_NAME, version("tapewatch"), profile.hash)
        self._growth = Growth(model, self._adjustment.in_calendar)

    @property
    def states(self) -> np.ndarray:
        """The calibrated detectors' state of each session, by slot: `core.state.STATE`; read-only."""
        return self._set.states

    @property
    def out_of_order(self) -> OutOfOrder:
        """What has come out of order."""
        return self._sessions.out_of_order

    @property
    def held_back(self) -> Counter[str]:
        """How many detections each line of the profile's `suppress` and `calendar` has held back."""
        return Counter(self._adjustment.held_back)

    @property
    def state_schema(self) -> str:
        """A short text that changes whenever the format of saved states does."""
        parts = [f"{name} {self._stores[name].state_schema}" for name in sorted(self._stores)]
        return hashlib.sha256("\n".join([str(_STATE_VERSION), *parts]).encode()).hexdigest()[:12]

    def take_remarks(self) -> list[str]:
        """Return sentences on symbols that a detector turned out not to judge since the last call."""
        return self._set.take_remarks()

    def take_tallies(self) -> list[ModelTally]:
        """Return what trained models have judged since the last call."""
        return self._set.take_tallies()

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
        return SessionState(session, *self._sessions.saved(slot), self._growth.save(slot), detectors)

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
        self._growth.restore(slot, state.growing)
        for name, store in self._stores.items():
            try:
                store.restore(slot, state.detectors[name])
            except ValueError as error:
                raise ValueError(f"the saved state of {name} cannot be read: {error}") from error

    def detect(self, trades: list[Trade], origin: Callable[[int], bytes] = UNNAMED.origin) -> list[Found]:
        """Judge the next trades, of any symbols, as they come.

        A late one is judged against its session's present state, and changes nothing in it.

        Parameters
        ----------
        trades
            The trades.
        origin
            See `Prints`.

        Returns
        -------
        list
            Anomalies and revisions, in the order of the trades that bring them.
        """
        if not trades:
            return []
        prints = Prints(lambda at: trades[at].trade_id, origin)
        return self.detect_columns(to_columns(trades, self.time_zone), prints)

    def detect_columns(self, columns: TradeColumns, prints: Prints = UNNAMED) -> list[Found]:
        """Judge trades that are already columns, like `detect`."""
        return [found for flagged in self.flag(columns) for found in self.anomalies(flagged, prints)]

    def flag(self, columns: TradeColumns) -> Iterator[Flagged]:
        """Let each detector judge the next trades: the first step of `detect_columns`.

        The steps must be taken to the end. Where `anomalies` is called, it is for each step before the next
        one is taken, as a later step may open other sessions in the same slots.
        """
        for piece in self.sort(columns):
            if len(piece.batch):
                judge = self._judge if piece.late_ns is None else self.judge_apart
                batch, flags = judge(piece.batch)
                yield Flagged(replace(piece, batch=batch), flags)

    def sort(self, columns: TradeColumns) -> Iterator[Piece]:
        """Sort the next trades into sessions, and open those that are new: what `flag` begins with."""
        for piece in self._sessions.pieces(columns):
            for slot, session in piece.opened:
                self._set.open(slot, session)
                self._growth.open(slot)
            yield piece

    def _judge(self, batch: Batch) -> tuple[Batch, dict[str, Flags]]:
        measured = self._set.advance(batch)
        return measured, self._set.flag(measured)

    def judge_apart(self, batch: Batch) -> tuple[Batch, dict[str, Flags]]:
        """Judge trades of open sessions and put all states back: late ones, or some that never were.

        Returns
        -------
        tuple
            The trades with their measures, and the flags of each detector whose state can be put back.
        """
        with put_back(self._stores.values(), dict.fromkeys(batch.slot.tolist())):
            measured = self._set.advance(batch)
            return measured, self._set.flag(measured, only_stored=True)

    def anomalies(self, flagged: Flagged, prints: Prints = UNNAMED) -> list[Found]:
        """Combine the detectors' flags into anomalies; places refer to the columns."""
        flags = self._adjustment.kept(flagged.piece, flagged.flags)
        return self._growth.combine(flagged.piece, flags, prints)

    def _check_checkpointable(self) -> None:
        if not self.checkpointable:
            raise ValueError(
                "the state of this profile's detectors cannot be saved: it grows with every trade"
            )
