"""The saved state of an engine's sessions, and which of them must be saved again."""

from dataclasses import dataclass

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
    last_ns, last_sequence
        Event time, in ns since 1970 (UTC), and number of the last trade that was judged; -1 before the first.
    detectors
        Bytes by the name of the `StateStore`; `Engine.state_schema` identifies their format.
    """

    session: SessionKey
    last_seen: int
    last_ns: int
    last_sequence: int
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
