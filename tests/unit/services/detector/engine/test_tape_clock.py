import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.tape_clock import UNKNOWN, ClockReading, clock_metadata, read_clock
from services.detector.engine.tape_clock import TapeClock

HOUR_NS = 3_600_000_000_000
TIMES = st.lists(st.integers(1, 10**18), max_size=30)


def walked(clock: TapeClock, event_ns: list[int]) -> list[int]:
    found: list[int] = clock.advance(np.array(event_ns, np.int64)).tolist()
    return found


@given(event_ns=TIMES, cuts=st.lists(st.integers(0, 30), max_size=5))
def test_the_clock_does_not_depend_on_batches_or_on_restarts_from_what_was_committed(
    event_ns: list[int], cuts: list[int]
) -> None:
    whole = TapeClock(UNKNOWN)
    expected = walked(whole, event_ns)
    reading = UNKNOWN
    found: list[int] = []
    for start, end in itertools.pairwise([0, *sorted(cuts), 30]):
        clock = TapeClock(read_clock(clock_metadata(reading)))
        found += walked(clock, event_ns[start:end])
        reading = clock.reading
    assert (found, reading) == (expected, whole.reading)


@given(event_ns=TIMES)
def test_the_clock_never_falls_and_is_never_ahead_of_the_trades_before(event_ns: list[int]) -> None:
    found = walked(TapeClock(UNKNOWN), event_ns)
    assert found == sorted(found)
    assert all(clock <= max(event_ns[:at], default=0) for at, clock in enumerate(found))


@given(at=st.integers(0, 9), hours=st.integers(-20, 20))
def test_one_wrong_stamp_moves_nothing(at: int, hours: int) -> None:
    event_ns = [HOUR_NS * 100 + n for n in range(10)]
    straight = TapeClock(UNKNOWN)
    walked(straight, event_ns)
    event_ns[at] += hours * HOUR_NS
    clock = TapeClock(UNKNOWN)
    found = walked(clock, event_ns)
    assert max([*found, clock.reading.ns]) <= straight.reading.last_ns
    walked(clock, [HOUR_NS * 101, HOUR_NS * 101 + 1])
    assert clock.reading.ns == HOUR_NS * 101


def test_what_another_program_has_committed_is_no_clock() -> None:
    for metadata in (None, "", "17", "a b", "1 2 3"):
        assert read_clock(metadata) == UNKNOWN
    assert read_clock("17 19") == ClockReading(17, 19)
