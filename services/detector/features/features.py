"""Computes the features of trades as they come: the one definition, live and in batch."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from services.detector.detectors.context import DetectorContext
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.slots import grown
from services.detector.features.feature import Moments
from services.detector.features.kernel import measure
from services.detector.features.registry import FEATURES
from services.detector.features.state import FROM_CALENDAR, MOMENT, STATE


class Features:
    """Computes each trade's features, and holds what they need of each session, by slot: a `StateStore`.

    Parameters
    ----------
    context
        Provides the calendar.
    """

    name = "features"  # that of saved states
    state_schema = str(STATE.descr)

    def __init__(self, context: DetectorContext) -> None:
        self._auction_times = context.auction_times
        self._zone = ZoneInfo(context.time_zone)
        self._states = np.zeros(0, STATE)

    def open(self, slot: int, session: SessionKey) -> None:
        """Start a new session in a slot; the day of an endless one begins at midnight UTC."""
        self._states = grown(self._states, slot)
        state = np.zeros((), STATE)
        if session.day:
            midnight = dt.datetime.combine(dt.date.fromisoformat(session.day), dt.time(), self._zone)
            state["midnight_ns"] = int(midnight.timestamp()) * 1_000_000_000
            state["open_ns"], state["close_ns"] = self._auction_times(session.day)
        self._states[slot] = state

    def save(self, slot: int) -> bytes:
        """See `StateStore`: the record."""
        saved: bytes = self._states[slot].tobytes()
        return saved

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`; the calendar's times are not restored."""
        state = one_record(saved, STATE).copy()
        if state["trades"] < 0 or state["bars"] < 0:
            raise ValueError(f"it is of {state['trades']} trades and {state['bars']} bars")
        for field in FROM_CALENDAR:
            state[field] = self._states[slot][field]
        self._states[slot] = state

    def advance(self, batch: Batch) -> np.ndarray:
        """Compute the features of the next trades, and remember these.

        Parameters
        ----------
        batch
            The trades and bars, with their measures; n of them.

        Returns
        -------
        numpy.ndarray
            The values of `registry.FEATURES`, float64, shape (n, features); not a number where one is not
            defined, never infinite.
        """
        measured = np.full((len(batch), MOMENT.itemsize // 8), np.nan).view(MOMENT)[:, 0]
        measure(
            *(self._states, batch.slot, batch.event_ns, batch.price, batch.size, batch.side, batch.eligible),
            *(batch.high, batch.low, measured),
        )
        moments = Moments(batch, measured)
        found = np.empty((len(batch), len(FEATURES)))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for column, feature in enumerate(FEATURES):
                found[:, column] = feature.values(moments)
        # One bit pattern for all that is not defined, and one for 0, which comparisons may give a sign.
        found[~np.isfinite(found)] = np.nan
        found += 0.0
        return found
