"""The saved state of an engine's sessions, and which of them must be saved again."""

from dataclasses import astuple, dataclass

from services.detector.engine.batch import SessionKey


@dataclass(frozen=True)
class SessionState:
    """All that an engine needs to resume a session: windows and numbers, no fitted models.

    Parameters
    ----------
    session
        The symbol and the day.
    last_seen
        Rank of its last trade, late ones included, among all trades of the engine, from 0. It only orders
        the sessions of a symbol: the one seen least lately is dropped first.
    order
        What its trades came in order after: `PrintOrder.save`.
    growing
        Its anomalies that can still grow: `Growth.save`.
    detectors
        Bytes by the name of the `StateStore`; `Engine.state_schema` identifies their format.
    """

    session: SessionKey
    last_seen: int
    order: bytes
    growing: bytes
    detectors: dict[str, bytes]


@dataclass(frozen=True)
class Changes:
    """Changes of an engine's sessions since the last call of `take_changes`.

    Parameters
    ----------
    touched
        Open sessions that were given a trade, late and repeated ones included.
    dropped
        Sessions that were dropped and are not open again.
    """

    touched: list[SessionKey]
    dropped: list[SessionKey]


LEAST_WARNED = 20
WARNED_SHARE = 0.01
WARNED_STEPS = 0.1


@dataclass(frozen=True)
class OutOfOrder:
    """Numbers of trades that did not come in order.

    Parameters
    ----------
    late
        Judged, but not learnt from.
    repeats
        Known already; nothing happened.
    too_late
        Older than what a session remembers: not judged, as they may be repeats.
    restarts
        How often a venue's sequence has started again.
    steps_back
        Judged and learnt from, though the trade before was later: that one may have had a wrong stamp.
    """

    late: int = 0
    repeats: int = 0
    too_late: int = 0
    restarts: int = 0
    steps_back: int = 0

    @property
    def unjudged(self) -> int:
        """How many trades were not judged."""
        return self.repeats + self.too_late

    @property
    def all(self) -> int:
        """How many trades did not come in order."""
        return self.late + self.unjudged

    def warning(self, trades: int) -> str | None:
        """Return what to tell a person if so many of so many trades were not in order.

        Repeats do not count. A tenth of steps back is more than wrong stamps explain: a file with the newest
        trades first, for instance.
        """
        late = self.late + self.too_late
        if trades < LEAST_WARNED or (
            late <= WARNED_SHARE * trades and self.steps_back <= WARNED_STEPS * trades
        ):
            return None
        return (
            f"{late + self.steps_back:,} of {trades:,} trades did not come in the order of their time: "
            f"{self.too_late:,} were not judged, {self.late:,} were judged but not learnt from. "
            "If they come from a file, sort it by time and publish it again."
        )

    def __add__(self, other: "OutOfOrder") -> "OutOfOrder":
        return OutOfOrder(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "OutOfOrder") -> "OutOfOrder":
        return OutOfOrder(*(one - two for one, two in zip(astuple(self), astuple(other), strict=True)))
