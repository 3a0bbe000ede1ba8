from dashboard.pages.pipeline.selftest import problems, to_table
from services.common.observability.samples import to_samples
from services.common.observability.selftest import PERIODS_LATE_S, selftest_health
from tests.docs import surface

ONE = """
tapewatch_selftest_failing{check="Off-Market Price"} 0.0
tapewatch_selftest_failing{check="Burst"} 0.0
tapewatch_selftest_failing{check="state"} 0.0
tapewatch_selftest_fired_timestamp_seconds{label="Off-Market Price",symbol="NVDA"} 1000.0
tapewatch_selftest_last_round_timestamp_seconds 1000.0
tapewatch_stalled_partitions 0.0
tapewatch_silent_symbols 1.0
"""
OTHER = """
tapewatch_selftest_failing{check="Off-Market Price"} 0.0
tapewatch_selftest_failing{check="Burst"} 1.0
tapewatch_selftest_fired_timestamp_seconds{label="Off-Market Price",symbol="AMD"} 900.0
tapewatch_selftest_last_round_timestamp_seconds 0.0
tapewatch_stalled_partitions 2.0
tapewatch_silent_symbols 2.0
"""


def test_each_label_says_which_symbol_fired_last_and_how_long_ago_over_all_detectors() -> None:
    health = selftest_health([to_samples(ONE), to_samples(OTHER)])
    assert health is not None
    table = to_table(health, 1_041.0)
    assert table["Selftest"].tolist() == [
        "Burst: failing",
        "Off-Market Price: NVDA fired 41 s ago",
        "state: passes",
    ]
    assert table["State"].tolist() == ["failing", "working", "nothing wrong"]
    assert health.silent_symbols == 3
    assert [text.partition(":")[0] for text in problems(health, 1_041.0)] == [
        "The selftest fails",
        "Nobody works off 2 of the partitions of trades. Check the detector's instances and its log.",
    ]


def test_rounds_that_have_stopped_are_told() -> None:
    health = selftest_health([to_samples(ONE)])
    assert health is not None
    assert problems(health, 1_000.0 + PERIODS_LATE_S) == []
    assert "has stopped" in problems(health, 1_001.0 + PERIODS_LATE_S)[0]


def test_a_service_without_a_selftest_has_none() -> None:
    assert selftest_health([to_samples("tapewatch_lag_messages 1\n")]) is None


def test_what_is_read_is_what_the_detector_serves() -> None:
    assert {*to_samples(ONE)} <= surface.metrics().keys()
