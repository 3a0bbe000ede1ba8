"""Which prints are in order, late or repeats: on tapes as venues have them, and by laws."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.engine.columns import identities
from services.detector.engine.order import (
    AHEAD_NS,
    IN_ORDER,
    LATE,
    MEMORY_NS,
    MEMORY_PRINTS,
    REPEAT,
    TOO_LATE,
    PrintOrder,
    Sorted,
)

SECOND = 1_000_000_000
NINE = 1_764_666_000 * SECOND


@dataclass
class Tape:
    """Prints of sessions; what is not given is the same for all."""

    event_ns: np.ndarray
    sequence: np.ndarray
    tape_ns: np.ndarray
    lane: np.ndarray
    slot: np.ndarray
    identity: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if not len(self.identity):
            self.identity = identities([str(number) for number in range(len(self.event_ns))])

    def __len__(self) -> int:
        return len(self.event_ns)

    def __getitem__(self, at: object) -> "Tape":
        names = ("event_ns", "sequence", "tape_ns", "lane", "slot", "identity")
        return Tape(*(np.asarray(getattr(self, name)[at]) for name in names))


def tape(
    event_ns: np.ndarray,
    sequence: np.ndarray | int = 0,
    tape_ns: np.ndarray | None = None,
    lane: np.ndarray | int = 1,
    slot: np.ndarray | int = 0,
) -> Tape:
    def full(value: np.ndarray | int) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, np.int64), event_ns.shape).copy()

    return Tape(
        event_ns.astype(np.int64),
        full(sequence),
        event_ns.astype(np.int64) if tape_ns is None else tape_ns.astype(np.int64),
        full(lane),
        full(slot),
    )


def in_one(tape: Tape, order: PrintOrder | None = None) -> Sorted:
    if order is None:
        order = PrintOrder()
        for slot in range(int(tape.slot.max(initial=0)) + 1):
            order.open(slot)
    return order.sort(tape.slot, tape.event_ns, tape.tape_ns, tape.sequence, tape.lane, tape.identity)


def steady(count: int, every_ns: int = SECOND // 10) -> np.ndarray:
    return NINE + np.arange(count) * every_ns


def kinds(found: Sorted) -> list[int]:
    return [int(count) for count in np.bincount(found.kind, minlength=4)]


@pytest.mark.parametrize("with_sequence", [True, False])
def test_prints_of_one_packet_are_all_in_order(with_sequence: bool) -> None:
    packets = np.repeat(np.arange(1, 10_001), 5)
    events = NINE + packets * 3_000_000
    assert kinds(in_one(tape(events, packets if with_sequence else 0))) == [50_000, 0, 0, 0]


def test_events_that_step_back_while_the_sequence_rises_are_in_order_and_the_clock_stands_still() -> None:
    events = steady(1_000, 1_000_000)
    events[::7] -= 30_000_000
    found = in_one(tape(events, np.arange(1, 1_001)))
    assert kinds(found) == [1_000, 0, 0, 0]
    assert (np.diff(found.clock_ns) >= 0).all()


def test_events_that_step_back_while_the_receive_time_rises_are_in_order() -> None:
    received = steady(1_000, 1_000_000)
    events = received - 1_000 - (np.arange(1_000) % 7 == 0) * 30_000_000
    assert kinds(in_one(tape(events, 0, received))) == [1_000, 0, 0, 0]


@pytest.mark.parametrize("slower_ns", [200_000, 1_000_000, 3_000_000, 2 * SECOND])
def test_two_venues_merged_by_receive_time_are_in_order(slower_ns: int) -> None:
    random = np.random.default_rng(1)
    events = NINE + np.cumsum(random.exponential(5_000_000, 5_000)).astype(np.int64)
    lane = 1 + (random.random(5_000) < 0.3)
    received = events + np.where(lane == 2, slower_ns, 0)
    number = np.where(lane == 1, np.cumsum(lane == 1), 10**9 + np.cumsum(lane == 2))
    merged = tape(events, number, received, lane)[np.argsort(received, kind="stable")]
    assert kinds(in_one(merged)) == [5_000, 0, 0, 0]


@pytest.mark.parametrize("with_sequence", [True, False])
@pytest.mark.parametrize("received", ["not", "right", "ahead too"])
@pytest.mark.parametrize("ahead_ns", [5 * SECOND, 600 * SECOND, 3 * 3600 * SECOND])
@pytest.mark.parametrize("at", [0, 1, 500])
def test_one_stamp_ahead_moves_no_clock_for_the_prints_after_it(
    with_sequence: bool, received: str, ahead_ns: int, at: int
) -> None:
    events = steady(1_000)
    right = in_one(tape(events))
    wrong = events.copy()
    wrong[at] += ahead_ns
    shown = {"not": None, "right": events + 1_000, "ahead too": wrong + 1_000}[received]
    found = in_one(tape(wrong, np.arange(1, 1_001) if with_sequence else 0, shown))
    assert kinds(found) == [1_000, 0, 0, 0]
    assert np.delete(found.clock_ns, at).tolist() == np.delete(right.clock_ns, at).tolist()


def test_gaps_of_a_thin_symbol_are_gaps() -> None:
    events = NINE + np.cumsum(np.random.default_rng(2).integers(0, 900, 300)) * SECOND
    found = in_one(tape(events, np.arange(1, 301)))
    assert kinds(found) == [300, 0, 0, 0]
    assert found.clock_ns.tolist() == events.tolist()


@pytest.mark.parametrize("with_sequence", [True, False])
def test_a_late_print_tells_how_late_and_an_older_one_than_the_memory_is_left_out(
    with_sequence: bool,
) -> None:
    events = steady(2_000)
    whole = tape(events, np.arange(1, 2_001) if with_sequence else 0)
    late, old = whole[[1_800]], whole[[100]]
    order = PrintOrder()
    order.open(0)
    in_one(whole[np.setdiff1d(np.arange(2_000), [100, 1_800])], order)
    found = in_one(late, order)
    assert kinds(found) == [0, 1, 0, 0]
    assert found.late_ns.tolist() == [events[-1] - events[1_800]]
    assert found.clock_ns.tolist() == [events[-1]]
    assert kinds(in_one(late, order)) == [0, 0, 1, 0]
    assert kinds(in_one(old, order)) == [0, 0, 0, 1]


def test_a_sequence_that_starts_again_while_time_moves_on_is_a_restart_and_no_day_of_late_prints() -> None:
    events = steady(2_000)
    numbers = np.concatenate([np.arange(5_000, 6_000), np.arange(1, 1_001)])
    found = in_one(tape(events, numbers))
    assert kinds(found) == [2_000, 0, 0, 0]
    assert found.restarts == 1


def test_all_again_after_a_restart_is_judged_nowhere() -> None:
    events = steady(2_000, SECOND)
    numbers = np.concatenate([np.arange(5_000, 6_000), np.arange(1, 1_001)])
    order = PrintOrder()
    order.open(0)
    in_one(tape(events, numbers), order)
    again = in_one(tape(events, numbers), order)
    assert kinds(again)[IN_ORDER] == kinds(again)[LATE] == 0


def test_a_late_print_that_is_beyond_its_lane_is_judged_once() -> None:
    # A venue that numbers some prints: the late one, 35, is beyond the numbers of its lane when it comes, and
    # after a restart of the numbers no longer before what the lane's prints agree on when it comes again.
    seconds = np.array([100, 100, 50, 101, 102, 50])
    sequence = np.array([0, 0, 35, 30, 20, 35])
    given = tape(NINE + seconds * SECOND, sequence)
    given.identity[-1] = given.identity[2]
    assert in_one(given).kind.tolist() == [IN_ORDER, IN_ORDER, LATE, IN_ORDER, IN_ORDER, REPEAT]


def test_a_stray_print_of_the_day_before_makes_nothing_of_the_day_late() -> None:
    events = np.concatenate([[NINE + 3 * 3600 * SECOND], steady(100)])
    found = in_one(tape(events, np.concatenate([[5_000_000], np.arange(1, 101)])))
    assert kinds(found) == [101, 0, 0, 0]


def test_the_newest_first_is_told_by_its_steps_back() -> None:
    found = in_one(tape(steady(60)[::-1], np.arange(60, 0, -1)))
    assert found.steps_back >= 58


def test_memory_is_bounded_and_what_was_forgotten_is_too_late() -> None:
    count = 2 * MEMORY_PRINTS
    events = NINE + np.arange(count) * 1_000  # all within a second
    order = PrintOrder()
    order.open(0)
    whole = tape(events, np.arange(1, count + 1))
    in_one(whole, order)
    assert len(order.save(0)) < 16 * (MEMORY_PRINTS + 64) + 1_000
    assert kinds(in_one(whole[[count - 10]], order)) == [0, 0, 1, 0]
    assert kinds(in_one(whole[[10]], order)) == [0, 0, 0, 1]


def test_what_was_forgotten_is_judged_no_second_time_after_the_clock_was_set_back() -> None:
    events = steady(300, SECOND)
    whole = tape(events, np.arange(1, 301))
    back = tape(np.array([NINE - 600 * SECOND]), np.array([5_000]))
    back.identity[:] = 7
    order = PrintOrder()
    order.open(0)
    in_one(whole, order)
    assert kinds(in_one(back, order)) == [1, 0, 0, 0]
    assert kinds(in_one(whole[[20]], order)) == [0, 0, 0, 1]
    assert kinds(in_one(whole[[290]], order)) == [0, 0, 1, 0]


def test_pages_of_a_session_that_ended_are_used_again() -> None:
    order = PrintOrder()
    for _ in range(50):
        order.open(0)
        in_one(tape(steady(1_000), np.arange(1, 1_001)), order)
    assert order._identities.shape[0] <= 64


@pytest.mark.parametrize("change", [lambda saved: saved[:-1], lambda saved: saved + b"x", lambda _: b"short"])
def test_bytes_that_are_no_order_are_rejected(change: object) -> None:
    order = PrintOrder()
    order.open(0)
    in_one(tape(steady(100)), order)
    saved = order.save(0)
    order.open(0)
    with pytest.raises(ValueError, match="the order of its prints"):
        order.restore(0, change(saved))  # type: ignore[operator]


@st.composite
def odd_tapes(draw: st.DrawFn) -> Tape:
    """Few prints of few sessions and lanes, with ties, steps back, stamps ahead, restarts and repeats."""
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = random.choice([0, 0, 1_000, SECOND, AHEAD_NS + 1, MEMORY_NS + 1, -SECOND, -2 * MEMORY_NS], count)
    events = NINE + np.cumsum(steps)
    events[random.random(count) < 0.05] += 3600 * SECOND
    numbers = np.maximum(np.cumsum(random.choice([0, 1, 1, 1, -2, -20], count)) + 30, 0)
    numbers[random.random(count) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = 0
    found = tape(
        events,
        numbers,
        events + random.choice([0, 1_000, -SECOND], count),
        random.integers(1, 4, count),
        random.integers(0, 2, count),
    )
    again = random.integers(0, count, count // 3)
    return found[np.concatenate([np.arange(count), again])] if draw(st.booleans()) else found


@settings(max_examples=300)
@given(tape=odd_tapes(), data=st.data())
def test_any_cut_with_a_restart_at_any_cut_gives_the_same(tape: Tape, data: st.DataObject) -> None:
    whole = in_one(tape)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(tape)), max_size=4)))
    order = PrintOrder()
    order.open(0)
    order.open(1)
    found: list[Sorted] = []
    for start, stop in zip([0, *cuts], [*cuts, len(tape)], strict=True):
        found.append(in_one(tape[slice(start, stop)], order))
        saved = [order.save(slot) for slot in (0, 1)]
        order = PrintOrder()
        for slot in (1, 0):
            order.open(slot)
            order.restore(slot, saved[slot])
        assert [order.save(slot) for slot in (0, 1)] == saved
    for name in ("kind", "clock_ns", "late_ns"):
        assert np.concatenate([getattr(one, name) for one in found]).tolist() == getattr(whole, name).tolist()
    assert sum(one.restarts for one in found) == whole.restarts


@settings(max_examples=300)
@given(tape=odd_tapes())
def test_no_print_is_judged_twice_and_each_one_in_memory_once(tape: Tape) -> None:
    found = in_one(tape)
    seen: set[tuple[int, int]] = set()
    for slot, identity, kind in zip(tape.slot.tolist(), tape.identity.tolist(), found.kind, strict=True):
        if kind in (IN_ORDER, LATE):
            assert (slot, identity) not in seen
            seen.add((slot, identity))
        elif kind == REPEAT:
            assert (slot, identity) in seen
        else:
            assert kind == TOO_LATE


@settings(max_examples=100)
@given(tape=odd_tapes())
def test_sessions_do_not_disturb_each_other(tape: Tape) -> None:
    whole = in_one(tape)
    for slot in (0, 1):
        own = tape.slot == slot
        alone = in_one(replace(tape[own], slot=np.zeros(np.count_nonzero(own), np.int64)))
        assert alone.kind.tolist() == whole.kind[own].tolist()
        assert alone.clock_ns.tolist() == whole.clock_ns[own].tolist()
