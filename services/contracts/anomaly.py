"""An anomaly as the topic `anomalies` carries it: the trade's fields, and these about it."""

import datetime as dt
from enum import StrEnum

import msgspec
import orjson

from services.contracts.iso_time import iso_utc

TRADE_OFFSET = "trade_offset"
"""Header of an anomaly's message: the offset of its trade in the partition of `trades` of that number."""

TAPE_CLOCK = "tape_clock"
"""Header: the partition's tape clock just before the trade that brings the message, ns since 1970. That of
retractions is the clock at the reset."""

BROUGHT_AT = "brought_at"
"""Header: event time of the trade that brings the message, ns since 1970: the anomaly's own, or a later one
of its symbol that raises the revision."""

TRADE_TIME = "trade_time"
"""Header: when the anomaly's trade came into `trades`, by Kafka, in ms since 1970."""

JUDGED_AGAIN = "judged_again"
"""Header, `1` if the trade had been judged before a reset, as of all retractions; missing else."""


class Severity(StrEnum):
    """How urgent an anomaly is; `info` is for the natural and expected, outside any alert budget."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


SEVERITY_COLORS = {
    Severity.INFO: "#8a8f98",
    Severity.LOW: "#6e8eda",
    Severity.MEDIUM: "#a437f3",
    Severity.HIGH: "#f06e10",
    Severity.CRITICAL: "#e71d40",
}
"""From the least urgent to the most."""

SCORE_COLORS = (
    (0.0, "#f2ddc4"),
    (0.55, "#f5b880"),
    (0.65, SEVERITY_COLORS[Severity.HIGH]),
    (0.75, SEVERITY_COLORS[Severity.CRITICAL]),
)
"""Where each color of a score begins, from pale to red; what is flagged has 0.5 and more."""


class Rule(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """What a rulebook says of a trade."""

    reference: float
    """The price that the rule measures from."""
    band: float
    """How far from it a price may be, as a share of it."""
    limit: float
    """The farthest price on the trade's side that is within the band."""
    deadline: str | None = None
    """Until when a review must be requested, ISO 8601 UTC, where the rule has one."""


class DetectionModel(msgspec.Struct, gc=False, frozen=True):
    """Which trained model speaks."""

    name: str
    version: str
    """The first twelve digits of the digest: `tapewatch models show NAME@VERSION`."""
    digest: str
    """SHA-256 of its content."""


class Detection(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """What one detector says of a trade."""

    detector: str
    """Its name, a key of `services.contracts.detectors.DETECTORS`."""
    label: str
    score: float
    """0 to 1, higher is more anomalous; 0.5 is what just reaches the threshold."""
    value: float
    expected: float
    threshold: float
    """Largest value that would not have been flagged; in the detector's unit, as the two before."""
    reason: str
    rule: Rule | None = None
    """Of a detector that applies a rulebook."""
    model: DetectionModel | None = None
    """Of the detector that asks a trained model."""


class Model(msgspec.Struct, gc=False, frozen=True):
    """What found an anomaly."""

    name: str
    version: str
    profile: str
    """`Profile.hash`."""


class Anomaly(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """What is said of an anomalous trade, in the order in which the JSON has it."""

    anomalies: list[str]
    """Labels; the first decides score, severity and message."""
    score: float
    severity: Severity
    message: str
    detections: list[Detection]
    """In the order of the labels."""
    contributions: dict[str, float]
    """Feature to its share in the score; they add up to 1."""
    features: dict[str, float]
    session: str
    """`YYYY-MM-DD`."""
    model: Model
    first_trade: str | None = None
    """`trade_id` of the print that first fired, of an anomaly that can grow; the anomaly's own."""
    last_trade: str | None = None
    """`trade_id` of the last print of its stretch so far."""
    count: int | None = None
    """Prints of its stretch so far."""
    revision: int | None = None
    """From 1, without a gap; the highest one counts."""
    events: list[str] = []
    """Names of the events of the profile's calendar that it falls into."""
    late_s: float | None = None
    """How long before the session's last print its own time was, in seconds, if it came late."""

    @property
    def is_first(self) -> bool:
        """Whether this is the anomaly, not a later revision of it."""
        return self.revision is None or self.revision == 1


def anomaly_json(trade: bytes, anomaly: Anomaly, detected_at: dt.datetime) -> bytes:
    """Write the contract's anomaly: the fields of the trade's JSON, and those about it."""
    fields = orjson.loads(trade) | msgspec.to_builtins(anomaly)
    fields["detected_at"] = iso_utc(detected_at)
    return orjson.dumps(fields)
