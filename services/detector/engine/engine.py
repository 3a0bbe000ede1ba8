"""The heart of the detector: trades and a state go in, anomalies and a new state come out.

No Kafka, no clock, no randomness without a seed. The live service and the backtest call the same code.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.contracts.anomaly import Model
from services.contracts.trade import Trade
from services.detector.detectors.base import Flags, Keeper
from services.detector.detectors.core.walk import Tape
from services.detector.detectors.registry import DetectorSet
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.build_anomaly import Found, combine
from services.detector.engine.columns import TradeColumns, to_columns
from services.detector.engine.sessions import Sessions
from services.detector.engine.slots import with_room
from services.detector.engine.state import Changes, SessionState
from services.detector.profiles.profile import Profile

MODEL_NAME = "tapewatch"

_STATE_VERSION = 1
"""Of what is saved; to be raised when bytes of the same types come to mean something else."""


class Engine:
    """Detects over any number of symbols; what it holds is bounded by symbols, not by trades.

    Parameters
    ----------
    profile
        What counts as unusual.
    """

    def __init__(self, profile: Profile) -> None:
        calendar = ExchangeCalendar(profile.exchange)
        self.time_zone = calendar.time_zone
        self._set = DetectorSet(profile, calendar.auction_times)
        self._sessions = Sessions(self._open, endless=profile.sessions == "endless")
        self._runs = np.zeros((0, len(self._set.detectors)), bool)  # by slot, for each detector
        keepers = [detector.keeper for detector in self._set.detectors]
        self.checkpointable = None not in keepers
        """Whether sessions can be saved: False where a detector's state grows with every trade."""
        self._keepers: dict[str, Keeper] = {keeper.name: keeper for keeper in keepers if keeper}
        self._model = Model(MODEL_NAME, version("tapewatch"), profile.hash)

    @property
    def tape(self) -> Tape:
        """What the calibrated detectors know and measure; `tune` reads it."""
        return self._set.tape

    @property
    def late_trades(self) -> int:
        """Trades that came late or repeated, and so were not judged."""
        return self._sessions.late_trades

    @property
    def layout(self) -> str:
        """A short text that differs whenever saved states are to be read in another way."""
        parts = [f"{name} {self._keepers[name].layout}" for name in sorted(self._keepers)]
        return hashlib.sha256("\n".join([str(_STATE_VERSION), *parts]).encode()).hexdigest()[:12]

    def take_changes(self) -> Changes:
        """Return which sessions were given a trade or dropped since the last call."""
        return self._sessions.take_changes()

    def save(self, session: SessionKey) -> SessionState:
        """Return all that is known of an open session.

        Raises
        ------
        KeyError
            The session is not open.
        ValueError
            The engine is not `checkpointable`.
        """
        self._check_checkpointable()
        slot = self._sessions.slot_of(session)
        detectors = {name: keeper.save(slot) for name, keeper in self._keepers.items()}
        return SessionState(session, *self._sessions.last_of(slot), detectors)

    def restore(self, state: SessionState) -> None:
        """Go on with a saved session; to be called before any trade. Parameters come from the profile.

        Raises
        ------
        ValueError
            The state does not fit this engine; the engine is of no use then.
        """
        self._check_checkpointable()
        if state.detectors.keys() != self._keepers.keys():
            raise ValueError(
                f"state of {', '.join(sorted(state.detectors)) or 'nothing'} was saved, "
                f"not of {', '.join(sorted(self._keepers)) or 'nothing'}"
            )
        slot = self._sessions.restore(state)
        for name, keeper in self._keepers.items():
            try:
                keeper.restore(slot, state.detectors[name])
            except ValueError as error:
                raise ValueError(f"the saved state of {name} cannot be read: {error}") from error

    def detect(self, trades: list[Trade]) -> list[Found]:
        """Judge the next trades, of any symbols, each symbol's in order.

        Returns
        -------
        list
            Anomalies in the order of their trades.
        """
        return self.detect_columns(to_columns(trades, self.time_zone)) if trades else []

    def detect_columns(self, columns: TradeColumns) -> list[Found]:
        """Do as `detect`, for trades that are columns already."""
        return [
            Found(int(places[at]), anomaly)
            for places, batch in self.batches(columns)
            for at, anomaly in self.judge(batch, columns.day[places])
        ]

    def batches(self, columns: TradeColumns) -> Iterator[tuple[np.ndarray, Batch]]:
        """Sort trades into sessions; each batch must be judged before the next is asked for.

        Gives the places of a batch's trades among `columns`, and the batch.
        """
        return self._sessions.batches(columns)

    def judge(self, batch: Batch, days: np.ndarray) -> list[Found]:
        """Judge a batch; `days` are its trades' days since 1970, int64, shape (n,)."""

        def session_at(at: int) -> str:
            # An endless session has no day of its own.
            return self.session_of(int(batch.slot[at])).day or str(np.datetime64(int(days[at]), "D"))

        flags = [
            (detector, self._of_those_it_runs_for(number, detector.flag(batch), batch.slot))
            for number, detector in enumerate(self._set.detectors)
        ]
        return combine(flags, session_at, self._model)

    def session_of(self, slot: int) -> SessionKey:
        """Return the session that has a slot now."""
        return self._sessions.keys[slot]

    def _open(self, slot: int, session: SessionKey) -> None:
        self._runs = with_room(self._runs, slot)
        self._runs[slot] = self._set.runs_for(session.symbol)
        for detector in self._set.detectors:
            detector.open(slot, session)

    def _check_checkpointable(self) -> None:
        if not self.checkpointable:
            raise ValueError("this profile's detectors keep more than can be saved")

    def _of_those_it_runs_for(self, number: int, flags: Flags, slots: np.ndarray) -> Flags:
        """Drop the flags of symbols for which the profile switches a detector off."""
        runs = self._runs[slots[flags.at], number]
        if runs.all():
            return flags
        return replace(
            flags,
            at=flags.at[runs],
            score=flags.score[runs],
            value=flags.value[runs],
            expected=flags.expected[runs],
            threshold=flags.threshold[runs],
            reasons=[reason for reason, stays in zip(flags.reasons, runs, strict=True) if stays],
            contributions={name: values[runs] for name, values in flags.contributions.items()},
            features={name: values[runs] for name, values in flags.features.items()},
        )
