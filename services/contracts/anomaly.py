"""An anomaly as the topic `anomalies` carries it."""

from enum import StrEnum


class Severity(StrEnum):
    """How urgent an anomaly is; `info` is for the natural and expected, outside any alert budget."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
