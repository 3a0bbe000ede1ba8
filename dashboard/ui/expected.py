"""What an anomaly's detectors compared with: recent prices, usual sizes, and the limits."""

from dataclasses import dataclass
from typing import Any

from services.contracts.detectors import DETECTORS, PRICE_UNIT, SIZE_UNIT

RECENT = 12
"""So many trades before the anomaly the recent prices are drawn: about those that they are of."""


@dataclass(frozen=True)
class Expected:
    """What was expected of a trade, as far as its anomaly says; None of what it does not."""

    low: float | None = None
    high: float | None = None
    """The recent prices that its own was compared with."""
    price_limit: float | None = None
    """The farthest price that would not have been flagged."""
    size: float | None = None
    """The usual size."""
    size_limit: float | None = None
    """The largest size that would not have been flagged."""


def expected_of(anomaly: dict[str, Any]) -> Expected:
    """Return what an anomaly, as it is indexed, says of the expected."""
    features = anomaly.get("features") or {}
    limits: dict[str, float] = {}
    expected: dict[str, float] = {}
    for detection in anomaly.get("detections") or []:
        spec = DETECTORS.get(detection.get("detector"))
        # Rulebooks and patterns in prices measure from elsewhere than the trades just before.
        if spec is None or spec.unit not in (PRICE_UNIT, SIZE_UNIT) or spec.absorbs or spec.is_expected:
            continue
        limits.setdefault(spec.unit, detection.get("threshold"))
        expected.setdefault(spec.unit, detection.get("expected"))
    return Expected(
        features.get("price_low"),
        features.get("price_high"),
        limits.get(PRICE_UNIT),
        features.get("mean_size", expected.get(SIZE_UNIT)),
        limits.get(SIZE_UNIT),
    )
