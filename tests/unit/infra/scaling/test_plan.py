import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.scaling import measured
from infra.scaling.plan import MOST_PARTITIONS, Assumptions, Tape, plan
from infra.scaling.tables import TAPES

TAPES_OF_ANY_SIZE = st.builds(
    Tape,
    name=st.just("any"),
    trades_per_day=st.integers(1, 10**10),
    peak_per_s=st.integers(1, 10**7),
    symbols=st.integers(1, 10**6),
)


@given(TAPES_OF_ANY_SIZE)
def test_what_is_planned_takes_the_peak_with_its_headroom(tape: Tape) -> None:
    needed, chosen = plan(tape), Assumptions()
    wanted_per_s = tape.peak_per_s * chosen.headroom
    assert needed.detectors * measured.DETECTOR_TRADES_PER_S >= wanted_per_s
    assert needed.producers * measured.PRODUCER_TRADES_PER_S >= wanted_per_s
    assert needed.indexers * measured.INDEXER_TRADES_PER_S >= wanted_per_s
    assert needed.brokers >= chosen.replication
    assert needed.nodes > chosen.replicas
    assert 6 <= needed.partitions <= MOST_PARTITIONS


@given(TAPES_OF_ANY_SIZE, st.integers(2, 10))
def test_a_larger_tape_needs_no_less(tape: Tape, times: int) -> None:
    larger = dataclasses.replace(
        tape, trades_per_day=tape.trades_per_day * times, peak_per_s=tape.peak_per_s * times
    )
    small, large = dataclasses.asdict(plan(tape)), dataclasses.asdict(plan(larger))
    del small["detector_gb"], large["detector_gb"]  # shared by more detectors
    assert all(large[name] >= small[name] for name in small)


@given(TAPES_OF_ANY_SIZE)
def test_a_plan_that_one_process_cannot_follow_is_not_called_possible(tape: Tape) -> None:
    busiest_per_s = tape.peak_per_s * Assumptions().busiest_share
    needed = plan(tape)
    if busiest_per_s > measured.DETECTOR_TRADES_PER_S or needed.detectors > needed.partitions:
        assert not needed.is_possible


def test_the_whole_us_tape_is_possible_and_twenty_times_it_is_not() -> None:
    possible = {tape.name: plan(tape).is_possible for tape in TAPES}
    assert possible["the whole US tape"]
    assert not possible["twenty times the whole"]


def test_disk_is_that_of_all_copies_and_days() -> None:
    needed = plan(Tape("whole", 100_000_000, 500_000, 11_000))
    assert needed.kafka_gb == pytest.approx(100e6 * 60 * 7 * 3 / 1e9)
    assert needed.index_gb == pytest.approx(100e6 * 130 * 30 * 2 * 1.5 / 1e9)
