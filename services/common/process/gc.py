"""How often Python searches for cycles of objects, in services that make many objects and hardly a cycle."""

import gc

NEW_OBJECTS = 100_000
"""Until the next search. With Python's 700, the indexer would spend a fourth of its time on it."""


def search_seldom() -> None:
    """Set this process's collector so that a batch of messages does not make it search."""
    gc.set_threshold(NEW_OBJECTS)
