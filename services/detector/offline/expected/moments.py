"""What the detectors of a session compared each trade with: recent prices, usual sizes, the usual rate.

The numbers are the detectors' own, from the same walk over the same trades.
"""

import numpy as np

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.detectors.core.record import record_of, record_type
from services.detector.detectors.core.state import NATURAL_CROSS
from services.detector.detectors.detector_set import DetectorSet
from services.detector.detectors.patterns.base import RECENT
from services.detector.detectors.patterns.volume_surge import VolumeSurge, VolumeSurgeParameters
from services.detector.detectors.price.off_market_price import OffMarketPrice, largest_distance
from services.detector.detectors.size.unusual_size import UnusualSize, UnusualSizeParameters, largest_sizes
from services.detector.engine.batch import PRICE_ELIGIBLE, VOLUME_ELIGIBLE, Batch
from services.detector.engine.columns import TradeColumns
from services.detector.engine.sessions import Sessions
from services.detector.profiles.profile import Detectors, Profile

COMPARING = (OffMarketPrice.name, UnusualSize.name, VolumeSurge.name)
"""The detectors whose comparisons are told."""

_BESIDE = ("auction_cross", "scheduled_burst", "burst", "fast_market")
"""Those that share the walk with them, and have a say in what they flag."""

MOMENTS = np.dtype(
    [
        ("event_ns", "i8"),
        ("low", "f8"),
        ("high", "f8"),
        ("lowest", "f8"),
        ("highest", "f8"),
        ("price_evidence", "f8"),
        ("size", "f8"),
        ("usual_size", "f8"),
        ("size_limit", "f8"),
        ("size_evidence", "f8"),
        ("rate", "f8"),
        ("usual_rate", "f8"),
        ("rate_limit", "f8"),
        ("rate_ratio", "f8"),
    ]
)
"""One trade, and what it was compared with; NaN for what it was not compared with.

- `event_ns`: its own time, ns since 1970 (UTC).
- `low`, `high`: the envelope of recent prices; `lowest`, `highest`: the farthest prices beyond it that would
  not have been flagged; `price_evidence`: flagged from `tail.ALERT` on.
- `size`, `usual_size`, `size_limit`: its size, the mean of the trades before it, and the largest size that
  would not have been flagged; `size_evidence` as above. Auctions' prints are not compared.
- `rate`, `usual_rate`, `rate_limit`: trades a second of the last half minute, those that are usual at this
  time of the day, and those from which a lasting surge is flagged; `rate_ratio`: how many usual ones, where
  few prints count less.
"""

_UNKNOWN = np.array((0, *[np.nan] * (len(MOMENTS.names or ()) - 1)), MOMENTS)


class Expectations:
    """Lets a profile's detectors compare the trades of one symbol's session, piece by piece.

    Parameters
    ----------
    profile
        The profile.
    symbol
        The symbol of all trades.
    """

    def __init__(self, profile: Profile, symbol: str) -> None:
        own = profile.for_symbol(symbol)
        calendar = ExchangeCalendar(profile.exchange)
        self.time_zone = calendar.time_zone
        self.compares = tuple(name for name in COMPARING if name in own.running)
        """Those of `COMPARING` that the profile runs."""
        used = {name: own.running[name] for name in (*COMPARING, *_BESIDE) if name in own.running}
        alone = {
            "detectors": Detectors.model_validate(used),
            "symbols": {},
            "usual_day": profile.usual_day_of(symbol),
        }
        self._set = DetectorSet(profile.model_copy(update=alone), calendar)
        self._sessions = Sessions(endless=profile.sessions == "endless")
        sizes = own.get(UnusualSize.name) or UnusualSizeParameters()
        self._sizes = np.array([record_of(sizes)], record_type(UnusualSizeParameters))[0]
        surge = own.get(VolumeSurge.name)
        self._rates = surge if isinstance(surge, VolumeSurgeParameters) else VolumeSurgeParameters()

    def add(self, columns: TradeColumns) -> np.ndarray:
        """Compare the next trades; returns `MOMENTS` of those in order, which late ones do not change."""
        found = [np.zeros(0, MOMENTS)]
        for piece in self._sessions.pieces(columns):
            for slot, session in piece.opened:
                self._set.open(slot, session)
            if piece.late_ns is None and len(piece.batch):
                found.append(self._moments(self._set.advance(piece.batch)))
        return np.concatenate(found)

    def _moments(self, batch: Batch) -> np.ndarray:
        places, own = batch.prints
        moments = np.full(len(batch), _UNKNOWN)
        moments["event_ns"] = batch.stamp_ns
        is_print = np.zeros(len(batch), bool)
        is_print[places] = True
        if OffMarketPrice.name in self.compares:
            # What the first prices tell of one of them is not what the next is compared with.
            at = np.flatnonzero(is_print & batch.has(PRICE_ELIGIBLE) & (batch.measured()["wrong_print"] == 0))
            measures = batch.measured()[at]
            room = largest_distance(measures)
            moments["low"][at] = measures["low"]
            moments["high"][at] = measures["high"]
            moments["lowest"][at] = measures["low"] - room
            moments["highest"][at] = measures["high"] + room
            is_natural = measures["is_cross"] == NATURAL_CROSS
            moments["price_evidence"][at] = np.where(is_natural, 0.0, measures["price_evidence"])
        if UnusualSize.name in self.compares:
            at = np.flatnonzero(is_print & batch.has(VOLUME_ELIGIBLE) & (batch.measured()["is_cross"] == 0))
            measures = batch.measured()[at]
            moments["size"][at] = batch.size[at]
            moments["usual_size"][at] = measures["mean_size"]
            moments["size_limit"][at] = largest_sizes(batch.price[at], batch.size[at], measures, self._sizes)
            moments["size_evidence"][at] = measures["size_evidence"]
        for detector in self._set.detectors:
            if isinstance(detector, VolumeSurge):
                measured = detector.measure(own)
                known = measured["rate_ratio"] > 0.0
                at, recent, ratio = places[known], measured[RECENT][known], measured["rate_ratio"][known]
                seen = np.exp(recent)
                moments["rate_ratio"][at] = ratio
                for name, counted in (
                    ("rate", seen),
                    ("usual_rate", seen / ratio),
                    ("rate_limit", seen / ratio * self._rates.least_ratio),
                ):
                    prints = np.maximum(counted - self._rates.slot_prints, 0.0)
                    moments[name][at] = prints / self._rates.slot_s
        return moments
