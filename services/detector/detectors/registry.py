"""From a profile to its detectors, ready to watch sessions."""

from functools import lru_cache, partial
from typing import get_args

from services.detector.detectors.activity.burst import Burst
from services.detector.detectors.base import Detector
from services.detector.detectors.core.burst_measure import BurstParameters
from services.detector.detectors.core.price_measure import OffMarketPriceParameters
from services.detector.detectors.core.size_measure import UnusualSizeParameters
from services.detector.detectors.core.walk import AuctionTimes, Tape, TapeParameters
from services.detector.detectors.multivariate.isolation_forest import IsolationForest
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.price.off_market_price import OffMarketPrice
from services.detector.detectors.price.price_history_forest import PriceHistoryForest
from services.detector.detectors.price.rapid_price_change import RapidPriceChange
from services.detector.detectors.price.z_score import ZScore
from services.detector.detectors.scheduled.auction_cross import AuctionCross
from services.detector.detectors.size.high_volume import HighVolume
from services.detector.detectors.size.unusual_size import UnusualSize
from services.detector.profiles.profile import Detectors, Profile

CALIBRATED = (AuctionCross, OffMarketPrice, UnusualSize, Burst, IsolationForest)
RULES = (HighVolume, RapidPriceChange, ZScore, PriceHistoryForest)


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
        self.parameters_of = lru_cache(maxsize=None)(profile.for_symbol)
        everywhere = [profile.detectors, *(profile.for_symbol(symbol) for symbol in profile.symbols)]
        running = {
            name
            for name in Detectors.model_fields
            if any(getattr(one, name) is not None for one in everywhere)
        }
        self.tape = Tape(self._tape_parameters, auction_times)
        self.detectors: list[Detector] = [kind(self.tape) for kind in CALIBRATED if kind.name in running]
        for kind in RULES:
            if kind.name in running:
                self.detectors.append(kind(partial(self._rule_parameters, kind.name)))

    def runs_for(self, symbol: str) -> list[bool]:
        """Return for each detector whether it runs for a symbol."""
        parameters = self.parameters_of(symbol)
        return [getattr(parameters, detector.name) is not None for detector in self.detectors]

    def _rule_parameters(self, name: str, symbol: str) -> Parameters:
        """Return a rule's parameters; the defaults where it does not run, as then its flags are dropped."""
        kind = get_args(Detectors.model_fields[name].annotation)[0]
        return getattr(self.parameters_of(symbol), name) or kind()

    def _tape_parameters(self, symbol: str) -> TapeParameters:
        """Return what the tape needs; parts without a detector are measured for the others."""
        parameters = self.parameters_of(symbol)
        return TapeParameters(
            price=parameters.off_market_price or OffMarketPriceParameters(),
            size=parameters.unusual_size or UnusualSizeParameters(),
            burst=parameters.burst or BurstParameters(),
            forest=parameters.isolation_forest,
            auction=parameters.auction_cross,
        )
