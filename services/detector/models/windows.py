"""Windows of prints: the features of a print and of those of its symbol before it, side by side."""

import numpy as np


class Windows:
    """Knows which prints came before each print of a symbol.

    Parameters
    ----------
    symbol
        A number for each symbol, or for each tape, shape (n,).
    is_remembered
        Whether later prints have it in their windows: a late one is judged, and then forgotten. Bool, shape
        (n,).
    """

    def __init__(self, symbol: np.ndarray, is_remembered: np.ndarray) -> None:
        order = np.argsort(symbol, kind="stable")
        ordered, kept = symbol[order], is_remembered[order]
        before = np.cumsum(kept) - kept
        self._remembered = order[kept]
        self._before, self._first = np.zeros((2, len(symbol)), np.int64)
        self._before[order] = before
        self._first[order] = before[np.searchsorted(ordered, ordered, side="left")]

    def of(self, values: np.ndarray, rows: np.ndarray, prints: int) -> np.ndarray:
        """Return the windows that end with some prints.

        Parameters
        ----------
        values
            Features of all prints, float32, shape (n, features).
        rows
            The prints, int64, shape (m,).
        prints
            How many are in a window, the last one included.

        Returns
        -------
        numpy.ndarray
            The features of the oldest print first, not a number where there was no print yet, float32, shape
            (m, prints * features).
        """
        found = np.full((len(rows), prints, values.shape[1]), np.nan, np.float32)
        found[:, -1] = values[rows]
        at = self._before[rows, None] - np.arange(prints - 1, 0, -1)
        is_known = at >= self._first[rows, None]
        found[:, :-1][is_known] = values[self._remembered[at[is_known]]]
        return found.reshape(len(rows), prints * values.shape[1])
