"""The tape's clock of a partition of `trades`, as the detector commits it: the metadata of its offset.

It tells how far the tape has come, in event time, for those who wait for a quiet time to be over. It is two
decimal numbers with a space between them, and depends on the partition's trades in their order alone.
"""

from typing import NamedTuple


class ClockReading(NamedTuple):
    """The clock after a trade; both are ns since 1970, and 0 before the first trade."""

    ns: int
    """Event time that two trades in a row have reached; it never falls."""
    last_ns: int
    """Event time of the last trade, which a single wrong stamp can have moved anywhere."""


UNKNOWN = ClockReading(0, 0)


def clock_metadata(reading: ClockReading) -> str:
    """Return what is committed with an offset; an unknown clock is an empty text."""
    return f"{reading.ns} {reading.last_ns}" if reading != UNKNOWN else ""


def read_clock(metadata: str | None) -> ClockReading:
    """Return the clock that was committed; `UNKNOWN` for offsets that another program has committed."""
    try:
        ns, last_ns = (metadata or "").split(" ")
        return ClockReading(int(ns), int(last_ns))
    except ValueError:
        return UNKNOWN
