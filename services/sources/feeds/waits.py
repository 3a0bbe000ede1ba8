"""How long to wait before the next try: longer each time, and never all clients at the same moment."""

import random

LEAST_S = 1.0
MOST_S = 60.0


class Waits:
    """Waits that double from 1 s to 60 s, each shortened by up to a half at random.

    Parameters
    ----------
    least_s, most_s
        The first and the longest one, before they are shortened.
    """

    def __init__(self, least_s: float = LEAST_S, most_s: float = MOST_S) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._next_s = least_s

    def take(self) -> float:
        """Return the next wait, in seconds."""
        wait_s = self._next_s
        self._next_s = min(self._next_s * 2, self._most_s)
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def reset(self) -> None:
        """Begin again with the shortest, as a try has succeeded."""
        self._next_s = self._least_s
