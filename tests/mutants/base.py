"""What a mutant is, and what a harmless change is; their registries."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from tests.mutants.rig import Setup

Patch = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Mutant:
    """A way to break the detector, or what is around it.

    Parameters
    ----------
    name
        Its name in the table.
    what
        What is broken, for people.
    check
        What is to notice it: a detector's name, `state`, `profile`, `partitions` or `prints`.
    setup
        Makes a run's setup from the usual one.
    patch
        Breaks the code while it is entered.
    """

    name: str
    what: str
    check: str
    setup: Callable[[Setup], Setup] = lambda setup: setup
    patch: Patch = nullcontext


@dataclass(frozen=True)
class Harmless:
    """A change that must not be taken for a fault."""

    name: str
    what: str
    setup: Callable[[Setup], Setup]
