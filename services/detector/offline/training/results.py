"""Figures of many days, rankings and splits, and their intervals over days."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from services.detector.models.manifest import Metric
from services.detector.offline.evaluation.confidence import interval_of_mean
from services.detector.offline.training.figures import Figures


class Measured(NamedTuple):
    """What one ranking was worth on one copy of a day."""

    split: str
    method: str
    day: str
    kind: str
    """Of the anomalies that counted; empty for all."""
    figures: Figures


class Results:
    """All figures of a report."""

    def __init__(self) -> None:
        self._all: list[Measured] = []

    def add(self, measured: Measured) -> None:
        """Add what was measured."""
        self._all.append(measured)

    def splits(self) -> list[str]:
        """Return the splits, in the order in which they came."""
        return list(dict.fromkeys(one.split for one in self._all))

    def methods(self, split: str) -> list[str]:
        """Return a split's rankings, in the order in which they came."""
        return list(dict.fromkeys(one.method for one in self._all if one.split == split))

    def kinds(self, split: str) -> list[str]:
        """Return the kinds that were measured by themselves, sorted."""
        return sorted({one.kind for one in self._all if one.split == split and one.kind})

    def by_day(self, split: str, method: str, figure: str, kind: str | None = None) -> dict[str, float]:
        """Return the mean figure of each day's copies, without nan: of a kind, or of all anomalies.

        Where no ranking of all was measured, it is the mean of the kinds.
        """
        own = [one for one in self._all if (one.split, one.method) == (split, method)]
        if kind is None and any(not one.kind for one in own):
            kind = ""
        found: dict[str, list[float]] = defaultdict(list)
        for one in own:
            if kind is None or one.kind == kind:
                value = one.figures.get(figure, np.nan)
                if not np.isnan(value):
                    found[one.day].append(value)
        return {day: float(np.mean(values)) for day, values in sorted(found.items())}

    def metric(self, split: str, method: str, figure: str, kind: str | None = None) -> Metric:
        """Return the mean over days, with its interval."""
        return metric_of(list(self.by_day(split, method, figure, kind).values()))

    def difference(self, split: str, method: str, other: str, figure: str) -> Metric:
        """Return the mean over days of one ranking's figure less another's, with its interval."""
        one, two = self.by_day(split, method, figure), self.by_day(split, other, figure)
        return metric_of([one[day] - two[day] for day in one if day in two])


def metric_of(days: Sequence[float]) -> Metric:
    """Return the mean of each day's figure, and its interval by the bootstrap over days."""
    known = [value for value in days if not np.isnan(value)]
    if not known:
        return Metric(None, None, None)
    low, high = interval_of_mean(known) or (None, None)
    return Metric(float(np.mean(known)), low, high)
