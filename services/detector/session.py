"""One symbol's trading day: its detectors, its order, and the anomalies they agree on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.common.contracts import Severity
from services.detector.detectors.base import Detector, Flags
from services.detector.detectors.high_volume import HighVolume
from services.detector.detectors.isolation_forest import IsolationForest
from services.detector.detectors.rapid_price_change import RapidPriceChange
from services.detector.profile import Detectors
from services.detector.ticks import Ticks

SEVERITIES = ((0.9, Severity.CRITICAL), (0.75, Severity.HIGH), (0.6, Severity.MEDIUM), (0.0, Severity.LOW))
"""Lowest score of each severity."""


@dataclass(frozen=True)
class Finding:
    """An anomalous trade: its place in the batch, and the contract's fields about it."""

    at: int
    fields: dict[str, Any]


class Session:
    """The state of one symbol's session; see docs on determinism in the README of the detector.

    Parameters
    ----------
    symbol
        The symbol.
    day
        The trading day, `YYYY-MM-DD`.
    parameters
        Which detectors run, and how.
    """

    def __init__(self, symbol: str, day: str, parameters: Detectors) -> None:
        self.day = day
        self._last = (-1, -1)  # event time in ns and sequence of the newest trade
        self._detectors: list[Detector] = []
        if parameters.high_volume:
            self._detectors.append(HighVolume(**parameters.high_volume.model_dump()))
        if parameters.rapid_price_change:
            self._detectors.append(RapidPriceChange(**parameters.rapid_price_change.model_dump()))
        if parameters.isolation_forest:
            self._detectors.append(IsolationForest(symbol, day, **parameters.isolation_forest.model_dump()))

    def detect(self, ticks: Ticks, sequence: np.ndarray) -> tuple[list[Finding], int]:
        """Judge the next trades of the session.

        Parameters
        ----------
        ticks
            n trades as they came.
        sequence
            The venue's numbers, int64, shape (n,).

        Returns
        -------
        tuple
            The findings in order, and how many trades were late or repeated and so not judged.
        """
        fresh = self._fresh(ticks.event_ns, sequence)
        if len(fresh) == 0:
            return [], len(ticks)
        ticks_in_order = ticks if len(fresh) == len(ticks) else ticks[fresh]
        flags = [(detector, detector.flag(ticks_in_order)) for detector in self._detectors]
        findings = [
            Finding(int(fresh[at]), {**fields, "session": self.day}) for at, fields in _combine(flags)
        ]
        return findings, len(ticks) - len(fresh)

    def _fresh(self, event_ns: np.ndarray, sequence: np.ndarray) -> np.ndarray:
        """Return the places of the trades that come after all before them by (time, sequence)."""
        after = np.empty(len(event_ns), bool)
        after[0] = (int(event_ns[0]), int(sequence[0])) > self._last
        after[1:] = (event_ns[1:] > event_ns[:-1]) | (
            (event_ns[1:] == event_ns[:-1]) & (sequence[1:] > sequence[:-1])
        )
        if after.all():
            self._last = (int(event_ns[-1]), int(sequence[-1]))
            return np.arange(len(event_ns))
        fresh = []  # rare: the tape is out of order or replayed
        for at, key in enumerate(zip(event_ns.tolist(), sequence.tolist(), strict=True)):
            if key > self._last:
                self._last = key
                fresh.append(at)
        return np.array(fresh, np.int64)


def _combine(flags: list[tuple[Detector, Flags]]) -> list[tuple[int, dict[str, Any]]]:
    """Put what the detectors say of each flagged trade together; the highest score leads."""
    detections: dict[int, list[tuple[Detector, Flags, int]]] = {}
    for detector, flagged in flags:
        for row, at in enumerate(flagged.at.tolist()):
            detections.setdefault(at, []).append((detector, flagged, row))
    combined = []
    for at in sorted(detections):
        ranked = sorted(detections[at], key=lambda found: -found[1].score[found[2]])
        score = float(ranked[0][1].score[ranked[0][2]])
        _, leading, leading_row = ranked[0]
        combined.append(
            (
                at,
                {
                    "anomalies": [str(detector.label) for detector, _, _ in ranked],
                    "score": score,
                    "severity": str(next(name for lowest, name in SEVERITIES if score >= lowest)),
                    "message": _sentence(
                        leading.reasons[leading_row], [str(detector.label) for detector, _, _ in ranked[1:]]
                    ),
                    "detections": [
                        {
                            "detector": detector.name,
                            "label": str(detector.label),
                            "score": float(flagged.score[row]),
                            "value": float(flagged.value[row]),
                            "expected": float(flagged.expected[row]),
                            "threshold": float(flagged.threshold[row]),
                            "reason": flagged.reasons[row],
                        }
                        for detector, flagged, row in ranked
                    ],
                    "contributions": _shares(ranked),
                    "features": {
                        name: float(values[row])
                        for _, flagged, row in ranked
                        for name, values in flagged.features.items()
                    },
                },
            )
        )
    return combined


def _shares(ranked: list[tuple[Detector, Flags, int]]) -> dict[str, float]:
    """Weigh each detector's contributions by its score; they add up to 1."""
    total = sum(float(flagged.score[row]) for _, flagged, row in ranked)
    shares: dict[str, float] = {}
    for _, flagged, row in ranked:
        for name, values in flagged.contributions.items():
            share = float(values[row]) * float(flagged.score[row]) / total
            shares[name] = shares.get(name, 0.0) + share
    return shares


def _sentence(reason: str, other_labels: list[str]) -> str:
    also = f"; also {' and '.join(other_labels)}" if other_labels else ""
    return f"{reason[0].upper()}{reason[1:]}{also}."
