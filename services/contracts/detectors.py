"""The detectors: how each is named and shown, and where its code is; the registry of all of them.

A new detector is a file and an entry here. Its code is loaded only when a profile names it.
"""

from dataclasses import dataclass

from services.contracts.anomaly import Severity


@dataclass(frozen=True)
class Family:
    """A family of detectors that judge the same property of trades.

    Parameters
    ----------
    title
        The property, for display.
    color
        Colour of their anomalies where it tells labels apart, `#rrggbb`.
    shape
        Shape of their anomalies' markers; one that the dashboard can draw.
    terminal_style
        The style in a terminal, in Rich's notation.
    """

    title: str
    color: str
    shape: str
    terminal_style: str


PRICE = Family("Price", "#e71d40", "triangle-down", "red")
SIZE = Family("Size", "#3f7fd8", "triangle-right", "magenta")
ACTIVITY = Family("Activity", "#fb8c0c", "cross", "yellow")
PATTERN = Family("Pattern", "#9c4fd6", "star", "cyan")
DATA_QUALITY = Family("Data quality", "#5a8f29", "hexagon", "bright_green")
SCHEDULED = Family("Scheduled", "#8a8f98", "triangle-left", "dim")
RULEBOOK = Family("Rulebook", "#a65628", "saltire", "bright_yellow")
MULTIVARIATE = Family("Multivariate", "#0f9d8a", "circle", "blue")

FAMILIES = (PRICE, SIZE, ACTIVITY, PATTERN, DATA_QUALITY, SCHEDULED, RULEBOOK, MULTIVARIATE)
"""All families, in the order in which their labels are listed."""


@dataclass(frozen=True)
class DetectorSpec:
    """One detector.

    Parameters
    ----------
    name
        Its key in a profile's `detectors`, and `detections[].detector` of an anomaly.
    label
        Label of its anomalies, a value of `anomalies`. Detectors of the same kind of anomaly may share it.
    family
        The family it belongs to.
    unit
        Unit of the value, the expected value and the threshold of its detections, for display.
    code
        Its class, as `module:class`.
    title
        Title where the label would not distinguish it from other detectors; the label by default.
    short_title
        Title for the heading of a narrow column; the title by default.
    color, shape, terminal_style
        Its own color, shape and style; its family's by default.
    has_alert_rarity
        Whether it has the parameter `alert_rarity`: how rare a flagged trade is; `tapewatch tune` sets it.
    absorbs
        Labels that are part of what it finds: while an anomaly of it and one of them would stand side by
        side, they are one anomaly, with its label first.
    stands_apart
        The severity from which what is more severe than it, and no pattern, is not part of it; None for none.
    explains_ratio
        A price so far from the expected one, as a share of it, is part of it whatever its severity.
    is_expected
        Whether its anomalies are natural and expected: they have severity `info`, and its label comes first.
    explains
        Whether it explains what it absorbs, prices on its way and bursts, so that the anomaly has its score,
        not the highest.
    """

    name: str
    label: str
    family: Family
    unit: str
    code: str
    title: str = ""
    short_title: str = ""
    color: str = ""
    shape: str = ""
    terminal_style: str = ""
    has_alert_rarity: bool = False
    absorbs: frozenset[str] = frozenset()
    stands_apart: Severity | None = Severity.HIGH
    explains_ratio: float = 0.0
    is_expected: bool = False
    explains: bool = False

    def __post_init__(self) -> None:
        for name, usual in (
            ("title", self.label),
            ("color", self.family.color),
            ("shape", self.family.shape),
            ("terminal_style", self.family.terminal_style),
        ):
            if not getattr(self, name):
                object.__setattr__(self, name, usual)
        if not self.short_title:
            object.__setattr__(self, "short_title", self.title)


PRICE_UNIT = "price per share"
SIZE_UNIT = "in shares"
"""Units in which a value and its expected one can be told apart by a share of the latter."""

REOPENS_WITHIN = 0.1
"""Where nothing was heard of a price for minutes, it comes back within this share, if it is right."""

_CODE = "services.detector.detectors"

DETECTORS: dict[str, DetectorSpec] = {
    spec.name: spec
    for spec in (
        DetectorSpec(
            name="auction_cross",
            label="Auction Cross",
            family=SCHEDULED,
            unit=SIZE_UNIT,
            code=f"{_CODE}.scheduled.auction_cross:AuctionCross",
            is_expected=True,
        ),
        DetectorSpec(
            name="scheduled_burst",
            label="Scheduled Burst",
            family=SCHEDULED,
            unit="burst intensity; 0 means no burst",
            code=f"{_CODE}.scheduled.scheduled_burst:ScheduledBurst",
            is_expected=True,
        ),
        DetectorSpec(
            name="off_market_price",
            label="Off-Market Price",
            family=PRICE,
            unit=PRICE_UNIT,
            code=f"{_CODE}.price.off_market_price:OffMarketPrice",
            short_title="price",
            has_alert_rarity=True,
        ),
        DetectorSpec(
            name="unusual_size",
            label="Unusual Size",
            family=SIZE,
            unit=SIZE_UNIT,
            code=f"{_CODE}.size.unusual_size:UnusualSize",
            short_title="size",
            has_alert_rarity=True,
        ),
        DetectorSpec(
            name="burst",
            label="Burst",
            family=ACTIVITY,
            unit="burst intensity; 0 means no burst",
            code=f"{_CODE}.activity.burst:Burst",
            short_title="burst",
            has_alert_rarity=True,
        ),
        DetectorSpec(
            name="fast_market",
            label="Fast Market",
            family=ACTIVITY,
            unit=PRICE_UNIT,
            code=f"{_CODE}.activity.fast_market:FastMarket",
            shape="diamond",
            absorbs=frozenset(
                {
                    "Off-Market Price",
                    "Burst",
                    "Unusual Size",
                    "Volume Surge",
                    "One-Sided Flow",
                    "Isolation Forest Anomaly",
                }
            ),
            explains=True,
        ),
        DetectorSpec(
            name="isolation_forest",
            label="Isolation Forest Anomaly",
            family=MULTIVARIATE,
            unit="isolation, 0 to 1",
            code=f"{_CODE}.multivariate.isolation_forest:IsolationForest",
            title="Isolation Forest",
            short_title="forest",
            has_alert_rarity=True,
        ),
        DetectorSpec(
            name="round_number_fill",
            label="Round-Number Fill",
            family=SCHEDULED,
            unit="equal prints",
            code=f"{_CODE}.patterns.print_storm:RoundNumberFill",
            is_expected=True,
        ),
        DetectorSpec(
            name="print_storm",
            label="Print Storm",
            family=PATTERN,
            unit="equal prints",
            code=f"{_CODE}.patterns.print_storm:PrintStorm",
            absorbs=frozenset({"Burst", "Unusual Size", "Column Change", "Isolation Forest Anomaly"}),
        ),
        DetectorSpec(
            name="odd_lot_flood",
            label="Odd-Lot Flood",
            family=PATTERN,
            unit="small prints a second",
            code=f"{_CODE}.patterns.odd_lot_flood:OddLotFlood",
            absorbs=frozenset(
                {
                    "Print Storm",
                    "Matched Pairs",
                    "Burst",
                    "Unusual Size",
                    "Off-Market Price",
                    "Isolation Forest Anomaly",
                }
            ),
        ),
        DetectorSpec(
            name="volume_surge",
            label="Volume Surge",
            family=PATTERN,
            unit="in usual volumes",
            code=f"{_CODE}.patterns.volume_surge:VolumeSurge",
            absorbs=frozenset({"Burst", "Unusual Size", "Off-Market Price", "Isolation Forest Anomaly"}),
        ),
        DetectorSpec(
            name="one_sided_flow",
            label="One-Sided Flow",
            family=PATTERN,
            unit="lead of one side, 0 to 1",
            code=f"{_CODE}.patterns.one_sided_flow:OneSidedFlow",
            absorbs=frozenset({"Burst", "Unusual Size", "Off-Market Price", "Isolation Forest Anomaly"}),
        ),
        DetectorSpec(
            name="price_ramp",
            label="Price Ramp",
            family=PATTERN,
            unit="in usual moves of so many prints",
            code=f"{_CODE}.patterns.price_ramp:PriceRamp",
            absorbs=frozenset(
                {
                    "Fast Market",
                    "Column Change",
                    "Off-Market Price",
                    "Burst",
                    "Unusual Size",
                    "One-Sided Flow",
                    "Isolation Forest Anomaly",
                }
            ),
        ),
        DetectorSpec(
            name="marking_the_close",
            label="Marking the Close",
            family=PATTERN,
            unit="price per share",
            code=f"{_CODE}.patterns.marking_the_close:MarkingTheClose",
            absorbs=frozenset(
                {"Fast Market", "Off-Market Price", "Burst", "Unusual Size", "Isolation Forest Anomaly"}
            ),
            stands_apart=None,
        ),
        DetectorSpec(
            name="matched_pairs",
            label="Matched Pairs",
            family=PATTERN,
            unit="turns of the side",
            code=f"{_CODE}.patterns.matched_pairs:MatchedPairs",
            absorbs=frozenset(
                {"Off-Market Price", "Unusual Size", "Column Change", "Isolation Forest Anomaly"}
            ),
        ),
        DetectorSpec(
            name="high_volume",
            label="High Volume",
            family=SIZE,
            unit=SIZE_UNIT,
            code=f"{_CODE}.size.high_volume:HighVolume",
            color="#6a51c9",
            shape="triangle-up",
        ),
        DetectorSpec(
            name="rapid_price_change",
            label="Rapid Price Change",
            family=PRICE,
            unit="as a share of the price before",
            code=f"{_CODE}.price.rapid_price_change:RapidPriceChange",
            color="#b5428e",
            shape="diamond",
        ),
        DetectorSpec(
            name="z_score",
            label="Z-Score",
            family=PRICE,
            unit="in standard deviations",
            code=f"{_CODE}.price.z_score:ZScore",
            color="#8c6d31",
            shape="square",
            terminal_style="green",
        ),
        DetectorSpec(
            name="price_history_forest",
            label="Isolation Forest Anomaly",
            family=MULTIVARIATE,
            unit="isolation, 0 to 1",
            code=f"{_CODE}.price.price_history_forest:PriceHistoryForest",
            title="Isolation Forest on the price history",
        ),
        DetectorSpec(
            name="luld_band",
            label="Would-Be LULD Band",
            family=RULEBOOK,
            unit=PRICE_UNIT,
            code=f"{_CODE}.rulebook.luld_band:LuldBandDetector",
        ),
        DetectorSpec(
            name="clearly_erroneous",
            label="Would-Be Clearly Erroneous",
            family=RULEBOOK,
            unit=PRICE_UNIT,
            code=f"{_CODE}.rulebook.clearly_erroneous:ClearlyErroneousDetector",
            color="#c49a6c",
        ),
        DetectorSpec(
            name="clock_ahead",
            label="Clock Ahead",
            family=DATA_QUALITY,
            unit="in seconds",
            code=f"{_CODE}.data_quality.clock_ahead:ClockAhead",
            absorbs=frozenset({"Silence", "Off-Market Price", "Late Arrival"}),
            stands_apart=None,
        ),
        DetectorSpec(
            name="silence",
            label="Silence",
            family=DATA_QUALITY,
            unit="in seconds",
            code=f"{_CODE}.data_quality.silence:Silence",
            absorbs=frozenset({"Off-Market Price", "Unusual Size"}),
            explains_ratio=REOPENS_WITHIN,
        ),
        DetectorSpec(
            name="stuck_clock",
            label="Stuck Clock",
            family=DATA_QUALITY,
            unit="turns at one time stamp",
            code=f"{_CODE}.data_quality.stuck_clock:StuckClock",
            absorbs=frozenset({"Silence", "Off-Market Price", "Late Arrival", "Burst"}),
            stands_apart=None,
        ),
        DetectorSpec(
            name="stuck_price",
            label="Stuck Price",
            family=DATA_QUALITY,
            unit="in seconds",
            code=f"{_CODE}.data_quality.stuck_price:StuckPrice",
            absorbs=frozenset({"Off-Market Price"}),
            explains_ratio=REOPENS_WITHIN,
        ),
        DetectorSpec(
            name="level_shift",
            label="Level Shift",
            family=DATA_QUALITY,
            unit="price per share",
            code=f"{_CODE}.data_quality.level_shift:LevelShift",
            absorbs=frozenset({"Stuck Price", "Off-Market Price", "Burst", "Column Change"}),
            stands_apart=None,
        ),
        DetectorSpec(
            name="mixed_prices",
            label="Mixed Prices",
            family=DATA_QUALITY,
            unit="price per share",
            code=f"{_CODE}.data_quality.mixed_prices:MixedPrices",
            absorbs=frozenset({"Level Shift", "Off-Market Price", "Burst", "Column Change"}),
            stands_apart=None,
        ),
        DetectorSpec(
            name="repeated_feed",
            label="Repeated Feed",
            family=DATA_QUALITY,
            unit="share of prints that come in pairs",
            code=f"{_CODE}.data_quality.repeated_feed:RepeatedFeed",
        ),
        DetectorSpec(
            name="late_print",
            label="Late Print",
            family=DATA_QUALITY,
            unit="price per share",
            code=f"{_CODE}.data_quality.late_print:LatePrint",
            absorbs=frozenset({"Off-Market Price"}),
            stands_apart=None,
        ),
        DetectorSpec(
            name="late_arrival",
            label="Late Arrival",
            family=DATA_QUALITY,
            unit="in seconds",
            code=f"{_CODE}.data_quality.late_arrival:LateArrival",
            absorbs=frozenset({"Column Change"}),
        ),
        DetectorSpec(
            name="column_change",
            label="Column Change",
            family=DATA_QUALITY,
            unit="share of prints",
            code=f"{_CODE}.data_quality.column_change:ColumnChange",
            absorbs=frozenset(
                {
                    "Off-Market Price",
                    "Unusual Size",
                    "Burst",
                    "Odd-Lot Flood",
                    "Volume Surge",
                    "One-Sided Flow",
                    "Repeated Feed",
                    "Stuck Clock",
                    "Stuck Price",
                }
            ),
        ),
        DetectorSpec(
            name="level_z_score",
            label="Z-Score",
            family=PRICE,
            unit="in standard deviations",
            code=f"{_CODE}.price.level_z_score:LevelZScore",
            title="Z-Score on levels",
            color="#8c6d31",
            shape="square",
            terminal_style="green",
        ),
        DetectorSpec(
            name="trained_model",
            label="Trained Model Anomaly",
            family=MULTIVARIATE,
            unit="raw output of the model",
            code=f"{_CODE}.multivariate.trained_model:TrainedModelDetector",
            title="Trained Model",
            short_title="model",
            color="#b5528c",
        ),
    )
}
"""By name, in the order in which they run: of equal scores the first leads; a profile's hash rests on it."""


def by_label() -> dict[str, DetectorSpec]:
    """Return each label with the first of its detectors, family by family."""
    specs: dict[str, DetectorSpec] = {}
    for spec in sorted(DETECTORS.values(), key=lambda spec: FAMILIES.index(spec.family)):
        specs.setdefault(spec.label, spec)
    return specs


LABELS = tuple(by_label())
"""Every label, family by family."""
