"""What a planted anomaly is: prints after a session's newest one that a working detector must flag."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from services.contracts.trade import Trade
from services.detector.selftest.scene import SECOND_NS, Scene

LIVE_MOST_PRINTS = 500
"""What needs more prints than these is tested by the command alone."""


class NotNowError(Exception):
    """The session gives no occasion for the anomaly at this moment; says why."""


class Plant(ABC):
    """The anomaly of one detector.

    It must be so plain that every sensible setting of the detector finds it, and must not be made from the
    detector's own settings: a threshold a hundred times as high has to be noticed.
    """

    detector: ClassVar[str]
    """Its name in `services.contracts.detectors.DETECTORS`."""
    is_live: ClassVar[bool] = True
    """Whether at most `LIVE_MOST_PRINTS` show it; if not, only the command plants it."""
    why_not_live: ClassVar[str] = ""
    """Why not, for people."""
    least_recent: ClassVar[int] = 16
    """Prints that the session must have: before that there is nothing to compare an anomaly with."""
    is_sure: ClassVar[bool] = True
    """Whether it fires in every session that gives an occasion; if not, in those of most symbols."""
    value_is: ClassVar[str] = ""
    """`price` or `size` where the detection's value is that of a planted print, which is then checked."""

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """Yield what is planted, each time into a fresh copy of the state, until it is flagged once.

        Raises
        ------
        NotNowError
            The session gives no occasion for it now.
        """
        yield self.prints(scene)

    @abstractmethod
    def prints(self, scene: Scene) -> list[Trade]:
        """Return the prints of the first try, in the order in which they come."""


def next_auction(scene: Scene) -> int:
    """Return when the session's next auction is, ns since 1970; raises NotNowError if none is left."""
    for auction_ns in (scene.opening_ns, scene.closing_ns):
        if auction_ns > scene.now_ns:
            return auction_ns
    raise NotNowError("the day has no auction any more" if scene.opening_ns else "the day has no auctions")


def regular_hours_left_s(scene: Scene) -> float:
    """Return for how long regular hours go on; raises NotNowError outside them."""
    if not scene.opening_ns <= scene.now_ns < scene.closing_ns:
        raise NotNowError("it is outside regular hours")
    return (scene.closing_ns - scene.now_ns) / SECOND_NS


def needs(is_so: bool, why: str) -> None:
    """Raise NotNowError unless a condition holds."""
    if not is_so:
        raise NotNowError(why)
