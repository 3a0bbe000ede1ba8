"""Computes the features of trades that are already columns, in the order in which the detector sees them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.detectors.base import put_back
from services.detector.detectors.detector_set import context_of
from services.detector.engine.columns import TradeColumns
from services.detector.engine.sessions import Piece, Sessions
from services.detector.engine.state import OutOfOrder
from services.detector.features.features import Features
from services.detector.profiles.profile import Profile


class Extracted(NamedTuple):
    """The features of some trades, n of them.

    Parameters
    ----------
    places
        Their places among the columns that they come from, int64, shape (n,).
    late_s
        How late each came, 0 for those in order, float64, shape (n,).
    values
        The features, float64, shape (n, features).
    """

    places: np.ndarray
    late_s: np.ndarray
    values: np.ndarray


class FeatureExtraction:
    """Computes the features of any symbols' trades; its memory grows with symbols, not with trades.

    A late trade is measured against its session's present state and changes nothing in it; one that is a
    repeat, or too late to be told from one, has no features. So it is in the detector.

    Parameters
    ----------
    profile
        Names the exchange, and the parameters of the calibrated detectors whose measures are features.
    """

    def __init__(self, profile: Profile) -> None:
        calendar = ExchangeCalendar(profile.exchange)
        self.time_zone = calendar.time_zone
        context = context_of(profile, calendar)
        self._sessions = Sessions(endless=profile.sessions == "endless")
        self._walk = context.walk
        self._features = Features(context)

    @property
    def out_of_order(self) -> OutOfOrder:
        """What has come out of order."""
        return self._sessions.out_of_order

    def extract(self, columns: TradeColumns) -> Iterator[Extracted]:
        """Compute the features of the next trades; the steps must be taken to the end.

        Parameters
        ----------
        columns
            The trades and bars.
        """
        for piece in self._sessions.pieces(columns):
            for slot, session in piece.opened:
                self._walk.open(slot, session)
                self._features.open(slot, session)
            if not len(piece.batch):
                continue
            stores = (self._walk, self._features) if piece.late_ns is not None else ()
            with put_back(stores, piece.sessions):
                values = self._values(piece)
            late_ns = np.zeros(len(values), np.int64) if piece.late_ns is None else piece.late_ns
            yield Extracted(piece.places, late_ns * 1e-9, values)

    def _values(self, piece: Piece) -> np.ndarray:
        measured = piece.batch.with_measures(self._walk.advance(piece.batch))
        return self._features.advance(measured)
