"""Combines the detectors' flags of a batch into the contract's anomalies."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from services.contracts.anomaly import Anomaly, Detection, Model, Severity
from services.contracts.detectors import DETECTORS, DetectorSpec
from services.detector.detectors.base import Flags

SEVERITIES = (
    (0.75, Severity.CRITICAL),
    (2 / 3, Severity.HIGH),
    (5 / 9, Severity.MEDIUM),
    (0.0, Severity.LOW),
)
"""Lowest score of each severity: evidence of 3, 2 and 5/4 times an alert's."""

_Detection = tuple[DetectorSpec, Flags, int]


class Found(NamedTuple):
    """An anomaly, with the place of its trade in the batch."""

    at: int
    anomaly: Anomaly


def combine(
    flags: Mapping[str, Flags],
    session_at: Callable[[int], str],
    model: Model,
    late_s: np.ndarray | None = None,
) -> list[Found]:
    """Combine the detections of each flagged trade.

    The detection with the highest score comes first: it gives the anomaly its score, severity and message.
    An expected event, such as an auction's print, comes before any other detection.

    Parameters
    ----------
    flags
        Flags of each detector, by name.
    session_at
        Gives the session, `YYYY-MM-DD`, of the trade at a place in the batch.
    model
        Name, version and profile of the model.
    late_s
        How late each trade is, in seconds, shape (n,), if they are late ones.

    Returns
    -------
    list
        By place.
    """
    detections: dict[int, list[_Detection]] = {}
    for name, flagged in flags.items():
        for row, at in enumerate(flagged.at.tolist()):
            detections.setdefault(at, []).append((DETECTORS[name], flagged, row))
    return [
        Found(
            at,
            _anomaly(detections[at], session_at(at), model, None if late_s is None else float(late_s[at])),
        )
        for at in sorted(detections)
    ]


def _anomaly(found: list[_Detection], session: str, model: Model, late_s: float | None) -> Anomaly:
    ranked = sorted(found, key=lambda one: (not one[0].is_expected, -one[1].score[one[2]]))
    leading, flagged, row = ranked[0]
    labels = [spec.label for spec, _, _ in ranked]
    score = float(flagged.score[row])
    severity = next(name for lowest, name in SEVERITIES if score >= lowest)
    return Anomaly(
        anomalies=labels,
        score=score,
        severity=Severity.INFO if leading.is_expected else severity,
        message=_sentence(flagged.reasons[row], labels[1:], late_s),
        detections=[
            Detection(
                detector=spec.name,
                label=spec.label,
                score=float(flags.score[at]),
                value=float(flags.value[at]),
                expected=float(flags.expected[at]),
                threshold=float(flags.threshold[at]),
                reason=flags.reasons[at],
            )
            for spec, flags, at in ranked
        ],
        contributions=_shares(ranked),
        features={
            name: float(values[at]) for _, flags, at in ranked for name, values in flags.features.items()
        },
        session=session,
        model=model,
        late_s=late_s,
    )


def _shares(ranked: list[_Detection]) -> dict[str, float]:
    """Weigh each detector's contributions by its score; they add up to 1."""
    weights = [float(flags.score[at]) or 1e-9 for _, flags, at in ranked]
    shares: dict[str, float] = {}
    for (_, flags, at), weight in zip(ranked, weights, strict=True):
        for name, values in flags.contributions.items():
            if values[at] > 0:
                shares[name] = shares.get(name, 0.0) + float(values[at]) * weight / sum(weights)
    return shares


def _sentence(reason: str, other_labels: list[str], late_s: float | None) -> str:
    late = "" if late_s is None else f"; it came {late_s:,.3g} s late"
    also = f"; also {' and '.join(other_labels)}" if other_labels else ""
    return f"{reason[0].upper()}{reason[1:]}{also}{late}."
