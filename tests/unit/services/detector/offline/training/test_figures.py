import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from services.detector.offline.training.figures import QUIET_NS, Ranked, episodes
from tests.unit.services.detector.offline.training.samples import ORDINARY, judged, labelled

SCORES = st.lists(st.integers(0, 20), min_size=6, max_size=60)


@given(SCORES)
def test_figures_are_those_of_scikit_learn(scores: list[int]) -> None:
    event = np.full(len(scores), ORDINARY)
    event[[0, 2]] = [0, 1]
    found = Ranked(
        labelled(event.tolist(), ["a", "b"]), judged(len(scores)), np.array(scores), True
    ).figures()
    is_event = event != ORDINARY
    assert found["average_precision"] == pytest.approx(average_precision_score(is_event, scores))
    assert found["roc_auc"] == pytest.approx(roc_auc_score(is_event, scores))
    assert found["prevalence"] == pytest.approx(2 / len(scores))


def test_an_anomaly_counts_once_by_its_best_trade() -> None:
    event = [0, 0, 0, ORDINARY, ORDINARY]
    found = Ranked(labelled(event, ["a"]), judged(5), np.array([0.1, 0.9, 0.1, 0.5, 0.4]), True).figures()
    assert found["average_precision"] == 1.0
    assert found["prevalence"] == pytest.approx(1 / 3)


def test_each_alert_of_an_anomaly_takes_a_place_of_the_budget() -> None:
    scores = np.linspace(0.5, 0.1, 4_000)
    event = np.full(4_000, ORDINARY)
    event[:4] = [0, 0, 0, 1]
    found = Ranked(labelled(event.tolist(), ["a", "b"]), judged(4_000), scores, True).figures()
    assert found["recall_0.05"] == 0.5
    assert found["recall_0.1"] == 1.0


def test_anomalies_that_are_not_asked_for_are_neither_hits_nor_false_alarms() -> None:
    day = labelled([0, 1, ORDINARY, ORDINARY], ["a", "b"])
    ranked = Ranked(day, judged(4), np.array([0.9, 0.5, 0.4, 0.3]), True)
    assert ranked.figures(["b"])["average_precision"] == 1.0
    assert ranked.figures()["average_precision"] == 1.0
    assert np.isnan(ranked.figures(["c"])["average_precision"])


def test_each_symbol_has_a_ranking_of_its_own() -> None:
    day = labelled([0, ORDINARY, 1, ORDINARY], ["a", "a"])
    scores = np.array([0.2, 0.1, 0.8, 0.9])
    apart = Ranked(day, judged(4, symbol=[0, 0, 1, 1]), scores, True).figures()
    assert apart["average_precision"] == pytest.approx((1.0 + 0.5) / 2)


def test_a_score_without_an_alert_is_not_found() -> None:
    day = labelled([0, *[ORDINARY] * 3_999], ["a"])
    assert Ranked(day, judged(4_000), np.zeros(4_000), True).figures()["recall_0.1"] == 0.0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=40))
def test_what_comes_within_a_second_of_a_score_as_high_is_silent(trades: list[tuple[int, int, int]]) -> None:
    scores, symbols, gaps = (np.array(column) for column in zip(*trades, strict=True))
    day = judged(len(trades), symbol=symbols.tolist())
    times = np.cumsum(gaps) * (QUIET_NS // 3)
    day = type(day)(**{**day.__dict__, "event_ns": times})
    found = episodes(scores.astype(float), day)
    for at in range(len(trades)):
        before = [
            other
            for other in range(at)
            if symbols[other] == symbols[at]
            and times[other] >= times[at] - QUIET_NS
            and scores[other] >= scores[at]
        ]
        assert (found[at] == 0.0) == bool(before)


def test_trades_that_were_not_judged_are_silent() -> None:
    day = judged(3)
    day.is_judged[1] = False
    assert (episodes(np.array([1.0, 2.0, 3.0]), day) > 0).tolist() == [True, False, True]


@given(SCORES)
def test_equal_scores_share_the_highest_places(scores: list[int]) -> None:
    event = np.full(200 + len(scores), ORDINARY)
    event[: len(scores)] = np.arange(len(scores))
    alerts = np.concatenate([np.array(scores, float) + 1, np.full(200, 10.0)])
    day = labelled(event.tolist(), ["a"] * len(scores))
    found = Ranked(day, judged(len(alerts)), alerts, has_episodes=True).figures()["precision_at_50"]
    higher = sum(score + 1 > 10 for score in scores)
    equal = sum(score + 1 == 10 for score in scores)
    expected = min(higher, 50) + max(0, 50 - higher) * equal / (equal + 200)
    assert found == pytest.approx(expected / 50)
