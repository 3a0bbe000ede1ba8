"""Tail frequencies: how often an ordinary trade of this session goes as far as this one.

A tail is a tracked quantile (a step of stochastic approximation for each value: Robbins and Monro 1951) with
an exponential beyond it (the simplest generalised Pareto tail: Pickands 1975), both started from priors, so
that the first trades of a morning are watched, and both moved by every trade after. Its rarity is -log10 of
the frequency: 4 means once in 10,000 trades. Each part has its own tail, which makes their rarities
comparable; `evidence_of` puts them on one scale.

A tail in a state record is four numbers: the quantile, the mean excess beyond it, and the weights of the two,
in trades and in excesses.
"""

from math import log

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.core.record import Record
from services.detector.detectors.parameters import Parameters

ALERT = 4.0
"""The alert line on the scale of evidence."""

LN10 = 2.302585092994046


class TailParameters(Parameters):
    """What a calibrated detector's tail starts from, how long it remembers, and when it alerts.

    Each detector has its own defaults, fitted on injected real days: `class Mine(TailParameters, alert=4.0)`.
    """

    level: float = Field(0.003, gt=0, lt=1, description="share of values beyond the tracked quantile")
    u: float = Field(1.0, gt=0, description="prior of that quantile")
    beta: float = Field(1.0, gt=0, description="prior of the mean excess beyond it")
    beta_least: float = Field(0.5, gt=0, description="floor of the mean excess")
    prior_trades: float = Field(8000.0, gt=0, description="what the prior quantile is worth, in values")
    prior_excesses: float = Field(60.0, gt=0, description="what the prior mean excess is worth, in excesses")
    memory: float = Field(30000.0, gt=0, description="values that the quantile remembers")
    excesses: float = Field(150.0, gt=0, description="excesses that the mean excess remembers")
    alert: float = Field(4.0, gt=0, description="rarity (decades) from which a trade is flagged")
    credence: float = Field(0.0, ge=0, description="how much more its alerts are to be believed than others'")
    gain: float = Field(1.0, gt=0, description="growth of evidence with rarity beyond the alert")

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
    tail[0] = p.u
    tail[1] = p.beta
    tail[2] = p.prior_trades
    tail[3] = p.prior_excesses


@njit(cache=True)
def rarity_of(tail: np.ndarray, x: float, p: Record) -> float:
    """Return -log10 of the frequency of values beyond `x`."""
    if x > tail[0]:
        return (-log(p.level) + (x - tail[0]) / max(tail[1], p.beta_least)) / LN10
    if x <= 0.0:
        return 0.0
    return -log(p.level) / LN10 * x / tail[0]


@njit(cache=True)
def value_at(tail: np.ndarray, rarity: float, p: Record) -> float:
    """Return the value of a rarity beyond the tracked quantile: the inverse of `rarity_of`."""
    return tail[0] + max(tail[1], p.beta_least) * (rarity * LN10 + log(p.level))


@njit(cache=True)
def learn(tail: np.ndarray, x: float, limit: float, p: Record) -> None:
    """Move the quantile towards `x`; an excess below `limit` goes into the mean excess.

    The quantile's step is bounded whatever `x` is, and what alerts does not stretch the tail.
    """
    if tail[2] < p.memory:
        tail[2] += 1.0
    step = tail[1] / (tail[2] * p.level)
    if x > tail[0]:
        if x < limit:
            if tail[3] < p.excesses:
                tail[3] += 1.0
            tail[1] += (x - tail[0] - tail[1]) / tail[3]
        tail[0] += step * (1.0 - p.level)
    else:
        tail[0] -= step * p.level
    if tail[0] < 1e-3:
        tail[0] = 1e-3


@njit(cache=True)
def evidence_of(rarity: float, p: Record) -> float:
    """Put a rarity on the common scale: beyond the alert it starts from `credence` and grows by `gain`."""
    if rarity < p.alert:
        return ALERT * rarity / p.alert
    return ALERT + p.credence + p.gain * (rarity - p.alert)


@njit(cache=True)
def median3(a: float, b: float, c: float) -> float:
    """Return the middle one of three."""
    return max(min(a, b), min(max(a, b), c))
