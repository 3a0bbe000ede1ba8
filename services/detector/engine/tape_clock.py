"""The tape's clock of a partition: how far its trades have come in event time.

The later of two trades in a row counts only as far as the earlier one, so a single stamp that is hours ahead
moves nothing. The clock never falls. It depends on the trades in their order alone, never on batches.
"""

import numpy as np

from services.contracts.tape_clock import ClockReading


class TapeClock:
    """The clock of one partition.

    Parameters
    ----------
    reading
        Where it stands.
    """

    def __init__(self, reading: ClockReading) -> None:
        self.reading = reading

    def advance(self, event_ns: np.ndarray) -> np.ndarray:
        """Take the next trades; returns the clock just before each of them, ns, int64, shape (n,).

        Parameters
        ----------
        event_ns
            The trades' own times, ns since 1970, int64, shape (n,).
        """
        times = np.concatenate(([self.reading.last_ns], event_ns))
        clock_ns = np.concatenate(([self.reading.ns], np.minimum(times[:-1], times[1:])))
        np.maximum.accumulate(clock_ns, out=clock_ns)
        self.reading = ClockReading(int(clock_ns[-1]), int(times[-1]))
        return clock_ns[:-1]
