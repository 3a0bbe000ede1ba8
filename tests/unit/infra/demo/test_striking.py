from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.demo.striking import EVENT_S, PER_LABEL, SHOWN, as_striking, one_per_event, worst_severity
from services.contracts.anomaly import Severity


def anomaly(score: float, second: float, symbol: str = "BOLT", label: str = "Burst") -> dict[str, Any]:
    return {
        "trade_id": f"{symbol}-{second}-{score}",
        "@timestamp": f"2026-03-02T14:30:{second:012.9f}Z",
        "symbol": symbol,
        "anomalies": [label],
        "score": score,
    }


def test_four_prints_of_one_burst_are_one_line_with_the_highest_score() -> None:
    burst = [anomaly(score, 15.763 + 0.005 * number) for number, score in enumerate((0.5, 0.9, 0.7, 0.8))]
    assert one_per_event(burst) == [burst[1]]


def test_the_same_second_on_another_symbol_is_another_event() -> None:
    both = [anomaly(0.9, 15.0), anomaly(0.8, 15.0, symbol="ACME")]
    assert one_per_event(both) == both


def test_no_label_crowds_out_the_others() -> None:
    many = [anomaly(0.9 - number / 100, 2.0 * number) for number in range(10)]
    other = anomaly(0.1, 50.0, label="Off-Market Price")
    assert one_per_event([*many, other]) == [*many[:PER_LABEL], other]


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 59), st.sampled_from("AB"), st.sampled_from("XYZ")),
        max_size=40,
        unique=True,
    ),
    st.randoms(use_true_random=False),
)
def test_the_choice_is_bounded_and_does_not_depend_on_the_order(drawn: list[Any], random: Random) -> None:
    documents = [anomaly(score, second, symbol, label) for score, second, symbol, label in drawn]
    chosen = one_per_event(documents)
    shuffled = list(documents)
    random.shuffle(shuffled)
    again = one_per_event(shuffled)
    assert [one["score"] for one in again] == [one["score"] for one in chosen]
    assert len(chosen) <= SHOWN
    assert [one["score"] for one in chosen] == sorted((one["score"] for one in chosen), reverse=True)


def test_an_event_ends_after_a_second() -> None:
    apart = [anomaly(0.9, 10.0), anomaly(0.8, 10.0 + EVENT_S + 0.1)]
    assert one_per_event(apart) == apart


@pytest.mark.parametrize(
    ("counts", "worst"),
    [
        ({"low": 144, "medium": 27, "info": 2}, Severity.MEDIUM),
        ({"critical": 1, "low": 3}, Severity.CRITICAL),
        ({"critical": 0, "info": 3}, Severity.INFO),
        ({}, None),
    ],
)
def test_the_suggested_search_is_for_the_worst_that_there_is(
    counts: dict[str, int], worst: Severity | None
) -> None:
    assert worst_severity(counts) == worst


def test_a_document_is_listed_with_its_first_label_and_its_time_in_utc() -> None:
    document = {
        "@timestamp": "2024-12-02T14:30:01.123456789Z",
        "symbol": "NVDA",
        "price": 138.25,
        "size": 100,
        "anomalies": ["Burst", "Z-Score"],
        "score": 0.75,
        "severity": "high",
        "message": "why",
        "trade_id": "t1",
    }
    striking = as_striking(document)
    assert striking.time == "2024-12-02 14:30:01.123 UTC"
    assert (striking.label, striking.symbol, striking.price, striking.size) == ("Burst", "NVDA", 138.25, 100)
    assert (striking.severity, striking.score, striking.message) == (Severity.HIGH, 0.75, "why")
