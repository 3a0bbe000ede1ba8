"""The rows that isolation forests are fitted on: the last rows of each session, in pages of a shared pool.

A session gets a page only when it has enough rows, so that one with few trades takes little memory.
"""

import numpy as np

from services.detector.detectors.core.state import FOREST_FEATURES, FOREST_ROWS
from services.detector.engine.slots import grown

PAGE_ROWS = 256
"""Rows per page, a power of two; a page takes 3 kB."""

UNUSED_PAGE = 0
"""Page that sessions without rows of their own write to; never read."""


class ForestRows:
    """A ring buffer of `FOREST_ROWS` rows for each session that keeps rows.

    With k = n % `FOREST_ROWS`, a session's row n is `pages[page_of[slot, k // PAGE_ROWS], k % PAGE_ROWS]`.
    Compiled code writes it there; `make_room` must be called before.
    """

    def __init__(self) -> None:
        self.pages = np.zeros((1, PAGE_ROWS, FOREST_FEATURES), np.float32)
        self.page_of = np.full((0, FOREST_ROWS // PAGE_ROWS), UNUSED_PAGE)
        self._pages_held = np.zeros(0, np.int64)  # by slot
        self._keeps = np.zeros(0, bool)  # by slot
        self._used = 1
        self._free: list[int] = []

    def open(self, slot: int, keeps: bool) -> None:
        """Start a new session in a slot; a session that does not keep rows gets no pages."""
        self.page_of = grown(self.page_of, slot)
        self._pages_held = grown(self._pages_held, slot)
        self._keeps = grown(self._keeps, slot)
        self._free.extend(self.page_of[slot, : self._pages_held[slot]].tolist())
        self.page_of[slot] = UNUSED_PAGE
        self._pages_held[slot] = 0
        self._keeps[slot] = keeps

    def make_room(self, slots: np.ndarray, rows: np.ndarray) -> None:
        """Allocate the pages that sessions need for their first `rows` rows; both of shape (n,)."""
        needed = -(-np.minimum(rows, FOREST_ROWS) // PAGE_ROWS)
        for at in np.flatnonzero((needed > self._pages_held[slots]) & self._keeps[slots]).tolist():
            slot = slots[at]
            for page in range(self._pages_held[slot], needed[at]):
                self.page_of[slot, page] = self._new_page()
            self._pages_held[slot] = needed[at]

    def read(self, slot: int, start: int, stop: int) -> np.ndarray:
        """Return a copy of a session's rows `start` to `stop`, which must be among its last `FOREST_ROWS`."""
        return self.pages[self._places(slot, start, stop)]

    def write(self, slot: int, start: int, rows: np.ndarray) -> None:
        """Write a session's rows from number `start` on; their pages must be allocated."""
        self.pages[self._places(slot, start, start + len(rows))] = rows

    def _places(self, slot: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        page, row = np.divmod(np.arange(start, stop) % FOREST_ROWS, PAGE_ROWS)
        return self.page_of[slot, page], row

    def _new_page(self) -> int:
        if self._free:
            return self._free.pop()
        self.pages = grown(self.pages, self._used)
        self._used += 1
        return self._used - 1
