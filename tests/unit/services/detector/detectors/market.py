"""A calm generated market to insert single anomalies into, and the detectors that should find them."""

import numpy as np

from services.detector.detectors.activity.burst import BurstParameters
from services.detector.detectors.activity.fast_market import FastMarketParameters
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.walk import FeatureWalk
from services.detector.detectors.multivariate.isolation_forest import IsolationForestParameters
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.price.off_market_price import OffMarketPriceParameters
from services.detector.detectors.scheduled.auction_cross import AuctionCrossParameters
from services.detector.detectors.scheduled.scheduled_burst import ScheduledBurstParameters
from services.detector.detectors.size.unusual_size import UnusualSizeParameters
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES, Batch, SessionKey

OPEN_NS = 1_733_149_800_000_000_000
CLOSE_NS = OPEN_NS + 6 * 3600 * 1_000_000_000 + 1800 * 1_000_000_000
NVDA = SessionKey("NVDA", "2024-12-02")
PARAMETERS: dict[str, Parameters] = {
    "off_market_price": OffMarketPriceParameters(),
    "unusual_size": UnusualSizeParameters(),
    "burst": BurstParameters(),
    "fast_market": FastMarketParameters(),
    "isolation_forest": IsolationForestParameters(refit_trades=200, window_trades=400, trees=10),
    "auction_cross": AuctionCrossParameters(),
    "scheduled_burst": ScheduledBurstParameters(),
}


def market(count: int = 3_000, seed: int = 1, slot: int = 0) -> Batch:
    """Return trades about a second apart whose price bounces between two slowly moving ticks."""
    generator = np.random.default_rng(seed)
    side = generator.choice([SIDE_CODES["A"], SIDE_CODES["B"]], count)
    middle = 10_000 + np.cumsum(generator.choice([-1, 0, 0, 0, 0, 0, 0, 0, 1], count))
    return Batch(
        slot=np.full(count, slot, np.int64),
        event_ns=OPEN_NS
        + 3_600_000_000_000
        + np.cumsum(generator.exponential(1e9, count).astype(np.int64) + 1),
        price=(middle + (side == SIDE_CODES["B"])) / 100.0,
        size=np.floor(np.maximum(generator.lognormal(4, 1, count), 1)),
        side=side.astype(np.int64),
        eligible=np.full(count, FULLY_ELIGIBLE),
    )


def context() -> DetectorContext:
    """Return the context of detectors that know NVDA's auctions."""
    return DetectorContext(lambda _symbol: PARAMETERS, lambda _day: (OPEN_NS, CLOSE_NS), FeatureWalk)


def walk() -> FeatureWalk:
    """Return a new walk."""
    return FeatureWalk(context())
