"""What a profile's `suppress` and `calendar` do to detections and anomalies.

It depends on the profile and on each trade alone, so a replay, a backtest and the live service agree.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec
import numpy as np

from services.contracts.anomaly import Anomaly, Severity
from services.contracts.detectors import DETECTORS
from services.detector.detectors.amounts import continued
from services.detector.detectors.base import Flags
from services.detector.engine.sessions import Piece
from services.detector.profiles.calendar import CalendarEvent
from services.detector.profiles.profile import Profile
from services.detector.profiles.suppress import UNITS, Suppress

BASIS_POINTS = 10_000.0

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Adjustment:
    """Holds detections back, and names the events of the calendar.

    Parameters
    ----------
    profile
        Its lines of `suppress` and its `calendar`.
    time_zone
        The exchange's.
    """

    def __init__(self, profile: Profile, time_zone: str) -> None:
        self._suppress = profile.suppress
        self._calendar = [(event, *event.range_ns(time_zone)) for event in profile.calendar]
        skipping = [event for event in profile.calendar if event.skip]
        self.held_back = Counter(
            dict.fromkeys((*(one.text for one in self._suppress), *map(_skipped, skipping)), 0)
        )
        """How many detections each line has held back, those of lines that held none included."""

    def kept(self, piece: Piece, flags: Mapping[str, Flags]) -> Mapping[str, Flags]:
        """Return the flags that no line holds back; the first line that does counts it."""
        if not self.held_back:
            return flags
        return {name: self._kept(piece, name, one) for name, one in flags.items()}

    def _kept(self, piece: Piece, name: str, flags: Flags) -> Flags:
        stays = np.ones(len(flags.at), bool)
        if not len(stays):
            return flags
        slots = piece.batch.slot[flags.at]
        for line in self._suppress:
            self._hold(stays, _matches(line, piece, name, flags) & _is_of(piece, slots, line), line.text)
        for event, start_ns, end_ns in self._calendar:
            if event.skip:
                now_ns = piece.batch.event_ns[flags.at]
                within = (now_ns >= start_ns) & (now_ns < end_ns)
                self._hold(stays, within & _is_of(piece, slots, event), _skipped(event))
        return flags.only(stays)

    def _hold(self, stays: np.ndarray, held: np.ndarray, line: str) -> None:
        self.held_back[line] += int(np.count_nonzero(stays & held))
        stays &= ~held

    def in_calendar(self, symbol: str, at_ns: int, anomaly: Anomaly) -> Anomaly:
        """Name the events that an anomaly's own trade falls into, and lower its severity.

        Parameters
        ----------
        symbol, at_ns
            The trade's symbol and event time, in ns since 1970.
        anomaly
            The anomaly, or a revision of it.
        """
        events = [
            event
            for event, start_ns, end_ns in self._calendar
            if start_ns <= at_ns < end_ns and event.applies_to(symbol)
        ]
        if not events:
            return anomaly
        names = [event.name for event in events]
        limits = [event.at_most for event in events if event.at_most is not None]
        return msgspec.structs.replace(
            anomaly,
            severity=min(anomaly.severity, *limits, key=_RANK.__getitem__) if limits else anomaly.severity,
            message=continued(anomaly.message, [f"at the time of {' and '.join(names)}"]),
            events=names,
        )


def _matches(line: Suppress, piece: Piece, name: str, flags: Flags) -> np.ndarray:
    """Tell which of a detector's flags a line is about, its symbol aside, bool, shape (k,)."""
    matches = np.full(len(flags.at), line.label in (None, DETECTORS[name].label))
    if line.below_shares is not None:
        matches &= piece.batch.size[flags.at] < line.below_shares
        if flags.of_print is not None:  # it is another print's size
            matches &= flags.of_print == 0
    if line.below_bp is not None or line.below_distance is not None:
        matches &= DETECTORS[name].unit in UNITS
    distance = np.abs(flags.value - flags.expected)
    if line.below_bp is not None:
        matches &= distance * BASIS_POINTS < line.below_bp * np.abs(flags.expected)
    if line.below_distance is not None:
        matches &= distance < line.below_distance
    return matches


def _is_of(piece: Piece, slots: np.ndarray, one: Suppress | CalendarEvent) -> np.ndarray:
    """Tell which slots are of a symbol that a line or an event is about, bool, shape (k,)."""
    if isinstance(one, Suppress):
        own = [slot for slot, session in piece.sessions.items() if one.symbol in (None, session.symbol)]
    else:
        own = [slot for slot, session in piece.sessions.items() if one.applies_to(session.symbol)]
    return np.isin(slots, own)


def _skipped(event: CalendarEvent) -> str:
    return f"calendar: {event.name}"
