"""The features of each session's last prints, for models that look at several."""

import numpy as np

from services.detector.engine.slots import grown
from services.detector.features.registry import NAMES
from services.detector.models.folder import StoredModel
from services.detector.models.sample import rows_of
from services.detector.models.windows import Windows

PRINT_BYTES = 4 * len(NAMES)


class RecentPrints:
    """Remembers them by slot; not a number where there was no print yet."""

    def __init__(self) -> None:
        self._values = np.zeros((0, 0, len(NAMES)), np.float32)
        self._prints = np.zeros(0, np.int64)

    def open(self, slot: int, prints: int) -> None:
        """Forget a slot's prints, and remember so many from now on."""
        self._prints = grown(self._prints, slot)
        self._prints[slot] = prints
        self._values = grown(self._values, slot)
        slots, most, features = self._values.shape
        if prints > most:
            wider = np.full((slots, prints, features), np.nan, np.float32)
            wider[:, prints - most :] = self._values
            self._values = wider
        self._values[slot] = np.nan

    def save(self, slot: int) -> bytes:
        """Return a slot's prints."""
        prints = int(self._prints[slot])
        return self._values[slot, self._values.shape[1] - prints :].tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """Take over what was saved of a slot, of as many prints as both have.

        Raises
        ------
        ValueError
            It is not of whole prints.
        """
        if len(saved) % PRINT_BYTES:
            raise ValueError(f"its recent prints have {len(saved)} bytes, and each has {PRINT_BYTES}")
        values = np.frombuffer(saved, np.float32).reshape(-1, len(NAMES))
        both = min(len(values), int(self._prints[slot]))
        self._values[slot] = np.nan
        self._values[slot, self._values.shape[1] - both :] = values[len(values) - both :]

    def take(self, slots: np.ndarray, values: np.ndarray) -> "JudgedPrints":
        """Remember the next prints.

        Parameters
        ----------
        slots
            Of n prints, each slot's in order.
        values
            All their features, float32, shape (n, NAMES).

        Returns
        -------
        JudgedPrints
            They, with those before them.
        """
        most = self._values.shape[1]
        if most == 0:
            return JudgedPrints(values)
        known, tape = np.unique(slots, return_inverse=True)
        before = self._values[known].reshape(-1, len(NAMES))
        tapes = np.concatenate([np.repeat(np.arange(len(known)), most), tape])
        together = np.concatenate([before, values])
        prints = JudgedPrints(values, together, Windows(tapes, np.ones(len(tapes), bool)))
        last = np.zeros(len(known), np.int64)
        np.maximum.at(last, tape, np.arange(len(values)))
        self._values[known] = prints.windows_of(together, last, most).reshape(len(known), most, len(NAMES))
        return prints


class JudgedPrints:
    """The features of n prints, and of those before them.

    Parameters
    ----------
    values
        Shape (n, NAMES).
    together
        The same after those that are remembered, shape (m, NAMES); None where no model looks back.
    windows
        Of all m.
    """

    def __init__(
        self, values: np.ndarray, together: np.ndarray | None = None, windows: Windows | None = None
    ) -> None:
        self.values = values
        self._together = together
        self._windows = windows

    def rows_for(self, stored: StoredModel, at: np.ndarray) -> np.ndarray:
        """Return what a model is given of some of the prints, shape (len(at), window * features)."""
        names, prints = stored.manifest.features, stored.model.window
        if prints == 1 or self._together is None:
            return rows_of(self.values if len(at) == len(self.values) else self.values[at], names)
        return self.windows_of(rows_of(self._together, names), at, prints)

    def windows_of(self, together: np.ndarray, at: np.ndarray, prints: int) -> np.ndarray:
        """Return the windows that end with some of the prints, of columns of `together`."""
        assert self._windows is not None  # noqa: S101 - there is one where a model looks back
        return self._windows.of(together, len(together) - len(self.values) + at, prints)
