"""Small copies of days, as training sees them."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.detector.features.registry import NAMES
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.training.judge import JudgedDay
from services.detector.offline.training.labelled import LabelledDay


def labelled(event: Sequence[int], kinds: Sequence[str], cleared: Sequence[int] = ()) -> LabelledDay:
    """Return a day of as many trades as there are numbers of events."""
    is_cleared = np.zeros(len(event), bool)
    is_cleared[list(cleared)] = True
    return LabelledDay(
        "2024-12-02", "injected", "plain", [b""] * len(event), np.array(event), list(kinds), is_cleared
    )


def judged(
    count: int,
    features: Mapping[str, Sequence[float]] | None = None,
    symbol: Sequence[int] | None = None,
    gap_s: float = 10.0,
) -> JudgedDay:
    """Return a day whose trades are far apart, with some features."""
    values = np.full((count, len(NAMES)), np.nan, np.float32)
    for name, column in (features or {}).items():
        values[:, NAMES.index(name)] = column
    return JudgedDay(
        values,
        np.ones(count, bool),
        np.ones(count, bool),
        np.zeros(count),
        np.zeros(count, np.int64) if symbol is None else np.array(symbol),
        ["A"] if symbol is None else [chr(65 + one) for one in range(max(symbol) + 1)],
        (np.arange(count) * gap_s * 1e9).astype(np.int64),
        np.ones(count),
    )


ORDINARY = NATURAL
