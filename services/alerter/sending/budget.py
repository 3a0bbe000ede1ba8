"""How many messages a channel may send in an hour."""

from collections import deque

HOUR_S = 3600.0


class Budget:
    """Counts the messages of the last hour, whichever hour it is.

    Parameters
    ----------
    per_hour
        The most; None for any number.
    """

    def __init__(self, per_hour: int | None) -> None:
        self.per_hour = per_hour
        self._spent_s: deque[float] = deque()

    def spend(self, at_s: float) -> None:
        """Count a message, at its first try; times never go back."""
        if self.per_hour is not None:
            self._spent_s.append(at_s)

    def has_room(self, now_s: float) -> bool:
        """Tell whether another message may be sent."""
        if self.per_hour is None:
            return True
        while self._spent_s and self._spent_s[0] <= now_s - HOUR_S:
            self._spent_s.popleft()
        return len(self._spent_s) < self.per_hour
