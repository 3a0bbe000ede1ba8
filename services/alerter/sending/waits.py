"""How long to wait before the next try."""

import random

FIRST_S = 1.0
MOST_S = 300.0
JITTER = 0.25
"""Share of a wait that is drawn, so that messages that failed together do not return together."""


def wait_s(failures: int, draw: random.Random, most_s: float = MOST_S) -> float:
    """Return the wait after so many failures: from 1 s, twice as long each time, with jitter, up to `most_s`.

    Parameters
    ----------
    failures
        How many there were, from 1.
    draw
        For the jitter.
    most_s
        The longest wait, in seconds.
    """
    doubled_s = FIRST_S * 2.0 ** min(failures - 1, 30)
    return min(doubled_s, most_s / (1 + JITTER)) * (1 + JITTER * draw.random())
