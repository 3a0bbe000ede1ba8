"""What a ranking of trades is worth, on one copy of a day: per symbol, per anomaly, never point-adjusted."""

from collections.abc import Collection

import numpy as np
from numba import njit

from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.training.judge import JudgedDay
from services.detector.offline.training.labelled import LabelledDay

QUIET_NS = 1_000_000_000
"""An alert says nothing new so soon after one that was as high."""
PLACES = 50
BUDGETS = {"recall_0.05": 0.0005, "recall_0.1": 0.001}
"""Alerts that somebody has time for, as a share of a symbol's trades of the day."""
FIGURES = ("roc_auc", "average_precision", "precision_at_50", *BUDGETS)

Figures = dict[str, float]
"""By name; not a number where the copy has no anomaly asked for."""


class Ranked:
    """A ranking of one copy's trades, sorted once for any number of questions.

    Parameters
    ----------
    day, judged
        The copy.
    score
        Of each trade, higher is more anomalous, shape (n,).
    has_episodes
        Whether the scores are alerts already, 0 where there is none. Else a trade within a second of one of
        its symbol that was scored as high is no alert of its own.
    """

    def __init__(self, day: LabelledDay, judged: JudgedDay, score: np.ndarray, has_episodes: bool) -> None:
        alerts = score if has_episodes else episodes(score, judged)
        is_event = day.event != NATURAL
        self._kinds = np.array(day.kinds)
        self._symbols = []
        for symbol in np.unique(judged.symbol[is_event]).tolist():
            own = judged.symbol == symbol
            rows = own & is_event
            self._symbols.append((np.sort(alerts[own & ~is_event]), alerts[rows], day.event[rows]))

    def figures(self, kinds: Collection[str] | None = None) -> Figures:
        """Measure the ranking: the mean over the symbols that have such an anomaly.

        Parameters
        ----------
        kinds
            Only anomalies of these; the others are neither hits nor false alarms. None for all.
        """
        of_symbols = []
        for natural, alerts, event in self._symbols:
            wanted = np.ones(len(event), bool) if kinds is None else np.isin(self._kinds[event], list(kinds))
            if wanted.any():
                of_symbols.append(_figures(natural, alerts[wanted], event[wanted]))
        if not of_symbols:
            return dict.fromkeys(("prevalence", *FIGURES), np.nan)
        return {name: float(np.mean([one[name] for one in of_symbols])) for name in of_symbols[0]}


def episodes(score: np.ndarray, judged: JudgedDay) -> np.ndarray:
    """Return positive scores in the same order, and 0 for trades that say nothing new, shape (n,)."""
    _, ranks = np.unique(score, return_inverse=True)
    positive = 1.0 + ranks
    silent = _silent(positive, judged.symbol, judged.event_ns, len(judged.symbols), QUIET_NS)
    silent |= ~judged.is_judged
    return np.where(silent, 0.0, positive)


@njit(cache=True)
def _silent(
    score: np.ndarray, symbol: np.ndarray, event_ns: np.ndarray, symbols: int, quiet_ns: int
) -> np.ndarray:
    """Tell which trades come within `quiet_ns` of one of their symbol with at least their score.

    Of each symbol the trades of the window are kept whose score no later one reaches, in a ring.
    """
    silent = np.zeros(len(score), np.bool_)
    first = np.zeros(symbols, np.int64)
    last = np.zeros(symbols, np.int64)
    counts = np.zeros(symbols, np.int64)
    for i in range(len(score)):
        counts[symbol[i]] += 1
    starts = np.zeros(symbols, np.int64)
    total = 0
    for s in range(symbols):
        starts[s] = total
        total += counts[s]
    stack = np.zeros(total, np.int64)
    for i in range(len(score)):
        s = symbol[i]
        base = starts[s]
        while first[s] < last[s] and event_ns[stack[base + first[s]]] < event_ns[i] - quiet_ns:
            first[s] += 1
        if first[s] < last[s] and score[stack[base + first[s]]] >= score[i]:
            silent[i] = True
        while last[s] > first[s] and score[stack[base + last[s] - 1]] <= score[i]:
            last[s] -= 1
        stack[base + last[s]] = i
        last[s] += 1
    return silent


def _figures(natural: np.ndarray, alerts: np.ndarray, event: np.ndarray) -> Figures:
    """Measure one symbol's day.

    Parameters
    ----------
    natural
        Scores of ordinary trades, rising.
    alerts, event
        Scores of the anomalies' trades, and their numbers.
    """
    _, number = np.unique(event, return_inverse=True)
    best = np.zeros(number.max() + 1)
    np.maximum.at(best, number, alerts)
    by_score = np.sort(alerts)
    # Half of those with the same score come before.
    above = len(natural) - _middle(natural, best)
    places = above + len(alerts) - _middle(by_score, best) - 0.5
    count = len(natural) + len(alerts)
    return {
        "prevalence": len(best) / (len(best) + len(natural)),
        "roc_auc": float(np.mean(1 - above / len(natural))) if len(natural) else np.nan,
        "average_precision": _average_precision(natural, np.sort(best)),
        "precision_at_50": _precision(natural, by_score),
        **{
            name: float(np.mean((places < round(budget * count)) & (best > 0)))
            for name, budget in BUDGETS.items()
        },
    }


def _precision(natural: np.ndarray, alerts: np.ndarray) -> float:
    """Return the share of anomalies' trades in the highest places; both rising. Equal scores share places."""
    above = np.zeros(len(alerts))
    equal = np.zeros(len(alerts))
    for values in (natural, alerts):
        above += len(values) - np.searchsorted(values, alerts, side="right")
        equal += np.searchsorted(values, alerts, side="right") - np.searchsorted(values, alerts, side="left")
    chance = np.clip((PLACES - above) / equal, 0.0, 1.0)
    return float(chance[alerts > 0].sum() / PLACES)


def _middle(rising: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how many of rising values are below each of others, and half of those that are equal."""
    middle: np.ndarray = (
        np.searchsorted(rising, values, side="left") + np.searchsorted(rising, values, side="right")
    ) / 2
    return middle


def _average_precision(natural: np.ndarray, best: np.ndarray) -> float:
    """Return the average precision of anomalies among ordinary trades; both rising."""
    thresholds = np.unique(best)[::-1]
    true = len(best) - np.searchsorted(best, thresholds, side="left")
    false = len(natural) - np.searchsorted(natural, thresholds, side="left")
    return float((np.diff(true, prepend=0) / len(best) * true / (true + false)).sum())
