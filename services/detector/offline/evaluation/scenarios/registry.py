"""All kinds of events; a new one is a file and a line here, and its ranges in `styles.yaml`."""

from services.detector.offline.evaluation.scenarios.base import Scenario
from services.detector.offline.evaluation.scenarios.bursts.burst import Burst
from services.detector.offline.evaluation.scenarios.data_quality.clock_ahead import ClockAhead
from services.detector.offline.evaluation.scenarios.data_quality.column_change import ColumnChange
from services.detector.offline.evaluation.scenarios.data_quality.double_feed import DoubleFeed
from services.detector.offline.evaluation.scenarios.data_quality.late_arrival import LateArrival
from services.detector.offline.evaluation.scenarios.data_quality.level_shift import LevelShift, Split
from services.detector.offline.evaluation.scenarios.data_quality.mixed_prices import MixedPrices
from services.detector.offline.evaluation.scenarios.data_quality.silence import Silence, SilenceThenJump
from services.detector.offline.evaluation.scenarios.data_quality.stuck_clock import StuckClock
from services.detector.offline.evaluation.scenarios.data_quality.stuck_price import StuckPrice
from services.detector.offline.evaluation.scenarios.natural.block import Block
from services.detector.offline.evaluation.scenarios.natural.busy import EarningsGap, NewsMinute, Opening
from services.detector.offline.evaluation.scenarios.natural.halt import Halt
from services.detector.offline.evaluation.scenarios.natural.programs import OddLotHalfMinute, TwapProgram
from services.detector.offline.evaluation.scenarios.natural.rebalance import Rebalance
from services.detector.offline.evaluation.scenarios.natural.round_number_fill import RoundNumberFill
from services.detector.offline.evaluation.scenarios.natural.sweep import NaturalSweep
from services.detector.offline.evaluation.scenarios.patterns.marking_the_close import MarkingTheClose
from services.detector.offline.evaluation.scenarios.patterns.matched_pairs import MatchedPairs
from services.detector.offline.evaluation.scenarios.patterns.odd_lot_flood import OddLotFlood
from services.detector.offline.evaluation.scenarios.patterns.one_sided_flow import OneSidedFlow
from services.detector.offline.evaluation.scenarios.patterns.price_ramp import PriceRamp
from services.detector.offline.evaluation.scenarios.patterns.print_storm import PrintStorm
from services.detector.offline.evaluation.scenarios.patterns.volume_surge import (
    VolumeSurgeByCount,
    VolumeSurgeBySize,
)
from services.detector.offline.evaluation.scenarios.single.average_price_echo import AveragePriceEcho
from services.detector.offline.evaluation.scenarios.single.columns_swapped import ColumnsSwapped
from services.detector.offline.evaluation.scenarios.single.cross_price import (
    ClosingCrossPrice,
    OpeningCrossPrice,
)
from services.detector.offline.evaluation.scenarios.single.decimal_shift import DecimalShift
from services.detector.offline.evaluation.scenarios.single.first_print_bad import FirstPrintBad
from services.detector.offline.evaluation.scenarios.single.impossible_price import ImpossiblePrice
from services.detector.offline.evaluation.scenarios.single.late_off_market import LateOffMarket
from services.detector.offline.evaluation.scenarios.single.pre_market_error import PreMarketError
from services.detector.offline.evaluation.scenarios.single.swapped import CentsSwapped, DigitsSwapped

_ALL: tuple[Scenario, ...] = (
    # single prints
    DecimalShift(),
    DigitsSwapped(),
    CentsSwapped(),
    ColumnsSwapped(),
    ImpossiblePrice(),
    PreMarketError(),
    LateOffMarket(),
    FirstPrintBad(),
    OpeningCrossPrice(),
    ClosingCrossPrice(),
    AveragePriceEcho(),
    # bursts
    Burst(),
    # patterns
    PrintStorm(),
    MatchedPairs(),
    OddLotFlood(),
    VolumeSurgeBySize(),
    VolumeSurgeByCount(),
    OneSidedFlow(),
    PriceRamp(),
    MarkingTheClose(),
    # data quality
    Silence(),
    SilenceThenJump(),
    StuckClock(),
    StuckPrice(),
    DoubleFeed(),
    ClockAhead(),
    LateArrival(),
    MixedPrices(),
    LevelShift(),
    Split(),
    ColumnChange(),
    # natural: they have to stay quiet
    Block(),
    NaturalSweep(),
    RoundNumberFill(),
    NewsMinute(),
    Opening(),
    TwapProgram(),
    OddLotHalfMinute(),
    Halt(),
    Rebalance(),
    EarningsGap(),
)

SCENARIOS = {scenario.name: scenario for scenario in _ALL}
"""By name, in the order of the report."""
