"""Results that take long to compute, kept for all visitors."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import streamlit as st

T = TypeVar("T")


class Kept:
    """The newest few results, shared by all visitors.

    Parameters
    ----------
    most
        How many are kept; the least recently used one is dropped first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._results: OrderedDict[object, Any] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self._results

    def get(self, key: object, make: Callable[[], T]) -> T:
        """Return what is kept under a key, or make it and keep it."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                known: T = self._results[key]
                return known
        made = make()  # takes long, so others may use what is kept meanwhile
        with self._lock:
            made = self._results.setdefault(key, made)  # of two who make it at once, both have the first
            self._results.move_to_end(key)
            while len(self._results) > self._most:
                self._results.popitem(last=False)
        return made


@st.cache_resource
def kept(kind: str, most: int) -> Kept:
    """Return the place for one kind of results."""
    del kind  # it tells the places apart
    return Kept(most)
