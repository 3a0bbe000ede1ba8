"""Tunes memory for services that allocate many objects and hardly any cycles, and live through outages."""

import ctypes
import gc

NEW_OBJECTS = 100_000
"""New objects until the next collection. Python's 700 would take a fourth of the indexer's time."""

POOLS = 2
"""Pools of memory for all threads."""

_M_ARENA_MAX = -8
"""Of the GNU C library: see mallopt(3)."""


def tune_memory() -> None:
    """Let a batch of messages trigger no collection, and all threads share `POOLS` pools of memory.

    By default the GNU C library gives each new thread a pool of its own, up to eight for each core, and a
    pool keeps what was freed in it. Each Kafka client has threads, and there are new clients after each
    outage: a detector grew by some 200 MB for each one. To be called before there are other threads.
    """
    gc.set_threshold(NEW_OBJECTS)
    _call("mallopt", _M_ARENA_MAX, POOLS)


def give_memory_back() -> None:
    """Return what was freed to the system, as far as the C library can; takes a tenth of a second.

    Worth it after work that needed far more memory than usual, such as a replay.
    """
    gc.collect()
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the GNU C library; others do not have it."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
