"""What a tenth of a stream is, and what it took."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.growth import growing
from benchmarks.scale.tenths import TENTHS, Sample, growths_of, in_tenths, tenth_of

BEFORE = Sample(
    100.0, 1_000_000, {"detector": 30.0}, {"detector": 400.0}, {"detector": 0}, 90_000_000, 130_000_000
)
AFTER = Sample(
    150.0, 3_000_000, {"detector": 50.0}, {"detector": 410.0}, {"detector": 10}, 240_000_000, 360_000_000
)


@given(st.integers(1, 200))
def test_every_day_is_in_one_tenth_and_tenths_differ_by_a_day_at_most(count: int) -> None:
    parts = in_tenths(list(range(count)))
    assert [day for part in parts for day in part] == list(range(count))
    assert len(parts) == min(TENTHS, count)
    lengths = {len(part) for part in parts}
    assert max(lengths) - min(lengths) <= 1


def test_a_tenth_has_its_own_rate_and_processor_time_and_all_bytes_until_its_end() -> None:
    busy = replace(AFTER, at_s=120.0, memory_mb={"detector": 500.0, "producer": 90.0}, lag={"detector": 700})
    tenth = tenth_of([BEFORE, busy, AFTER])
    assert tenth.trades == 2_000_000
    assert tenth.rate == 40_000
    assert tenth.processor_s == {"detector": 10.0}
    assert tenth.memory_mb == {"detector": 500.0, "producer": 90.0}
    assert tenth.lag == {"detector": 700}
    assert (tenth.kafka_bytes, tenth.elasticsearch_bytes) == (80.0, 120.0)


def test_a_last_tenth_that_costs_more_is_named_and_memory_by_design_is_allowed() -> None:
    first = tenth_of([BEFORE, AFTER])
    last = replace(first, processor_s={"detector": 12.0}, memory_mb={"detector": 520.0})
    assert growing(growths_of([first, last], {})) == [
        "detector: processor time a million trades grew from 10 to 12 s",
        "detector: memory grew from 410 to 520 MB",
    ]
    assert (
        growing(growths_of([first, replace(first, memory_mb={"detector": 520.0})], {"detector": 86.0})) == []
    )


def test_a_process_that_a_tenth_has_not_seen_is_not_compared() -> None:
    first = tenth_of([BEFORE, AFTER])
    last = replace(first, memory_mb={**first.memory_mb, "producer": 900.0})
    assert "producer: memory" not in growths_of([first, last], {})
