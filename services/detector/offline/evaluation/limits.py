"""The figures of an evaluation, what they have to reach, and what they are over several days."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.detector.offline.evaluation.confidence import interval_of_mean
from services.detector.offline.evaluation.reshape import STOCK_KINDS

Days = list[dict[str, Any]]


@dataclass(frozen=True)
class Figure:
    """A figure and its limits.

    Parameters
    ----------
    name
        Name, as in `metrics.figures`.
    title
        Title for display.
    required, target
        Limits that the mean must reach and should reach; upper limits if `less_is_better`.
    required_each_day
        Limit that the worst day must reach; None if only the mean counts.
    less_is_better
        Whether lower values are better, as for false alarms.
    """

    name: str
    title: str
    required: float
    target: float
    required_each_day: float | None = None
    less_is_better: bool = False

    def reaches(self, value: float, limit: float) -> bool:
        """Tell whether a value reaches a limit."""
        return value <= limit if self.less_is_better else value >= limit


FIGURES = (
    Figure("ap", "AP, all kinds", 0.80, 0.85, required_each_day=0.75),
    Figure("ap_price", "AP, price kinds", 0.99, 0.999),
    Figure("ap_off_market_small", "AP, errors of 0.1-0.4 %", 0.85, 0.92),
    Figure("recall_in_0.05_percent", "found in 0.05 % of trades", 0.76, 0.80),
    Figure("recall_in_0.1_percent", "found in 0.1 % of trades", 0.82, 0.87),
    Figure("bursts_flagged", "bursts flagged", 0.90, 0.95),
    Figure("fat_fingers_in_0.1_percent", "fat fingers in 0.1 %", 0.33, 0.45),
    Figure("false_alarms_per_1000", "false alarms per 1000", 0.8, 0.4, less_is_better=True),
    Figure("flagged_per_1000", "flagged per 1000, clean day", 0.9, 0.5, less_is_better=True),
)

MIXED_FIGURES = (
    Figure("ap", "AP, all kinds", 0.84, 0.88, required_each_day=0.80),
    Figure("recall_in_0.05_percent", "found in 0.05 % of trades", 0.80, 0.83),
    Figure("recall_in_0.1_percent", "found in 0.1 % of trades", 0.88, 0.92),
    Figure("bursts_flagged", "bursts flagged", 0.95, 0.98),
    Figure("ap_burst", "AP, bursts alone", 0.65, 0.80),
    Figure("bursts_flagged_before_opening", "bursts flagged before the opening", 0.85, 0.95),
    Figure("fat_fingers_in_0.1_percent", "fat fingers in 0.1 %", 0.42, 0.50),
    Figure("ap_price", "AP, price kinds", 0.999, 1.0),
    Figure("ap_off_market_small", "AP, errors of 0.1-0.4 %", 0.95, 0.98),
    Figure("false_alarms_per_1000", "false alarms per 1000", 0.6, 0.4, less_is_better=True),
    Figure("flagged_per_1000", "flagged per 1000, clean day", 0.9, 0.5, less_is_better=True),
)
"""Limits for the six kinds with bursts of many styles."""

_ALARMS = Figure("false_alarms_per_1000", "false alarms", 1.5, 0.8, less_is_better=True)
STOCK_KIND_FIGURES = {
    stock.name: (Figure("ap", "AP", required, target), _ALARMS)
    for stock, required, target in zip(STOCK_KINDS[1:], (0.65, 0.70, 0.85), (0.80, 0.80, 0.88), strict=True)
}
"""Limits for other kinds of stock."""

_MIXED_STOCK_LIMITS = ((0.70, 0.80), (0.80, 0.85), (0.88, 0.92))
MIXED_STOCK_FIGURES = {
    stock.name: (Figure("ap", "AP", *limits), _ALARMS)
    for stock, limits in zip(STOCK_KINDS[1:], _MIXED_STOCK_LIMITS, strict=True)
}

SCENARIO_FIGURES = (
    Figure("named", "events named for what they are", 0.65, 0.85),
    Figure("in_few_alerts", "events with 1 to 3 alerts", 0.90, 0.97),
    Figure("true_in_top_50", "true among the 50 highest", 0.60, 0.80),
    Figure("natural_loud", "natural events at medium or above", 0.10, 0.05, less_is_better=True),
)
"""Limits over all kinds of the second injector."""


@dataclass(frozen=True)
class Result:
    """A measured figure: its `mean` over days and runs, the `worst` day's mean; None if not measured.

    `interval` is the mean's 95 % interval over days, None of fewer than two.
    """

    title: str
    mean: float | None
    worst: float | None
    required: float
    target: float
    meets_required: bool
    meets_target: bool
    interval: tuple[float, float] | None = None


def results_of(days: Days, figures: tuple[Figure, ...]) -> dict[str, Result]:
    """Aggregate the figures of several days, by name."""
    results = {}
    for figure in figures:
        by_file: dict[object, list[float]] = {}
        for day in days:
            value = day["figures"].get(figure.name, np.nan)
            if not np.isnan(value):
                by_file.setdefault(day["file"], []).append(value)
        means = [float(np.mean(values)) for values in by_file.values()]
        if not means:
            results[figure.name] = Result(
                figure.title, None, None, figure.required, figure.target, False, False
            )
            continue
        mean = float(np.mean(means))
        worst = max(means) if figure.less_is_better else min(means)
        of_each = figure.required_each_day
        results[figure.name] = Result(
            figure.title,
            mean,
            worst,
            figure.required,
            figure.target,
            figure.reaches(mean, figure.required) and (of_each is None or figure.reaches(worst, of_each)),
            figure.reaches(mean, figure.target) and (of_each is None or figure.reaches(worst, of_each)),
            interval_of_mean(means),
        )
    return results
