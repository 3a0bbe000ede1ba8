"""What detectors are made with."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from services.detector.detectors.parameters import Parameters

if TYPE_CHECKING:
    from services.detector.detectors.core.walk import FeatureWalk

AuctionTimes = Callable[[str], tuple[int, int]]
"""From a day, `YYYY-MM-DD`, to its opening and closing auction in ns since 1970; 0 where there is none."""

P = TypeVar("P", bound=Parameters)


class DetectorContext:
    """What a detector is given when it is made; one context for all of a profile's.

    Parameters
    ----------
    running
        From a symbol to the detectors that run for it, with their parameters.
    auction_times
        The exchange's calendar.
    new_walk
        Makes the walk that the calibrated detectors share; none of them can be made without it.
    """

    def __init__(
        self,
        running: Callable[[str], Mapping[str, Parameters]],
        auction_times: AuctionTimes,
        new_walk: "Callable[[DetectorContext], FeatureWalk] | None" = None,
    ) -> None:
        self.running = running
        self.auction_times = auction_times
        self._new_walk = new_walk
        self.walk_in_use: FeatureWalk | None = None

    def parameters_of(self, name: str, kind: type[P]) -> Callable[[str], P]:
        """Return what gives a detector's parameters for a symbol.

        For a symbol that the detector does not run for they are the defaults: its flags are dropped then.
        """

        def own(symbol: str) -> P:
            found = self.running(symbol).get(name)
            return found if isinstance(found, kind) else kind()

        return own

    @property
    def walk(self) -> "FeatureWalk":
        """The walk that measures trades for the calibrated detectors; made for the first that asks."""
        if self.walk_in_use is None:
            if self._new_walk is None:
                raise ValueError("this context has no walk")
            self.walk_in_use = self._new_walk(self)
        return self.walk_in_use
