"""What detectors are created with."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from services.detector.detectors.parameters import Parameters
from services.detector.detectors.usual_day import UsualDay

if TYPE_CHECKING:
    from services.detector.detectors.core.walk import FeatureWalk

AuctionTimes = Callable[[str], tuple[int, int]]
"""From a day, `YYYY-MM-DD`, to its opening and closing auction in ns since 1970; 0 without an auction."""

P = TypeVar("P", bound=Parameters)


class DetectorContext:
    """What a detector is created with; a profile's detectors share one context.

    Parameters
    ----------
    running
        From a symbol to the detectors that run for it, with their parameters.
    auction_times
        The exchange's calendar.
    new_walk
        Creates the walk that calibrated detectors share; they cannot be created without it.
    size_unit
        What a size counts, for sentences.
    time_zone
        The exchange's.
    usual_day_of
        From a symbol to what its day usually has; None if nobody knows.
    missing_ns
        From a day, `YYYY-MM-DD`, to how much shorter than most it is, in ns; None for one without a session.
    """

    def __init__(
        self,
        running: Callable[[str], Mapping[str, Parameters]],
        auction_times: AuctionTimes,
        new_walk: "Callable[[DetectorContext], FeatureWalk] | None" = None,
        size_unit: str = "shares",
        time_zone: str = "UTC",
        usual_day_of: Callable[[str], UsualDay | None] = lambda _symbol: None,
        missing_ns: Callable[[str], int | None] = lambda _day: 0,
    ) -> None:
        self.running = running
        self.auction_times = auction_times
        self.size_unit = size_unit
        self.time_zone = time_zone
        self.usual_day_of = usual_day_of
        self.missing_ns = missing_ns
        self._new_walk = new_walk
        self.walk_in_use: FeatureWalk | None = None

    def parameters_of(self, name: str, kind: type[P]) -> Callable[[str], P]:
        """Return a function from a symbol to a detector's parameters.

        For a symbol that the detector does not run for, they are the defaults; its flags are dropped.
        """

        def own(symbol: str) -> P:
            found = self.running(symbol).get(name)
            return found if isinstance(found, kind) else kind()

        return own

    @property
    def walk(self) -> "FeatureWalk":
        """The walk that measures trades for the calibrated detectors; created on first use."""
        if self.walk_in_use is None:
            if self._new_walk is None:
                raise ValueError("this context has no walk")
            self.walk_in_use = self._new_walk(self)
        return self.walk_in_use
