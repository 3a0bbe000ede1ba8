"""An anomaly as the topic `anomalies` carries it: the trade's fields, and these about it."""

import datetime as dt
from enum import StrEnum

import msgspec
import orjson

TRADE_OFFSET = "trade_offset"
"""Header of an anomaly's message: the offset of its trade in the partition of `trades` of that number."""


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
    Severity.HIGH: "#fb720c",
    Severity.CRITICAL: "#e71d40",
}
"""From the least urgent to the most."""


class Detection(msgspec.Struct, gc=False, frozen=True):
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
    late_s: float | None = None
    """How long before the session's last print its own time was, in seconds, if it came late."""


def anomaly_json(trade: bytes, anomaly: Anomaly, detected_at: dt.datetime) -> bytes:
    """Write the contract's anomaly: the fields of the trade's JSON, and those about it."""
    fields = orjson.loads(trade) | msgspec.to_builtins(anomaly)
    fields["detected_at"] = (
        detected_at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )
    return orjson.dumps(fields)
