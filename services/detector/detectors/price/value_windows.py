"""The last values of a session's trades of two kinds, such as prices and sizes, in rings by slot."""

import numpy as np

from services.detector.detectors.serialize import records
from services.detector.engine.slots import grown


class ValueWindows:
    """Keeps 16 bytes for each trade of the widest window of any symbol; compiled code fills it.

    Parameters
    ----------
    state
        What is known of one ring; with `count`, how many values it has, and `next`, where the next one goes.

    Attributes
    ----------
    state
        Of both rings of each slot, shape (slots, 2).
    values
        Float64, shape (slots, 2, trades of the widest window).
    """

    def __init__(self, state: np.dtype) -> None:
        self.state = np.zeros((0, 2), state)
        self.values = np.zeros((0, 2, 0))

    def open(self, slot: int, window_trades: int) -> None:
        """Empty a slot's rings, for windows of so many trades."""
        self.state = grown(self.state, slot)
        self.state[slot] = np.zeros(2, self.state.dtype)
        self.values = grown(self.values, slot)
        if window_trades > self.values.shape[2]:
            wider = np.zeros((*self.values.shape[:2], window_trades))
            wider[:, :, : self.values.shape[2]] = self.values
            self.values = wider

    def save(self, slot: int) -> bytes:
        """Return a slot's values; what lies beyond a count is an earlier session's and is left out."""
        counts = self.state[slot]["count"]
        return b"".join(self.values[slot, row, :count].tobytes() for row, count in enumerate(counts))

    def restore(self, slot: int, state: np.ndarray, saved: bytes, window_trades: int) -> None:
        """Take over the state and the values that were saved of a slot.

        Raises
        ------
        ValueError
            They are not of windows of so many trades, or the values are not of the state.
        """
        counts, places = state["count"], state["next"]
        if not ((counts >= 0) & (counts <= window_trades) & (places >= 0) & (places < window_trades)).all():
            raise ValueError(f"its windows are not of {window_trades} trades")
        first, second = counts.tolist()
        values = records(saved, np.dtype(np.float64), first + second)
        self.state[slot] = state
        self.values[slot, 0, :first] = values[:first]
        self.values[slot, 1, :second] = values[first:]
