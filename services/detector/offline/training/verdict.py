"""Whether a trained detector should be on: decided by what was measured, in plain words."""

from typing import NamedTuple

from services.detector.models.manifest import Metric
from services.detector.offline.training.experiments import (
    CALIBRATED,
    FORWARD,
    GENERATED,
    KIND_OUT,
    OTHER_INJECTOR,
    RESHAPED,
    STYLE_OUT,
)
from services.detector.offline.training.results import Results

DECIDING = ("recall_0.05", "recall_0.1")
"""Share of anomalies found at an equal number of alerts."""
UNSEEN = (KIND_OUT, STYLE_OUT, OTHER_INJECTOR)
MATERIAL = 0.01
"""A loss or gain smaller than this is none."""


class Verdict(NamedTuple):
    """What is to be done.

    Parameters
    ----------
    is_on
        Whether a way of using the model earns its place.
    method
        The one that comes closest, or earns it.
    sentences
        Why.
    """

    is_on: bool
    method: str
    sentences: list[str]


def verdict_of(results: Results, methods: list[str]) -> Verdict:
    """Judge ways of using a model against the calibrated score as it alerts.

    One earns its place if it finds more at both budgets forward in time and wherever something was left out,
    with intervals above zero, and loses nowhere, other stocks included.
    """
    splits = results.splits()
    others = [split for split in splits if split.startswith(RESHAPED) or split == GENERATED]
    earned, gains = [], {}
    for method in methods:
        differences = {
            (split, figure): results.difference(split, method, CALIBRATED, figure)
            for split in (FORWARD, *UNSEEN, *others)
            for figure in DECIDING
        }
        gains[method] = differences
        asked = [one for (split, _), one in differences.items() if split in (FORWARD, *UNSEEN)]
        beside = [one for (split, _), one in differences.items() if split in others]
        if all(map(_is_gain, asked)) and not any(
            one.mean is not None and one.mean < -MATERIAL for one in beside
        ):
            earned.append(method)

    def closest(method: str) -> tuple[int, float]:
        asked = [gains[method][split, figure] for split in (FORWARD, *UNSEEN) for figure in DECIDING]
        return sum(map(_is_gain, asked)), min(one.mean if one.mean is not None else -1.0 for one in asked)

    best = max(earned or methods, key=closest)
    sentences = []
    for split in (FORWARD, *UNSEEN, *others):
        tight, wide = (gains[best][split, figure] for figure in DECIDING)
        sentences.append(f"{split}: {_words(tight)} at 0.05 % of the trades, {_words(wide)} at 0.1 %")
    return Verdict(bool(earned), best, sentences)


def _is_gain(one: Metric) -> bool:
    return one.mean is not None and one.low is not None and one.mean >= MATERIAL and one.low > 0


def _words(one: Metric) -> str:
    if one.mean is None:
        return "not measured"
    text = f"{100 * one.mean:+.1f} points"
    return (
        text
        if one.low is None or one.high is None
        else f"{text} ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
    )
