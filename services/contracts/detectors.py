"""The detectors: how each is named and shown, and where its code is; the registry of all of them.

A new detector is a file and an entry here. Its code is loaded only when a profile names it.
"""

from dataclasses import dataclass


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
    is_expected
        Whether its anomalies are natural and expected: they have severity `info`, and its label comes first.
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
    is_expected: bool = False

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


_CODE = "services.detector.detectors"

DETECTORS: dict[str, DetectorSpec] = {
    spec.name: spec
    for spec in (
        DetectorSpec(
            name="auction_cross",
            label="Auction Cross",
            family=SCHEDULED,
            unit="in shares",
            code=f"{_CODE}.scheduled.auction_cross:AuctionCross",
            is_expected=True,
        ),
        DetectorSpec(
            name="off_market_price",
            label="Off-Market Price",
            family=PRICE,
            unit="price per share",
            code=f"{_CODE}.price.off_market_price:OffMarketPrice",
            short_title="price",
            has_alert_rarity=True,
        ),
        DetectorSpec(
            name="unusual_size",
            label="Unusual Size",
            family=SIZE,
            unit="in shares",
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
            name="high_volume",
            label="High Volume",
            family=SIZE,
            unit="in shares",
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
