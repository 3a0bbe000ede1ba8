"""What the detectors say of a batch, put together into the contract's anomalies."""

from typing import Any

from services.contracts.anomaly import Severity
from services.contracts.labels import Label
from services.detector.detectors.base import Detector, Flags

SEVERITIES = (
    (0.75, Severity.CRITICAL),
    (2 / 3, Severity.HIGH),
    (5 / 9, Severity.MEDIUM),
    (0.0, Severity.LOW),
)
"""Lowest score of each severity: evidence of three times, twice, and five quarters of an alert's."""

_Detection = tuple[Detector, Flags, int]


def combine(flags: list[tuple[Detector, Flags]]) -> list[tuple[int, dict[str, Any]]]:
    """Put together what the detectors say of each flagged trade.

    The detection with the highest score leads: it gives the anomaly its score, severity and sentence. An
    auction's print is an auction's print, whatever else is said of it.

    Returns
    -------
    list
        Place in the batch and the contract's fields about the trade, by place.
    """
    detections: dict[int, list[_Detection]] = {}
    for detector, flagged in flags:
        for row, at in enumerate(flagged.at.tolist()):
            detections.setdefault(at, []).append((detector, flagged, row))
    return [(at, _fields(detections[at])) for at in sorted(detections)]


def _fields(found: list[_Detection]) -> dict[str, Any]:
    ranked = sorted(found, key=lambda one: (one[0].label != Label.AUCTION_CROSS, -one[1].score[one[2]]))
    leading, flagged, row = ranked[0]
    score = float(flagged.score[row])
    severity = next(name for lowest, name in SEVERITIES if score >= lowest)
    return {
        "anomalies": [str(detector.label) for detector, _, _ in ranked],
        "score": score,
        "severity": str(Severity.INFO if leading.label == Label.AUCTION_CROSS else severity),
        "message": _sentence(flagged.reasons[row], [str(detector.label) for detector, _, _ in ranked[1:]]),
        "detections": [
            {
                "detector": detector.name,
                "label": str(detector.label),
                "score": float(flags.score[at]),
                "value": float(flags.value[at]),
                "expected": float(flags.expected[at]),
                "threshold": float(flags.threshold[at]),
                "reason": flags.reasons[at],
            }
            for detector, flags, at in ranked
        ],
        "contributions": _shares(ranked),
        "features": {
            name: float(values[at]) for _, flags, at in ranked for name, values in flags.features.items()
        },
    }


def _shares(ranked: list[_Detection]) -> dict[str, float]:
    """Weigh each detector's contributions by its score; they add up to 1."""
    weights = [float(flags.score[at]) or 1e-9 for _, flags, at in ranked]
    shares: dict[str, float] = {}
    for (_, flags, at), weight in zip(ranked, weights, strict=True):
        for name, values in flags.contributions.items():
            if values[at] > 0:
                shares[name] = shares.get(name, 0.0) + float(values[at]) * weight / sum(weights)
    return shares


def _sentence(reason: str, other_labels: list[str]) -> str:
    also = f"; also {' and '.join(other_labels)}" if other_labels else ""
    return f"{reason[0].upper()}{reason[1:]}{also}."
