"""A profile's detectors, ready to judge trades."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.contracts.detectors import DETECTORS
from services.detector.detectors.base import Detector, Flags, StateStore
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.loading import load_detector
from services.detector.detectors.tally import ModelTally
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.slots import grown
from services.detector.profiles.profile import Profile

if TYPE_CHECKING:
    from services.detector.detectors.core.walk import FeatureWalk


SYMBOLS_NAMED = 5
"""How many symbols a remark names."""


def _new_walk(context: DetectorContext) -> "FeatureWalk":
    # Its libraries are loaded only for profiles with calibrated detectors.
    from services.detector.detectors.core.walk import FeatureWalk

    return FeatureWalk(context)


def context_of(profile: Profile, calendar: ExchangeCalendar) -> DetectorContext:
    """Return what a profile's detectors, and whatever shares the walk with them, are created with."""
    # Many symbols open the same day, for many detectors each.
    return DetectorContext(
        lru_cache(maxsize=None)(lambda symbol: profile.for_symbol(symbol).running),
        lru_cache(maxsize=64)(calendar.auction_times),
        _new_walk,
        profile.size_unit,
        calendar.time_zone,
        lru_cache(maxsize=None)(profile.usual_day_of),
        lru_cache(maxsize=64)(calendar.missing_ns),
    )


class DetectorSet:
    """The detectors of a profile, and for which symbols each of them runs.

    Parameters
    ----------
    profile
        Names them.
    calendar
        The exchange's.
    """

    def __init__(self, profile: Profile, calendar: ExchangeCalendar) -> None:
        everywhere = [profile.detectors, *(profile.for_symbol(symbol) for symbol in profile.symbols)]
        named = {name for detectors in everywhere for name in detectors.running}
        self._context = context_of(profile, calendar)
        self.detectors: list[Detector] = [
            load_detector(name)(self._context) for name in DETECTORS if name in named
        ]
        self._runs = np.zeros((0, len(self.detectors)), bool)  # by slot, for each detector
        self._not_judging: dict[tuple[str, str], list[str]] = {}  # symbols by detector and reason
        self._told: set[tuple[str, str]] = set()  # detectors and symbols

    @property
    def state_stores(self) -> list[StateStore | None]:
        """The store of each detector's state, None where its size is not bounded; and the walk, if in use."""
        walk = self._context.walk_in_use
        return [*(detector.state_store for detector in self.detectors), *([] if walk is None else [walk])]

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
            if detector.name in running and (detector.name, session.symbol) not in self._told:
                self._note(detector, session)

    def _note(self, detector: Detector, session: SessionKey) -> None:
        reason = detector.cannot_judge(session)
        if reason is not None:
            self._told.add((detector.name, session.symbol))
            self._not_judging.setdefault((detector.name, reason), []).append(session.symbol)

    def take_remarks(self) -> list[str]:
        """Return sentences on symbols that a detector turned out not to judge since the last call."""
        remarks = [
            f"{name} does not judge {_some(symbols)}: {reason}."
            for (name, reason), symbols in self._not_judging.items()
        ]
        self._not_judging.clear()
        return remarks

    def take_tallies(self) -> list[ModelTally]:
        """Return what trained models have judged since the last call."""
        return [tally for detector in self.detectors for tally in detector.take_tallies()]

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


def _some(symbols: list[str]) -> str:
    more = len(symbols) - SYMBOLS_NAMED
    return ", ".join(symbols[:SYMBOLS_NAMED]) + (f" and {more:,} more" if more > 0 else "")
