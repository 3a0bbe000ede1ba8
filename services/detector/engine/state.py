"""What of an engine's sessions is saved, and which of them have to be saved anew."""

from dataclasses import dataclass

from services.detector.engine.batch import SessionKey


@dataclass(frozen=True)
class SessionState:
    """All that an engine needs to go on with a session: windows and numbers, no fitted models.

    Parameters
    ----------
    session
        The symbol and the day.
    last_seen
        Rank of its last trade, late ones included, among all trades of the engine, from 0. It only orders
        the sessions of a symbol: the one seen least lately is dropped first.
    last_ns, last_sequence
        Event time, in ns since 1970 (UTC), and number of the last trade that was judged; -1 before one was.
    detectors
        Name of what keeps state to its bytes; how they are read is told by `Engine.state_schema`.
    """

    session: SessionKey
    last_seen: int
    last_ns: int
    last_sequence: int
    detectors: dict[str, bytes]


@dataclass(frozen=True)
class Changes:
    """What has become of an engine's sessions since it was last asked.

    Parameters
    ----------
    touched
        Open sessions that were given a trade, late and repeated ones included.
    dropped
        Sessions that were dropped and are not open again.
    """

    touched: list[SessionKey]
    dropped: list[SessionKey]
