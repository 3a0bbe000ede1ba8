"""Every plant, by detector; a new detector's is one file and one line here."""

from services.detector.selftest.plant import Plant
from services.detector.selftest.plants.activity.burst import BurstPlant
from services.detector.selftest.plants.activity.fast_market import FastMarketPlant
from services.detector.selftest.plants.data_quality.clock_ahead import ClockAheadPlant
from services.detector.selftest.plants.data_quality.column_change import ColumnChangePlant
from services.detector.selftest.plants.data_quality.late_arrival import LateArrivalPlant
from services.detector.selftest.plants.data_quality.late_print import LatePrintPlant
from services.detector.selftest.plants.data_quality.level_shift import LevelShiftPlant
from services.detector.selftest.plants.data_quality.mixed_prices import MixedPricesPlant
from services.detector.selftest.plants.data_quality.repeated_feed import RepeatedFeedPlant
from services.detector.selftest.plants.data_quality.silence import SilencePlant
from services.detector.selftest.plants.data_quality.stuck_clock import StuckClockPlant
from services.detector.selftest.plants.data_quality.stuck_price import StuckPricePlant
from services.detector.selftest.plants.multivariate.isolation_forest import IsolationForestPlant
from services.detector.selftest.plants.multivariate.trained_model import TrainedModelPlant
from services.detector.selftest.plants.patterns.marking_the_close import MarkingTheClosePlant
from services.detector.selftest.plants.patterns.matched_pairs import MatchedPairsPlant
from services.detector.selftest.plants.patterns.odd_lot_flood import OddLotFloodPlant
from services.detector.selftest.plants.patterns.one_sided_flow import OneSidedFlowPlant
from services.detector.selftest.plants.patterns.price_ramp import PriceRampPlant
from services.detector.selftest.plants.patterns.print_storm import PrintStormPlant
from services.detector.selftest.plants.patterns.volume_surge import VolumeSurgePlant
from services.detector.selftest.plants.price.level_z_score import LevelZScorePlant
from services.detector.selftest.plants.price.off_market_price import OffMarketPricePlant
from services.detector.selftest.plants.price.price_history_forest import PriceHistoryForestPlant
from services.detector.selftest.plants.price.rapid_price_change import RapidPriceChangePlant
from services.detector.selftest.plants.price.z_score import ZScorePlant
from services.detector.selftest.plants.rulebook.clearly_erroneous import ClearlyErroneousPlant
from services.detector.selftest.plants.rulebook.luld_band import LuldBandPlant
from services.detector.selftest.plants.scheduled.auction_cross import AuctionCrossPlant
from services.detector.selftest.plants.scheduled.round_number_fill import RoundNumberFillPlant
from services.detector.selftest.plants.scheduled.scheduled_burst import ScheduledBurstPlant
from services.detector.selftest.plants.size.high_volume import HighVolumePlant
from services.detector.selftest.plants.size.unusual_size import UnusualSizePlant

PLANTS: dict[str, Plant] = {
    plant.detector: plant
    for plant in (
        BurstPlant(),
        FastMarketPlant(),
        ClockAheadPlant(),
        ColumnChangePlant(),
        LateArrivalPlant(),
        LatePrintPlant(),
        LevelShiftPlant(),
        MixedPricesPlant(),
        RepeatedFeedPlant(),
        SilencePlant(),
        StuckClockPlant(),
        StuckPricePlant(),
        IsolationForestPlant(),
        TrainedModelPlant(),
        MarkingTheClosePlant(),
        MatchedPairsPlant(),
        OddLotFloodPlant(),
        OneSidedFlowPlant(),
        PriceRampPlant(),
        PrintStormPlant(),
        VolumeSurgePlant(),
        LevelZScorePlant(),
        OffMarketPricePlant(),
        PriceHistoryForestPlant(),
        RapidPriceChangePlant(),
        ZScorePlant(),
        ClearlyErroneousPlant(),
        LuldBandPlant(),
        AuctionCrossPlant(),
        RoundNumberFillPlant(),
        ScheduledBurstPlant(),
        HighVolumePlant(),
        UnusualSizePlant(),
    )
}
"""By the detector's name."""
