"""A bar for what takes long."""

import streamlit as st

from services.detector.offline.tuning.indexed_day import OnProgress


class Progress:
    """A bar that shows how many trades are done, until the end of the block.

    Parameters
    ----------
    title
        What is done.
    least
        Of fewer trades nothing is shown: they are done at once.
    """

    def __init__(self, title: str, least: int = 0) -> None:
        self._title = title
        self._least = least

    def __enter__(self) -> OnProgress:
        self._place = st.empty()
        if not self._least:
            self._place.progress(0.0, f"{self._title} …")
        return self._move

    def __exit__(self, *_: object) -> None:
        self._place.empty()

    def _move(self, done: int, of: int) -> None:
        if of >= self._least:
            self._place.progress(min(done / max(of, 1), 1.0), f"{self._title}: {done:,} of {of:,}")
