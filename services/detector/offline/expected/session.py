"""What was expected in a symbol's session, from its indexed trades: read once, then only what is new."""

import datetime as dt
from threading import Lock

import numpy as np

from services.common.elastic.client import Elasticsearch
from services.detector.offline.expected.moments import MOMENTS, Expectations
from services.detector.offline.tuning.indexed_day import OnProgress, count_trades, read_pieces
from services.detector.profiles.profile import Profile

MAX_TRADES = 500_000
"""Of a session, 50 MB of moments."""

LATE_SHARE, LEAST_LATE = 0.01, 100
"""So many trades of a session may be indexed behind later ones; with more, all are read anew."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class ExpectedSession:
    """The moments of one session; may be used by several threads.

    Trades that are indexed behind later ones are left out, as the detector does not learn from late ones.

    Parameters
    ----------
    profile
        The profile of the detector.
    symbol, start, end
        Symbol and time range of the session; the end is exclusive.
    """

    def __init__(self, profile: Profile, symbol: str, start: dt.datetime, end: dt.datetime) -> None:
        self._profile = profile
        self._symbol, self._start, self._end = symbol, start, end
        self._lock = Lock()
        self._begin()

    def _begin(self) -> None:
        self._expectations = Expectations(self._profile, self._symbol)
        self.moments = np.zeros(0, MOMENTS)
        """`MOMENTS` of the trades read so far, in order of time."""
        self._counted = 0
        self._read = 0
        self._newest_us = -1
        self._at_newest = 0
        """How many of the trades read are of the newest microsecond."""

    @property
    def compares(self) -> tuple[str, ...]:
        """The detectors that tell what they compare with: those of `moments.COMPARING` that run."""
        return self._expectations.compares

    def update(self, client: Elasticsearch, on_progress: OnProgress) -> None:
        """Read what was indexed since the last call; what was read stays if an error ends it.

        Parameters
        ----------
        client
            Client of the cluster.
        on_progress
            Called after each page with the number of trades read and the number of all.

        Raises
        ------
        TapewatchError
            Elasticsearch does not answer or rejects the request, or the session has no trades or more than
            `MAX_TRADES`.
        """
        with self._lock:
            counted = count_trades(client, self._symbol, self._start, self._end, MAX_TRADES)
            if counted == self._counted:
                return
            if counted < self._counted:  # the day was deleted, and is being indexed again
                self._begin()
            self._read_new(client, counted, on_progress)
            if counted - self._read > max(LEAST_LATE, LATE_SHARE * counted):
                self._begin()
                self._read_new(client, counted, on_progress)
            self._counted = counted

    def _read_new(self, client: Elasticsearch, counted: int, on_progress: OnProgress) -> None:
        # From the newest microsecond on, as more trades of it may have been indexed.
        known = self._at_newest
        since = self._start if not self._read else _EPOCH + dt.timedelta(microseconds=self._newest_us)
        pieces = read_pieces(
            client,
            self._symbol,
            since,
            self._end,
            MAX_TRADES,
            self._expectations.time_zone,
            self._read - known,
        )
        for columns, _ in pieces:
            new = columns[min(known, len(columns)) :]
            known -= len(columns) - len(new)
            if not len(new):
                continue
            self.moments = np.concatenate([self.moments, self._expectations.add(new)])
            self._read += len(new)
            times_us = new.event_ns // 1000
            at_newest = int((times_us == times_us[-1]).sum())
            goes_on = at_newest == len(new) and times_us[-1] == self._newest_us
            self._at_newest = at_newest + (self._at_newest if goes_on else 0)
            self._newest_us = int(times_us[-1])
            on_progress(self._read, max(counted, self._read))
