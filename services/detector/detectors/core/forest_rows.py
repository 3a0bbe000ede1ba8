"""The rows that isolation forests are fitted on: the last ones of each session, in pages of one pool.

A session is given a page when it has grown so far: one with few trades takes little memory.
"""

import numpy as np

from services.detector.detectors.core.state import FOREST_FEATURES, FOREST_ROWS
from services.detector.engine.slots import with_room

PAGE_ROWS = 256
"""Rows of a page; a power of two. 3 kB."""

NOBODYS_PAGE = 0
"""Where sessions that keep no rows write theirs; never read."""


class ForestRows:
    """A ring of `FOREST_ROWS` rows for each session that keeps any.

    With k = n % `FOREST_ROWS`, a session's row n is `pages[page_of[slot, k // PAGE_ROWS], k % PAGE_ROWS]`.
    Compiled code writes it there; `make_room` must come before.
    """

    def __init__(self) -> None:
        self.pages = np.zeros((1, PAGE_ROWS, FOREST_FEATURES), np.float32)
        self.page_of = np.full((0, FOREST_ROWS // PAGE_ROWS), NOBODYS_PAGE)
        self._pages_held = np.zeros(0, np.int64)  # by slot
        self._keeps = np.zeros(0, bool)  # by slot
        self._used = 1
        self._free: list[int] = []

    def open(self, slot: int, keeps: bool) -> None:
        """Begin a session afresh under a slot; one that does not keep rows gets no pages."""
        self.page_of = with_room(self.page_of, slot)
        self._pages_held = with_room(self._pages_held, slot)
        self._keeps = with_room(self._keeps, slot)
        self._free.extend(self.page_of[slot, : self._pages_held[slot]].tolist())
        self.page_of[slot] = NOBODYS_PAGE
        self._pages_held[slot] = 0
        self._keeps[slot] = keeps

    def make_room(self, slots: np.ndarray, rows: np.ndarray) -> None:
        """Give sessions the pages they need to have had so many rows; shapes (n,)."""
        needed = -(-np.minimum(rows, FOREST_ROWS) // PAGE_ROWS)
        for at in np.flatnonzero((needed > self._pages_held[slots]) & self._keeps[slots]).tolist():
            slot = slots[at]
            for page in range(self._pages_held[slot], needed[at]):
                self.page_of[slot, page] = self._new_page()
            self._pages_held[slot] = needed[at]

    def read(self, slot: int, start: int, stop: int) -> np.ndarray:
        """Return a copy of a session's rows of these numbers, all of them among the last `FOREST_ROWS`."""
        return self.pages[self._places(slot, start, stop)]

    def write(self, slot: int, start: int, rows: np.ndarray) -> None:
        """Put rows where `start` and the next ones lie, for which there is room."""
        self.pages[self._places(slot, start, start + len(rows))] = rows

    def _places(self, slot: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        page, row = np.divmod(np.arange(start, stop) % FOREST_ROWS, PAGE_ROWS)
        return self.page_of[slot, page], row

    def _new_page(self) -> int:
        if self._free:
            return self._free.pop()
        self.pages = with_room(self.pages, self._used)
        self._used += 1
        return self._used - 1
