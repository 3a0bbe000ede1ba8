"""Scheduled Burst: trades that rush in when the exchange publishes what everybody waits for.

The imbalances before an auction come at known times: ten minutes before the close, and every ten seconds from
then on, as in the last minutes before the opening. The auctions themselves do the same.
"""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import JoiningDetector
from services.detector.detectors.core.explain import FEATURES, features_of
from services.detector.detectors.core.state import BURST, SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.parameters import Parameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record


class ScheduledBurstParameters(Parameters):
    """Parameters of Scheduled Burst."""

    before_close_s: float = Field(
        600.0, ge=0, description="how long before the close the first imbalance is published"
    )
    before_open_s: float = Field(300.0, ge=0, description="the same before the opening")
    beat_s: float = Field(10.0, gt=0, description="time between two imbalances")
    reaction_s: float = Field(0.5, gt=0, description="how long after one its trades may come")
    least_evidence: float = Field(ALERT, gt=0, description="evidence from which trades are a burst")
    most_evidence: float = Field(8.0, gt=0, description="evidence from which a burst is one nevertheless")
    most_distance: float = Field(
        0.002, ge=0, description="distance of a price, as a share of it, up to which it is at most `low` then"
    )
    join_s: float = Field(
        1.0, ge=0, description="a flag so soon after the last one is part of the same burst"
    )


class ScheduledBurst(JoiningDetector):
    """Names a burst at a scheduled moment of the exchange, so that it raises no alert."""

    name = "scheduled_burst"
    parameters = ScheduledBurstParameters

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; the score is 0, as the burst is expected. Value and threshold are intensities."""
        measures = batch.measured()
        at = np.flatnonzero(measures["is_scheduled"])
        found = measures[at]
        return Flags(
            at=at,
            score=np.zeros(len(at)),
            value=found["burst_value"],
            expected=np.zeros(len(at)),
            threshold=found["burst_threshold"],
            reasons=[
                f"{row['burst_trades']:,.0f} trades at once, as the exchange publishes imbalances or holds "
                f"an auction at this time; they moved the price by {row['burst_drift']:+.4g}"
                for row in found
            ],
            contributions={FEATURES[BURST]: np.ones(len(at))},
            features=features_of(found),
            join_s=self._join_s[batch.slot[at]],
            prints=found["burst_trades"].astype(np.int64),
        )


@njit(cache=True)
def is_scheduled(s: Record, p: Record, event_ns: int, evidence: float) -> bool:
    """Tell whether a burst comes just after a scheduled moment of the session."""
    if not p.least_evidence <= evidence < p.most_evidence:
        return False
    return _is_scheduled_moment(s, p, event_ns)


@njit(cache=True)
def is_scheduled_move(s: Record, p: Record, event_ns: int, distance: float) -> bool:
    """Tell whether a price goes a little way at once just after a scheduled moment of the session."""
    return abs(distance) <= p.most_distance * abs(s.last_price) and _is_scheduled_moment(s, p, event_ns)


@njit(cache=True)
def _is_scheduled_moment(s: Record, p: Record, event_ns: int) -> bool:
    return _is_on_beat(s.beat_open_ns, p.before_open_s, p, event_ns) or _is_on_beat(
        s.beat_close_ns, p.before_close_s, p, event_ns
    )


@njit(cache=True)
def _is_on_beat(auction_ns: int, before_s: float, p: Record, event_ns: int) -> bool:
    beat_ns = np.int64(p.beat_s * SECOND_NS)
    since_ns = event_ns - (auction_ns - np.int64(before_s * SECOND_NS))
    if auction_ns == 0 or since_ns < 0 or event_ns - auction_ns >= beat_ns:
        return False
    # After the auction itself trades rush in for a whole beat.
    return bool(event_ns >= auction_ns or since_ns % beat_ns < np.int64(p.reaction_s * SECOND_NS))
