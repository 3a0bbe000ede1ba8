import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detector.offline.evaluation.detection import Finding, alert_scores
from services.detector.offline.evaluation.metrics import Judged, average_precision, figures, flagged_per_1000

N = -1  # a natural trade


def judged(scores: list[float], events: list[int], kinds: list[str]) -> Judged:
    return Judged(np.array(scores, float), np.array(events), np.array(kinds))


def test_a_perfect_ranking_gives_one() -> None:
    day = judged([0.9, 0.8, 0.1, 0.0], [0, 1, N, N], ["off_market", "off_market_small"])
    assert average_precision(day) == 1.0


def test_average_precision_by_hand() -> None:
    # Ranked: hit (precision 1/1), false alarm, hit (2/3); the third event is found with all others only.
    day = judged(
        [0.9, 0.8, 0.7, 0.0, 0.0, 0.0],
        [0, N, 1, 2, N, N],
        ["off_market", "off_market_fat_finger", "fat_finger"],
    )
    assert average_precision(day) == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3)


def test_a_burst_counts_once_by_its_best_trade() -> None:
    # Its trades of score 0.5 and 0 are neither hits nor false alarms: burst, natural, price.
    day = judged([0.5, 0.9, 0.0, 0.8, 0.7, 0.0], [0, 0, 0, N, 1, N], ["burst", "off_market"])
    assert average_precision(day) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(day, ("burst",)) == 1.0
    assert figures(day)["bursts_flagged"] == 1.0
    assert figures(day)["false_alarms_per_1000"] == pytest.approx(1000 / 6)


def test_other_kinds_are_left_out_of_a_groups_ranking() -> None:
    day = judged([0.9, 0.8, 0.7, 0.0], [0, 1, 2, N], ["burst", "fat_finger", "off_market_small"])
    assert figures(day)["ap_off_market_small"] == 1.0
    assert math.isnan(figures(day)["ap_price"])


def test_a_budget_is_shared_by_all_alerts() -> None:
    events = np.full(4000, N)
    scores = np.zeros(4000)
    events[:6] = [0, 0, 1, N, 2, 3]
    scores[:6] = [0.95, 0.9, 0.85, 0.8, 0.7, 0.0]
    day = Judged(scores, events, np.array(["burst", "off_market", "fat_finger", "stale"]))
    result = figures(day)
    assert result["recall_in_0.05_percent"] == 1 / 4  # two places, both taken by the burst
    assert result["recall_in_0.1_percent"] == 2 / 4  # four: the burst twice, the price, a false alarm
    assert result["fat_fingers_in_0.1_percent"] == 0.0
    assert result["false_alarms_per_1000"] == 1 / 4


def test_what_is_not_flagged_is_not_found_however_large_the_budget() -> None:
    day = judged([0.0] * 2000, [0] + [N] * 1999, ["fat_finger"])
    assert figures(day)["recall_in_0.1_percent"] == 0.0
    assert average_precision(day) == pytest.approx(1 / 2000)


def test_info_is_not_flagged() -> None:
    findings = [
        Finding(0.9, "info", "Auction Cross", "size"),
        Finding(0.6, "low", "Burst", "times"),
        None,
    ]
    assert alert_scores(findings).tolist() == [0.0, 0.6, 0.0]
    assert flagged_per_1000(alert_scores(findings)) == pytest.approx(1000 / 3)


@given(
    trades=st.lists(
        st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75]), st.integers(N, 3)), min_size=4, max_size=60
    )
)
def test_a_bursts_lesser_trades_change_no_average_precision(trades: list[tuple[float, int]]) -> None:
    scores, events = ([0.5, 0.5, 0.5, 0.5, *column] for column in zip(*trades, strict=True))
    events[:4] = range(4)
    day = judged(scores, events, ["burst"] * 4)
    best = day.event_scores
    natural = [score for score, event in zip(scores, events, strict=True) if event == N]
    plain = judged([*best, *natural], [*range(4), *[N] * len(natural)], ["off_market"] * 4)
    assert average_precision(day) == pytest.approx(average_precision(plain))
