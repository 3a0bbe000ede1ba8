"""A profile's detectors, ready to judge trades."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from services.contracts.detectors import DETECTORS
from services.detector.detectors.base import Detector, Flags, StateStore
from services.detector.detectors.context import AuctionTimes, DetectorContext
from services.detector.detectors.loading import load_detector
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.slots import grown
from services.detector.profiles.profile import Profile

if TYPE_CHECKING:
    from services.detector.detectors.core.walk import FeatureWalk


def _new_walk(context: DetectorContext) -> "FeatureWalk":
    # Its libraries are loaded only for profiles with calibrated detectors.
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
    def state_stores(self) -> list[StateStore | None]:
        """The store of each detector's state; None where its size is not bounded."""
        return [detector.state_store for detector in self.detectors]

    @property
    def states(self) -> np.ndarray:
        """The calibrated detectors' state of each session, by slot: `core.state.STATE`; read-only."""
        return self._context.walk.states

    def open(self, slot: int, session: SessionKey) -> None:
        """Start a new session in a slot."""
        running = self._context.running(session.symbol)
        self._runs = grown(self._runs, slot)
        self._runs[slot] = [detector.name in running for detector in self.detectors]
        if self._context.walk_in_use is not None:
            self._context.walk_in_use.open(slot, session)
        for detector in self.detectors:
            detector.open(slot, session)

    def advance(self, batch: Batch) -> Batch:
        """Update the calibrated detectors' state with the next trades; returns these with their measures.

        Must be called once for each batch, before `flag`.
        """
        walk = self._context.walk_in_use
        return batch if walk is None else batch.with_measures(walk.advance(batch))

    def flag(self, batch: Batch, only_stored: bool = False) -> dict[str, Flags]:
        """Let each detector judge a batch that `advance` returned; drops flags where it does not run.

        With `only_stored`, detectors whose state cannot be saved, and so not be put back, are left out.
        """
        found = {}
        for number, detector in enumerate(self.detectors):
            if only_stored and detector.state_store is None:
                continue
            flags = detector.flag(batch)
            found[detector.name] = flags.only(self._runs[batch.slot[flags.at], number])
        return found
