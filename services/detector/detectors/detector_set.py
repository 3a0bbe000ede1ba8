"""A profile's detectors, ready to watch sessions."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from services.contracts.detectors import DETECTORS
from services.detector.detectors.base import Detector, Flags, Keeper
from services.detector.detectors.context import AuctionTimes, DetectorContext
from services.detector.detectors.loading import load_detector
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.slots import with_room
from services.detector.profiles.profile import Profile

if TYPE_CHECKING:
    from services.detector.detectors.core.walk import FeatureWalk


def _new_walk(context: DetectorContext) -> "FeatureWalk":
    # Its libraries are loaded for profiles with calibrated detectors alone.
    from services.detector.detectors.core.walk import FeatureWalk

    return FeatureWalk(context)


class DetectorSet:
    """The detectors of a profile, and for which symbols each of them runs.

    Parameters
    ----------
    profile
        Names them.
    auction_times
        The exchange's calendar.
    """

    def __init__(self, profile: Profile, auction_times: AuctionTimes) -> None:
        running = lru_cache(maxsize=None)(lambda symbol: profile.for_symbol(symbol).running)
        everywhere = [profile.detectors, *(profile.for_symbol(symbol) for symbol in profile.symbols)]
        named = {name for detectors in everywhere for name in detectors.running}
        self._context = DetectorContext(running, auction_times, _new_walk)
        self.detectors: list[Detector] = [
            load_detector(name)(self._context) for name in DETECTORS if name in named
        ]
        self._runs = np.zeros((0, len(self.detectors)), bool)  # by slot, for each detector

    @property
    def keepers(self) -> list[Keeper | None]:
        """What keeps each detector's state."""
        return [detector.keeper for detector in self.detectors]

    @property
    def states(self) -> np.ndarray:
        """What calibrated detectors know of each session, by slot: `core.state.STATE`; only to be read."""
        return self._context.walk.states

    def open(self, slot: int, session: SessionKey) -> None:
        """Begin a session afresh under a slot."""
        running = self._context.running(session.symbol)
        self._runs = with_room(self._runs, slot)
        self._runs[slot] = [detector.name in running for detector in self.detectors]
        if self._context.walk_in_use is not None:
            self._context.walk_in_use.open(slot, session)
        for detector in self.detectors:
            detector.open(slot, session)

    def advance(self, batch: Batch) -> Batch:
        """Take the next trades into what the calibrated detectors know; returns them with their measures.

        To be called once for each batch, before the detectors are asked about it.
        """
        walk = self._context.walk_in_use
        return batch if walk is None else batch.with_measures(walk.advance(batch))

    def flag(self, batch: Batch) -> dict[str, Flags]:
        """Let each detector judge what `advance` has returned; flags where it does not run are dropped."""
        found = {}
        for number, detector in enumerate(self.detectors):
            flags = detector.flag(batch)
            found[detector.name] = flags.only(self._runs[batch.slot[flags.at], number])
        return found
