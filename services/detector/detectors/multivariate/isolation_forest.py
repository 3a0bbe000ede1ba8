"""Isolation Forest Anomaly: a trade isolated among the recent ones, by what the other parts measure.

Liu, Ting and Zhou, "Isolation Forest", ICDM 2008, with coniferest's trees: the same model as scikit-learn's,
fitted and scored in a fraction of the time. The forest's score has a tail of its own, as every part's value.
"""

import hashlib

import numpy as np
from coniferest.isoforest import IsolationForest as Forest
from numba import njit
from pydantic import Field, model_validator

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.explain import FEATURES, features_of, once_in
from services.detector.detectors.core.state import FOREST, FOREST_FEATURES, FOREST_ROWS
from services.detector.detectors.core.tail import (
    TailParameters,
    evidence_of,
    learn,
    rarity_of,
    score_of,
    value_at,
)
from services.detector.engine.batch import Batch, SessionKey


class IsolationForestParameters(
    TailParameters,
    tail_probability=0.003,
    threshold_prior=0.25,
    excess_scale_prior=0.02,
    excess_scale_floor=0.01,
    prior_trades=8000.0,
    prior_excesses=60.0,
    memory=30000.0,
    excesses=150.0,
    alert_rarity=4.6,
    evidence_offset=0.0,
    evidence_slope=0.3,
):
    """Parameters of Isolation Forest."""

    trees: int = Field(50, ge=1, description="trees of a forest")
    subsample_trades: int = Field(256, ge=2, description="trades that a tree learns from")
    window_trades: int = Field(2000, ge=2, description="newest trades that a fit draws from")
    refit_trades: int = Field(1000, ge=2, description="trades between two fits")
    floor: float = Field(0.45, ge=0, lt=1, description="score from which the tail counts")

    def first_row_needed(self, trades: int) -> int:
        """Return the number of the oldest row that a session of so many trades may still be fitted on."""
        return max(0, trades // self.refit_trades * self.refit_trades - self.window_trades)

    @model_validator(mode="after")
    def _rows_suffice(self) -> "IsolationForestParameters":
        # The newest fit may be up to one step old, and a restored session fits it again, after the rows of
        # up to one more step have been written.
        if self.window_trades + 2 * self.refit_trades > FOREST_ROWS:
            raise ValueError(f"window_trades + 2 * refit_trades must be at most {FOREST_ROWS}")
        return self


class IsolationForest(TailDetector):
    """Flags trades whose mixture of price distance, size and pace is isolated, by the score's rarity."""

    name = "isolation_forest"
    parameters = IsolationForestParameters
    part = FOREST
    evidence = "forest_evidence"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are scores of the forest, expected is that of a usual trade."""
        at, found = self._alerts(batch)
        return Flags(
            at=at,
            score=score_of(found["forest_evidence"]),
            value=found["forest_score"],
            expected=np.full(len(at), 0.5),
            threshold=found["forest_threshold"],
            reasons=[
                "price distance, size and pace together are unlike those of recent trades; "
                f"a combination this isolated occurs {once_in(row['forest_rarity'])}"
                for row in found
            ],
            contributions={
                name: found["forest_shares"][:, column]
                for column, name in enumerate(FEATURES[:FOREST_FEATURES])
            },
            features=features_of(found),
        )


def fit_forest(rows: np.ndarray, p: IsolationForestParameters, session: SessionKey, trades: int) -> Forest:
    """Fit a forest on rows, shape (n, FOREST_FEATURES), seeded by the session and its trade count."""
    digest = hashlib.blake2b(f"{session.symbol}|{session.day}|{trades}".encode(), digest_size=8).digest()
    forest = Forest(
        n_trees=p.trees,
        n_subsamples=min(p.subsample_trades, len(rows)),
        n_jobs=1,
        random_seed=int.from_bytes(digest, "little") >> 1,
    )
    return forest.fit(rows)


@njit(cache=True)
def measure_forest(
    states: np.ndarray, slots: np.ndarray, scores: np.ndarray, parameters: np.ndarray, out: np.ndarray
) -> None:
    """Pass the forests' scores, shape (n,), 0 where a session has no forest yet, through the tails."""
    for i in range(len(scores)):
        if scores[i] <= 0.0:
            continue
        p = parameters[slots[i]]
        tail = states[slots[i]].tails[FOREST]
        value = scores[i] - p.floor
        rarity = rarity_of(tail, value, p)
        threshold = value_at(tail, p.alert_rarity, p)
        out[i].forest_score = scores[i]
        out[i].forest_rarity = rarity
        out[i].forest_threshold = threshold + p.floor
        out[i].forest_evidence = evidence_of(rarity, p)
        if not out[i].is_cross:
            learn(tail, value, threshold, p)
