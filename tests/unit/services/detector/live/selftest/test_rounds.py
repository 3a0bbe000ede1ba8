"""The live selftest beside real partitions: it notices, takes its turns, and changes nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.contracts.anomaly import anomaly_json
from services.detector.live.selftest.rounds import LiveSelftest, expected_hash
from services.detector.profiles.profile import load_profile
from tests.mutants.harmless import real_anomalies
from tests.mutants.rig import Run, Setup, run
from tests.unit.services.detector.engine.test_engine import NOW


def published(result: Run) -> list[bytes]:
    """Return what a run publishes, and what it counts, in order."""
    return [
        repr((found.trades, found.out_of_order, found.held_back, found.newest_event_time)).encode()
        + b"".join(anomaly_json(one.origin.value, one.anomaly, NOW) for one in found.anomalies)
        for found in result.published
    ]


def check_that_it_changes_nothing(setup: Setup) -> None:
    setup = real_anomalies(setup)
    with_it, without = run(setup), run(setup, has_selftest=False)
    assert with_it.fired
    assert published(with_it) == published(without)
    assert sum(len(found.anomalies) for found in without.published) > 20


def test_a_selftest_changes_nothing_of_what_is_published() -> None:
    check_that_it_changes_nothing(Setup(minutes=9, step_s=60.0, start="17:00:00", partitions=1))


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(
    step_s=st.sampled_from([7.0, 20.0, 60.0]),
    start=st.sampled_from(["14:26:00", "17:00:00", "20:50:00"]),
    partitions=st.integers(1, 3),
)
def test_the_selftest_changes_nothing_at_any_pace_hour_and_number_of_partitions(
    step_s: float, start: str, partitions: int
) -> None:
    check_that_it_changes_nothing(Setup(minutes=9, step_s=step_s, start=start, partitions=partitions))


def test_a_label_is_shown_with_the_symbol_that_fired_last_and_no_other() -> None:
    run(Setup(minutes=9))
    shown = [
        sample.labels
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "tapewatch_selftest_fired_timestamp_seconds"
    ]
    labels = [one["label"] for one in shown]
    assert "Off-Market Price" in labels
    assert len(labels) == len(set(labels))


def test_nothing_is_planted_where_it_is_switched_off() -> None:
    clock = iter(range(0, 10**6, 1_000))
    selftest = LiveSelftest(load_profile(), None, 0.0, 5, lambda: float(next(clock)))
    for _ in range(5):
        selftest.turn({})
    assert not selftest.problems()
    assert selftest.board.fired("off_market_price") is None


def test_a_round_without_a_symbol_that_trades_is_a_round() -> None:
    now = [0.0]
    selftest = LiveSelftest(load_profile(), None, 300.0, 5, lambda: now[0])
    now[0] = 1_000.0
    selftest.turn({})
    assert REGISTRY.get_sample_value("tapewatch_selftest_last_round_timestamp_seconds") == 1_000.0


def test_the_meant_profile_is_a_name_a_file_or_a_hash() -> None:
    default = load_profile().hash
    assert expected_hash(None) is None
    assert expected_hash("default") == expected_hash(default) == default


@pytest.mark.parametrize("meant", ["default", "classic"])
def test_another_profile_than_the_meant_one_is_a_failure(meant: str) -> None:
    result = run(replace(Setup(minutes=0.5), meant=load_profile(meant)))
    assert (result.red is not None) == (meant != "default")
