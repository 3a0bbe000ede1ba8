"""The property that every detector has: no cut into batches and no mixture of sessions changes its flags."""

from collections.abc import Callable, Sequence

import numpy as np

from services.detector.detectors.base import Detector
from services.detector.engine.batch import Batch, SessionKey
from tests.unit.services.detector.batches import flags_in_batches, interleaved

SESSIONS = (SessionKey("AAPL", "2024-12-02"), SessionKey("NVDA", "2024-12-02"))


def assert_alone_as_mixed(
    new_detector: Callable[[], Detector], batches: Sequence[Batch], turns: Sequence[int], cut: int
) -> None:
    """Compare each session alone in one batch with all of them mixed, in batches of `cut` trades."""
    mixed = interleaved(batches, turns)
    found = flags_in_batches(new_detector(), mixed, cut, SESSIONS)
    for slot, trades in enumerate(batches):
        places = np.flatnonzero(mixed.slot == slot)
        own = [(int(np.searchsorted(places, at)), *rest) for at, *rest in found if mixed.slot[at] == slot]
        assert own == flags_in_batches(new_detector(), trades, max(len(trades), 1), SESSIONS)
