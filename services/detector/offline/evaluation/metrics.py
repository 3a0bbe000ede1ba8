"""Quality of a detector's alerts, measured against injected anomalies.

An *event* is one injected anomaly: one trade, or all trades of a burst. Trades are ranked by score; those
not flagged, and those flagged with severity `info`, have score 0.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from services.detector.offline.evaluation.injection import PRICE_KINDS
from services.sources.synthetic.kinds import KINDS

NATURAL = -1
BUDGETS = {"recall_in_0.05_percent": 0.0005, "recall_in_0.1_percent": 0.001}
"""Alert budgets: alerts per trade that analysts have time to look at."""


@dataclass(frozen=True)
class Judged:
    """A day's scores and ground truth.

    Parameters
    ----------
    score : array of float, shape (trades,)
        Score of each trade, 0 to 1; 0 if the trade is not flagged, or only with severity `info`.
    event : array of int, shape (trades,)
        Number of the trade's event; `NATURAL` for natural trades.
    kind : array of str, shape (events,)
        Kind of each event.
    """

    score: np.ndarray
    event: np.ndarray
    kind: np.ndarray

    @property
    def event_scores(self) -> np.ndarray:
        """The highest score among each event's trades, shape (events,)."""
        best = np.zeros(len(self.kind))
        injected = self.event != NATURAL
        np.maximum.at(best, self.event[injected], self.score[injected])
        return best

    def events_within(self, budget: float) -> np.ndarray:
        """Tell which events have a trade in the top fraction `budget` of all trades; bool, shape (events,).

        Every alert uses up budget, also further alerts of a burst: somebody has to look at each of them.
        """
        places = round(budget * len(self.score))
        top = np.argsort(-self.score, kind="stable")[:places]
        events = self.event[top[self.score[top] > 0]]
        found = np.zeros(len(self.kind), np.bool_)
        found[events[events != NATURAL]] = True
        return found


def average_precision(judged: Judged, kinds: Collection[str] = KINDS) -> float:
    """Return the average precision of the ranking by score, for events of the given kinds.

    Each event counts once, by its trade with the highest score; its other trades are neither hits nor false
    alarms. Events of other kinds are ignored. NaN if the day has no event of these kinds.
    """
    events = judged.event_scores[np.isin(judged.kind, list(kinds))]
    natural = judged.score[judged.event == NATURAL]
    if not len(events):
        return np.nan
    is_event = np.repeat([1, 0], [len(events), len(natural)])
    return float(average_precision_score(is_event, np.concatenate([events, natural])))


def figures(judged: Judged) -> dict[str, float]:
    """Return the figures of a day with injected anomalies, by name; NaN if the day has no such event."""
    flagged = judged.event_scores > 0
    found = {name: judged.events_within(budget) for name, budget in BUDGETS.items()}
    is_false_alarm = (judged.event == NATURAL) & (judged.score > 0)
    return {
        "ap": average_precision(judged),
        "ap_price": average_precision(judged, PRICE_KINDS),
        "ap_off_market_small": average_precision(judged, ("off_market_small",)),
        "ap_burst": average_precision(judged, ("burst",)),
        **{name: _share(events) for name, events in found.items()},
        "bursts_flagged": _share(flagged[judged.kind == "burst"]),
        "fat_fingers_in_0.1_percent": _share(found["recall_in_0.1_percent"][judged.kind == "fat_finger"]),
        "false_alarms_per_1000": 1000 * _share(is_false_alarm),
    }


def flagged_per_1000(score: np.ndarray) -> float:
    """Return the number of flagged trades per 1,000; `score` as in `Judged`."""
    return 1000 * _share(score > 0)


def _share(is_so: np.ndarray) -> float:
    return float(is_so.mean()) if len(is_so) else np.nan
