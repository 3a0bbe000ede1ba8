"""The tails that the scores of a model and of its challenger pass, compiled."""

import numpy as np
from numba import njit

from services.detector.detectors.core.record import record_type
from services.detector.detectors.core.tail import (
    TailParameters,
    bounded,
    evidence_of,
    learn,
    rarity_of,
    value_at,
)

ROLES = 2
MODEL, CHALLENGER = range(ROLES)

STATE = np.dtype(
    [
        ("trades", "i8"),
        ("tails", "f8", (ROLES, 4)),
        ("challenger", "u8"),  # its digest begins so
    ],
    align=True,
)
TAIL = record_type(TailParameters)
JUDGED = np.dtype([("rarity", "f8"), ("evidence", "f8"), ("threshold", "f8")], align=True)


@njit(cache=True)
def judge_scores(
    states: np.ndarray,
    tails: np.ndarray,
    slots: np.ndarray,
    scaled: np.ndarray,
    crosses: np.ndarray,
    judged: np.ndarray,
) -> None:
    """Pass scaled outputs through their sessions' tails, in order.

    Parameters
    ----------
    states, tails
        `STATE` and `TAIL` by slot; the first is updated.
    slots, crosses
        Of n trades.
    scaled
        Shape (ROLES, n); not a number where nothing judges.
    judged
        `JUDGED`, zeros, shape (ROLES, n); filled.
    """
    for i in range(len(slots)):
        s = states[slots[i]]
        p = tails[slots[i]]
        for role in range(len(scaled)):
            x = scaled[role, i]
            if x != x:
                continue
            tail = s.tails[role]
            out = judged[role, i]
            out.rarity = bounded(rarity_of(tail, x, p), s.trades, p)
            out.threshold = value_at(tail, p.alert_rarity, p)
            out.evidence = evidence_of(out.rarity, p)
            if crosses[i] == 0:
                learn(tail, x, out.threshold, p)
        s.trades += 1
