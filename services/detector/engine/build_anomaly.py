"""Builds the contract's anomaly from what detectors say of a trade, or of a stretch of trades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from services.contracts.anomaly import Anomaly, Detection, Model, Severity
from services.contracts.detectors import ACTIVITY, DATA_QUALITY, DETECTORS, PATTERN, PRICE, DetectorSpec
from services.detector.detectors.amounts import continued, span_text
from services.detector.detectors.base import Flags

SEVERITIES = (
    (0.75, Severity.CRITICAL),
    (2 / 3, Severity.HIGH),
    (5 / 9, Severity.MEDIUM),
    (0.0, Severity.LOW),
)
"""Lowest score of each severity: evidence of 3, 2 and 5/4 times an alert's."""

LOWEST_SCORES = {severity: lowest for lowest, severity in SEVERITIES}


BESIDE = 0.25
"""A price may be so far beside the way of a fast market, which is one of medians, as a share of it."""


class Claim(NamedTuple):
    """What a detector finds, in numbers."""

    spec: DetectorSpec
    score: float
    value: float
    expected: float
    features: Mapping[str, float]


class Part(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """What one detector says."""

    detection: Detection
    contributions: dict[str, float]
    features: dict[str, float]
    is_running_total: bool
    """Whether it describes a stretch as a whole, not its most striking print."""

    @property
    def spec(self) -> DetectorSpec:
        """Its detector."""
        return DETECTORS[self.detection.detector]

    @property
    def claim(self) -> Claim:
        """What decides whether it is part of what another one says."""
        found = self.detection
        return Claim(self.spec, found.score, found.value, found.expected, self.features)


@dataclass(frozen=True)
class Stretch:
    """What is said of the prints of an anomaly that can grow."""

    first_trade: str
    last_trade: str
    count: int
    seconds: float
    """From its first print to its last, in event time."""
    revision: int


def claim_of(spec: DetectorSpec, flags: Flags, row: int) -> Claim:
    """Return what decides about one row of a detector's flags."""
    score, value, expected = (float(each[row]) for each in (flags.score, flags.value, flags.expected))
    return Claim(spec, score, value, expected, _features_in(flags, row))


def _features_in(flags: Flags, row: int) -> dict[str, float]:
    return {name: float(values[row]) for name, values in flags.features.items()}


def part_of(spec: DetectorSpec, flags: Flags, row: int) -> Part:
    """Return what a detector says in one row of its flags."""
    return Part(
        detection=Detection(
            detector=spec.name,
            label=spec.label,
            score=float(flags.score[row]),
            value=float(flags.value[row]),
            expected=float(flags.expected[row]),
            threshold=float(flags.threshold[row]),
            reason=flags.reasons[row],
            rule=flags.rules[row] if flags.rules else None,
            model=flags.models[row] if flags.models else None,
        ),
        contributions={
            name: float(values[row]) for name, values in flags.contributions.items() if values[row] > 0
        },
        features=_features_in(flags, row),
        is_running_total=flags.is_running_total,
    )


def build_anomaly(
    parts: Sequence[Part],
    session: str,
    model: Model,
    late_s: float | None = None,
    stretch: Stretch | None = None,
) -> Anomaly:
    """Combine what several detectors say.

    The detection with the highest score comes first: it gives the anomaly its score, severity and message. An
    expected event, such as an auction's print, comes before any other, and what another one is part of
    before that one, with the higher of their scores; but a fault of the feed, or a fast market, keeps
    its own, as it explains the others.

    Parameters
    ----------
    parts
        One of each detector, not empty.
    session
        `YYYY-MM-DD`.
    model
        Name, version and profile of the model.
    late_s
        How late the trade is, in seconds, if it is.
    stretch
        Of an anomaly that can grow.
    """
    absorbed = {
        part.detection.label for part in parts for other in parts if is_part_of(part.claim, other.claim)
    }
    ranked = sorted(
        parts,
        key=lambda part: (
            not part.spec.is_expected,
            part.detection.label in absorbed,
            -part.detection.score,
        ),
    )
    leading = ranked[0]
    labels = list(dict.fromkeys(part.detection.label for part in ranked))
    score = leading.detection.score
    if leading.spec.family is not DATA_QUALITY and not leading.spec.explains:
        absorbed_scores = [
            part.detection.score for part in ranked if part.detection.label in leading.spec.absorbs
        ]
        score = max(score, *absorbed_scores, 0.0)
    severity = next(name for lowest, name in SEVERITIES if score >= lowest)
    return Anomaly(
        anomalies=labels,
        score=score,
        severity=Severity.INFO if leading.spec.is_expected else severity,
        message=_sentence(leading, labels[1:], late_s, stretch),
        detections=[part.detection for part in ranked],
        contributions=_shares(ranked),
        features={name: value for part in ranked for name, value in part.features.items()},
        session=session,
        model=model,
        first_trade=stretch.first_trade if stretch else None,
        last_trade=stretch.last_trade if stretch else None,
        count=stretch.count if stretch else None,
        revision=stretch.revision if stretch else None,
        late_s=late_s,
    )


def is_part_of(one: Claim, other: Claim) -> bool:
    """Tell whether what a detector finds is part of what another one does.

    A wrong price, or size, that is far more severe than a pattern around it is not explained by the pattern,
    and what is more severe than a fast market only if it lies on the market's way.
    """
    spec = other.spec
    if one.spec.label not in spec.absorbs:
        return False
    if one.score <= other.score:
        return True
    if spec.explains:
        return one.score < LOWEST_SCORES[Severity.MEDIUM] or _is_on_way(one, other)
    return (
        spec.stands_apart is None
        or one.score < LOWEST_SCORES[spec.stands_apart]
        or one.spec.family is PATTERN
        or abs(one.value - one.expected) < spec.explains_ratio * abs(one.expected)
    )


def _is_on_way(one: Claim, market: Claim) -> bool:
    """Tell whether a price, or a burst's move, is a part of a fast market's way."""
    low, high = market.features["fast_low"], market.features["fast_high"]
    way = high - low
    if one.spec.family is PRICE:
        return low - BESIDE * way <= one.value <= high + BESIDE * way
    return one.spec.family is ACTIVITY and abs(one.features["burst_drift"]) <= 0.5 * way


def _shares(ranked: Sequence[Part]) -> dict[str, float]:
    """Weigh each detector's contributions by its score; they add up to 1."""
    weights = [part.detection.score or 1e-9 for part in ranked]
    shares: dict[str, float] = {}
    for part, weight in zip(ranked, weights, strict=True):
        for name, value in part.contributions.items():
            shares[name] = shares.get(name, 0.0) + value * weight / sum(weights)
    return shares


def _sentence(leading: Part, other_labels: list[str], late_s: float | None, stretch: Stretch | None) -> str:
    reason = leading.detection.reason
    added = []
    if stretch is not None and stretch.count > 1 and not leading.is_running_total:
        added.append(f"{stretch.count:,} such prints within {span_text(stretch.seconds)}")
    if other_labels:
        added.append(f"also {' and '.join(other_labels)}")
    if late_s is not None:
        added.append(f"it came {late_s:,.3g} s late")
    return continued(f"{reason[0].upper()}{reason[1:]}", added)
