"""Tail frequencies: how often an ordinary trade of this session is at least as extreme as this one.

A tail follows the method of peaks over threshold: a threshold, which is a tracked quantile (one step of
stochastic approximation per value: Robbins and Monro 1951), and an exponential distribution of the excesses
over it (the simplest generalised Pareto tail: Pickands 1975). Both start from priors, so that the first
trades of a morning are watched, and every trade updates both. Its rarity is -log10 of the frequency: 4 means
once in 10,000 trades. Each part has its own tail, which makes their rarities comparable; `evidence_of` puts
them on one scale.

A tail in a state record is four numbers: the threshold, the mean excess over it, and the weights of the two,
in trades and in excesses.
"""

from math import exp, log

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.parameters import Parameters
from services.detector.engine.record import Record

ALERT = 4.0
"""The alert line on the scale of evidence."""

JUST_LOW = 1.2 * ALERT
"""The most evidence of what is unusual, and no error: a severity of `low`."""
LOW_ROOM = 0.04 * ALERT
"""Room between that and `medium`, in which such things keep their order."""

LN10 = 2.302585092994046

FEW_TRADES = 100
"""A session's first so many trades have few to be compared with, which bounds how rare they can be."""


class TailParameters(Parameters):
    """Priors and memory of a calibrated detector's tail, and the rarity from which it alerts.

    Each detector has its own defaults, fitted on real days with injected anomalies:
    `class Mine(TailParameters, alert_rarity=4.0)`.
    """

    tail_probability: float = Field(
        0.003, gt=0, lt=1, description="share of values beyond the tracked threshold"
    )
    threshold_prior: float = Field(1.0, gt=0, description="prior of that threshold, a quantile")
    excess_scale_prior: float = Field(1.0, gt=0, description="prior of the mean excess beyond it")
    excess_scale_floor: float = Field(0.5, gt=0, description="floor of the mean excess")
    prior_trades: float = Field(8000.0, gt=0, description="weight of the prior threshold, in values")
    prior_excesses: float = Field(60.0, gt=0, description="weight of the prior mean excess, in excesses")
    memory: float = Field(30000.0, gt=0, description="values that the threshold remembers")
    excesses: float = Field(150.0, gt=0, description="excesses that the mean excess remembers")
    alert_rarity: float = Field(4.0, gt=0, description="rarity (decades) from which a trade is flagged")
    evidence_offset: float = Field(
        0.0, ge=0, description="evidence added at the alert, for a detector whose alerts are more reliable"
    )
    evidence_slope: float = Field(1.0, gt=0, description="growth of evidence with rarity beyond the alert")
    join_s: float = Field(
        0.0, ge=0, description="a flag so soon after the last one is part of the same anomaly"
    )

    def __init_subclass__(cls, **_defaults: float) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, **defaults: float) -> None:
        for name, value in defaults.items():
            cls.model_fields[name].default = value
        cls.model_rebuild(force=True)


def score_of(evidence: np.ndarray) -> np.ndarray:
    """Map evidence to a score from 0 to 1; 0.5 is the alert line."""
    return evidence / (evidence + ALERT)


@njit(cache=True)
def start_tail(tail: np.ndarray, p: Record) -> None:
    """Put the priors into a fresh tail; `p` holds the fields of `TailParameters`."""
    tail[0] = p.threshold_prior
    tail[1] = p.excess_scale_prior
    tail[2] = p.prior_trades
    tail[3] = p.prior_excesses


@njit(cache=True)
def rarity_of(tail: np.ndarray, x: float, p: Record) -> float:
    """Return -log10 of the frequency of values beyond `x`."""
    if x > tail[0]:
        return (-log(p.tail_probability) + (x - tail[0]) / max(tail[1], p.excess_scale_floor)) / LN10
    if x <= 0.0:
        return 0.0
    return -log(p.tail_probability) / LN10 * x / tail[0]


@njit(cache=True)
def bounded(rarity: float, trades: int, p: Record) -> float:
    """Bound the rarity of one of a session's first trades; `trades` is how many came before it.

    The priors decide whether it alerts; how far beyond the alert it can go depends on what was seen.
    """
    if trades >= FEW_TRADES:
        return rarity
    return min(rarity, p.alert_rarity + log(trades + 1.0) / LN10)


@njit(cache=True)
def value_at(tail: np.ndarray, rarity: float, p: Record) -> float:
    """Return the value of a rarity beyond the threshold: the inverse of `rarity_of`."""
    return tail[0] + max(tail[1], p.excess_scale_floor) * (rarity * LN10 + log(p.tail_probability))


@njit(cache=True)
def learn(tail: np.ndarray, x: float, limit: float, p: Record) -> None:
    """Move the threshold towards `x`; a value below `limit` also updates the mean excess.

    The threshold's step is bounded whatever `x` is, and values that alert do not stretch the tail.
    """
    if tail[2] < p.memory:
        tail[2] += 1.0
    step = tail[1] / (tail[2] * p.tail_probability)
    if x > tail[0]:
        if x < limit:
            if tail[3] < p.excesses:
                tail[3] += 1.0
            tail[1] += (x - tail[0] - tail[1]) / tail[3]
        tail[0] += step * (1.0 - p.tail_probability)
    else:
        tail[0] -= step * p.tail_probability
    if tail[0] < 1e-3:
        tail[0] = 1e-3


@njit(cache=True)
def evidence_of(rarity: float, p: Record) -> float:
    """Put a rarity on the common scale; above the alert, an offset is added and a slope applies."""
    if rarity < p.alert_rarity:
        return ALERT * rarity / p.alert_rarity
    return ALERT + p.evidence_offset + p.evidence_slope * (rarity - p.alert_rarity)


@njit(cache=True)
def low_of(evidence: float) -> float:
    """Bound evidence to a severity of `low`; what has more still ranks before what has less."""
    if evidence <= JUST_LOW:
        return evidence
    return JUST_LOW + LOW_ROOM * (1.0 - exp(JUST_LOW - evidence))


@njit(cache=True)
def median3(a: float, b: float, c: float) -> float:
    """Return the middle one of three."""
    return max(min(a, b), min(max(a, b), c))
