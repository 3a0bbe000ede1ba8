import math

import numpy as np
import polars as pl
import pytest

from services.detector.offline.evaluation.detection import Alert
from services.detector.offline.evaluation.outcomes import (
    LABELS,
    clean_alerts,
    judge_events,
    share_figures,
)
from services.detector.offline.evaluation.scenarios.merge import NATURAL, InjectedDay

SECOND = 1_000_000_000


def a_day() -> InjectedDay:
    """Ten trades a minute apart; the storm has rows 2 to 4, the natural block row 7."""
    rows = range(10)
    return InjectedDay(
        pl.DataFrame(
            {
                "ts_event": [row * 60 * SECOND for row in rows],
                "symbol": ["A" if row != 8 else "B" for row in rows],
            }
        ),
        pl.DataFrame({"row": [2, 3, 4, 7], "event": [0, 0, 0, 1]}),
        pl.DataFrame(
            {
                "event": [0, 1],
                "kind": ["print_storm", "block"],
                "symbol": ["A", "A"],
                "start_ns": [120 * SECOND, 420 * SECOND],
                "stop_ns": [240 * SECOND, 420 * SECOND],
            }
        ),
        np.array([0, 1, NATURAL, NATURAL, NATURAL, 2, 3, NATURAL, 4, 5]),
    )


def alert(
    row: int, label: str = "Print Storm", score: float = 0.6, severity: str = "medium", to: int = 0
) -> Alert:
    return Alert(row, to or row, score, severity, label)


def test_an_event_is_named_by_its_best_alert() -> None:
    events, _ = judge_events(a_day(), [alert(2, "Burst", 0.7), alert(3, score=0.6)], set())
    storm = events[0]
    assert (storm["alerts"], storm["label"], storm["score"], storm["named"]) == (2, "Burst", 0.7, False)
    events, _ = judge_events(a_day(), [alert(2, "Burst", 0.5), alert(3, score=0.6)], set())
    assert events[0]["named"]


def test_an_alert_that_grew_touches_what_it_spans() -> None:
    events, _ = judge_events(a_day(), [alert(0, to=2)], set())
    assert (events[0]["alerts"], events[0]["false_alarms"]) == (1, 0)
    events, _ = judge_events(a_day(), [alert(0, to=1)], set())
    assert events[0]["alerts"] == 0


def test_an_alert_of_the_clean_day_finds_nothing() -> None:
    clean = clean_alerts([alert(1, "Burst"), alert(2, "Burst", severity="info")])
    assert clean == {(1, "Burst")}
    events, _ = judge_events(a_day(), [alert(1, "Burst", to=3)], clean)
    assert events[0]["alerts"] == 0
    events, _ = judge_events(a_day(), [alert(1, "Unusual Size", to=3)], clean)
    assert events[0]["alerts"] == 1


def test_info_is_not_an_alert() -> None:
    events, figures = judge_events(a_day(), [alert(3, severity="info")], set())
    assert events[0]["alerts"] == 0
    assert math.isnan(figures["true_in_top_50"])


def test_alarms_on_other_trades_of_the_symbol_are_counted_against_the_clean_day() -> None:
    # Rows 5 and 6 are the natural rows 2 and 3; row 8 is of another symbol, row 0 before the event.
    clean = {(3, "Burst")}
    events, _ = judge_events(a_day(), [alert(5, "Burst"), alert(8, "Burst"), alert(0, "Burst")], clean)
    assert (events[0]["false_alarms"], events[0]["alarms_lost"]) == (1, 1)


def test_a_natural_event_counts_as_false_among_as_many_alerts_as_there_are_events() -> None:
    found = [alert(2, score=0.9), alert(7, "Unusual Size", 0.8), alert(9, "Burst", 0.7)]
    events, figures = judge_events(a_day(), found, set())
    assert figures["true_in_top_50"] == 1.0
    assert figures["scenarios_ap"] == 1.0
    assert events[1]["severity"] == "medium"
    _, figures = judge_events(a_day(), [alert(2, score=0.5), alert(9, "Burst", 0.7)], set())
    assert figures["true_in_top_50"] == 0.0
    assert figures["scenarios_ap"] == pytest.approx(1 / 2)


def test_kinds_weigh_the_same_however_many_events_they_have() -> None:
    def event(kind: str, alerts: int, named: bool, severity: str = "low") -> dict[str, object]:
        return {"kind": kind, "alerts": alerts, "named": named, "severity": severity}

    figures = share_figures(
        [
            *[event("error_after_clock_ahead", 1, True)] * 30,
            event("silence", 4, False),
            event("block", 1, False, "high"),
            event("block", 0, False, ""),
        ]
    )
    assert figures == {"flagged": 1.0, "named": 0.5, "in_few_alerts": 0.5, "natural_loud": 0.5}
    assert math.isnan(share_figures([])["named"])


def test_every_kind_of_the_report_is_known() -> None:
    assert LABELS["error_after_clock_ahead"] == ("Off-Market Price",)
    assert LABELS["block"] == ()
