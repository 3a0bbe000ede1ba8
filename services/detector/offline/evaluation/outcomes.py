"""What the detector says of injected events: found, named, alarms beside them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from services.contracts.anomaly import Severity
from services.detector.offline.evaluation.detection import Alert
from services.detector.offline.evaluation.scenarios.merge import NATURAL, InjectedDay
from services.detector.offline.evaluation.scenarios.plan import APART_NS
from services.detector.offline.evaluation.scenarios.registry import SCENARIOS

TOP_ALERTS = 50
FEW_ALERTS = 3

LABELS: dict[str, tuple[str, ...]] = {
    kind: labels
    for scenario in SCENARIOS.values()
    for kind, labels in {scenario.name: scenario.labels, **scenario.further}.items()
}
"""For each kind in the report, the labels that name it; none for natural ones, which have to stay quiet."""

LOUD = (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


def clean_alerts(alerts: Sequence[Alert]) -> set[tuple[int, str]]:
    """Return the rows and labels of a day's alerts, without `info`."""
    return {(alert.first_row, alert.label) for alert in alerts if alert.severity != Severity.INFO}


def judge_events(
    day: InjectedDay, alerts: Sequence[Alert], clean: Collection[tuple[int, str]]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Judge the alerts of a day with injected events.

    Parameters
    ----------
    day
        The day.
    alerts
        What the detector says of it.
    clean
        What it says of the same day without events, as `clean_alerts` returns it.

    Returns
    -------
    tuple
        Each event: `kind`, `symbol`, `ts_event` (ns), `alerts` (not `info`, and not on the clean day),
        `named` (whether the best one's first label is one of the kind's), `label`, `severity` and `score`
        (of the best one; empty and 0 if there is none), `false_alarms` and `alarms_lost` (on other trades,
        up to ten minutes after it, that the clean day has not, and that only the clean day has). And the
        day's figures: `scenarios_ap`, and `true_in_top_50`: of the 50 highest alerts, or of as many as
        there are events to be found if these are fewer.
    """
    places = _Places(day)
    own: dict[int, list[Alert]] = defaultdict(list)
    elsewhere: list[Alert] = []
    true, all_scores = [], []
    for alert in alerts:
        if alert.severity == Severity.INFO:
            continue
        touched = places.events_between(alert.first_row, alert.last_row)
        for event in touched:
            if (int(day.natural_row[alert.first_row]), alert.label) not in clean:
                own[event].append(alert)
        if not touched:
            elsewhere.append(alert)
        all_scores.append(alert.score)
        true.append(any(LABELS[places.kinds[event]] for event in touched))
    new = [alert for alert in elsewhere if (int(day.natural_row[alert.first_row]), alert.label) not in clean]
    still = {(int(day.natural_row[alert.first_row]), alert.label) for alert in alerts}
    lost_rows = _rows_of_lost(day, places, clean, still)
    new_rows = [alert.first_row for alert in new]
    described = []
    for about in day.events.iter_rows(named=True):
        found = own[about["event"]]
        best = max(found, key=lambda alert: alert.score, default=None)
        described.append(
            {
                "kind": about["kind"],
                "symbol": about["symbol"],
                "ts_event": about["start_ns"],
                "alerts": len(found),
                "named": best is not None and best.label in LABELS[about["kind"]],
                "label": best.label if best else "",
                "severity": str(best.severity) if best else "",
                "score": best.score if best else 0.0,
                "false_alarms": _count_beside(day, about, new_rows),
                "alarms_lost": _count_beside(day, about, lost_rows),
            }
        )
    scores = [event["score"] for event in described if LABELS[event["kind"]]]
    others = [score for score, is_true in zip(all_scores, true, strict=True) if not is_true]
    silent = max(0, len(day.trades) - len(all_scores))
    # A copy of the day with fewer events cannot fill 50 places with true ones.
    highest = np.argsort(-np.array(all_scores), kind="stable")[: min(TOP_ALERTS, len(scores))]
    return described, {
        "scenarios_ap": _average_precision(scores, others, silent),
        "true_in_top_50": float(np.mean(np.array(true)[highest])) if len(highest) else np.nan,
    }


def share_figures(events: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the figures of all of a day's events, each kind with equal weight; NaN without such events."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        kinds[event["kind"]].append(event)
    found = [of_kind for kind, of_kind in kinds.items() if LABELS[kind]]
    natural = [of_kind for kind, of_kind in kinds.items() if not LABELS[kind]]
    return {
        "flagged": _mean_share(found, lambda event: event["alerts"] > 0),
        "named": _mean_share(found, lambda event: event["named"]),
        "in_few_alerts": _mean_share(found, lambda event: 1 <= event["alerts"] <= FEW_ALERTS),
        "natural_loud": _mean_share(natural, lambda event: event["severity"] in LOUD),
    }


class _Places:
    """Each symbol's events by the places of their trades, in the order in which the trades come."""

    def __init__(self, day: InjectedDay) -> None:
        self.kinds = dict(day.events.select("event", "kind").iter_rows())
        # Sorted by symbol: a stretch of one symbol's trades is a stretch here.
        symbol = day.trades["symbol"].rank("dense").to_numpy()
        order = np.argsort(symbol, kind="stable")
        self._place = np.empty(len(order), np.int64)
        self._place[order] = np.arange(len(order))
        labels = day.labels
        place = self._place[labels["row"].to_numpy()]
        by_place = np.argsort(place, kind="stable")
        self._places, self._events = place[by_place], labels["event"].to_numpy()[by_place]

    def events_between(self, first_row: int, last_row: int) -> list[int]:
        """Return the events that have a trade from one row to another of the same symbol."""
        low = np.searchsorted(self._places, self._place[first_row], side="left")
        high = np.searchsorted(self._places, self._place[last_row], side="right")
        return [int(event) for event in np.unique(self._events[low:high])]


def _rows_of_lost(
    day: InjectedDay, places: _Places, clean: Collection[tuple[int, str]], still: set[tuple[int, str]]
) -> list[int]:
    """Return the trades of no event on which the clean day has an alert, and this day has not."""
    row_of = {int(natural): row for row, natural in enumerate(day.natural_row) if natural != NATURAL}
    rows = [
        row_of[natural] for natural, label in clean if (natural, label) not in still and natural in row_of
    ]
    return [row for row in rows if not places.events_between(row, row)]


def _count_beside(day: InjectedDay, event: dict[str, Any], rows: list[int]) -> int:
    """Count the trades of the event's symbol in its stretch and the ten minutes after it."""
    trades = day.trades[rows]
    is_near = (trades["ts_event"] >= event["start_ns"]) & (trades["ts_event"] < event["stop_ns"] + APART_NS)
    return int((is_near & (trades["symbol"] == event["symbol"])).sum())


def _average_precision(events: Sequence[float], others: Sequence[float], silent: int) -> float:
    if not events:
        return np.nan
    is_event = np.repeat([1, 0], [len(events), len(others) + silent])
    return float(average_precision_score(is_event, np.concatenate([events, others, np.zeros(silent)])))


def _mean_share(kinds: Sequence[Sequence[dict[str, Any]]], is_so: Callable[[dict[str, Any]], bool]) -> float:
    return float(np.mean([np.mean(list(map(is_so, of_kind))) for of_kind in kinds])) if kinds else np.nan
