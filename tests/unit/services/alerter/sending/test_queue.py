import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerter.sending.items import Item
from services.alerter.sending.queue import BREAK_AFTER, PROBE_MOST_S, ChannelQueue
from tests.unit.services.alerter.sending.samples import NOON_S, RETRY_S, an_alert


def an_item(number: int = 1, revision: int = 1, *, offset: int | None = None) -> Item:
    place = number * 100 + revision if offset is None else offset
    return Item(an_alert(number, revision), (), NOON_S, NOON_S + RETRY_S, place)


def a_queue(*items: Item) -> ChannelQueue:
    queue = ChannelQueue(random.Random(7))  # noqa: S311
    for item in items:
        queue.add(item)
    return queue


def fail(queue: ChannelQueue, item: Item, now_s: float, retry_after_s: float | None = None) -> float:
    item.attempts += 1
    return queue.failed(item, now_s, retry_after_s)


def test_a_later_revision_waits_while_another_alert_passes() -> None:
    first, later, other = an_item(1, 1), an_item(1, 2), an_item(2, 1)
    queue = a_queue(first, later, other)
    assert queue.next(NOON_S) is first
    retry_s = fail(queue, first, NOON_S)
    assert queue.next(NOON_S) is other
    queue.remove(other)
    assert queue.next(NOON_S) is None
    assert queue.next(retry_s) is first
    queue.remove(first)
    assert queue.next(retry_s) is later


def test_waits_grow_from_one_second_to_five_minutes() -> None:
    item = an_item()
    queue = a_queue(item)
    waits_s = [fail(queue, item, NOON_S) - NOON_S for _ in range(20)]
    assert 1.0 <= waits_s[0] < 1.5
    assert all(240.0 <= wait_s <= 300.0 for wait_s in waits_s[9:])
    assert all(later > earlier for earlier, later in pairwise(waits_s[:8]))


def test_what_the_receiver_asks_for_holds_for_all_messages() -> None:
    first, other = an_item(1), an_item(2)
    queue = a_queue(first, other)
    queue.next(NOON_S)
    assert fail(queue, first, NOON_S, 40.0) == NOON_S + 40.0
    assert queue.next(NOON_S + 39.9) is None
    assert queue.next(NOON_S + 40.0) is other


def test_the_breaker_opens_after_five_failures_and_lets_single_probes_pass() -> None:
    items = [an_item(number) for number in range(1, 9)]
    queue = a_queue(*items)
    for _ in range(BREAK_AFTER):
        item = queue.next(NOON_S)
        assert item is not None
        assert not queue.is_broken
        fail(queue, item, NOON_S)
    assert queue.is_broken
    assert queue.next(NOON_S + 0.9) is None
    probe = queue.next(NOON_S + 2.0)
    assert probe is not None
    fail(queue, probe, NOON_S + 2.0)
    assert queue.next(NOON_S + 2.5) is None
    now_s = NOON_S + 2.0 + PROBE_MOST_S
    probe = queue.next(now_s)
    assert probe is not None
    queue.remove(probe)
    queue.accepted()
    assert not queue.is_broken
    assert queue.next(now_s) is not None


def test_a_message_that_is_never_taken_does_not_open_the_breaker_for_others() -> None:
    poison = an_item(1)
    queue = a_queue(poison)
    now_s = NOON_S
    for _ in range(10):
        assert queue.next(now_s) is poison
        now_s = fail(queue, poison, now_s)
    assert queue.is_failing
    assert not queue.is_broken
    fresh = an_item(2)
    queue.add(fresh)
    assert queue.next(now_s - 1.0) is fresh


def test_what_is_in_flight_does_not_expire() -> None:
    flying, waiting = an_item(1), an_item(2)
    queue = a_queue(flying, waiting)
    queue.next(NOON_S)
    assert queue.take_expired(NOON_S + RETRY_S - 1, flying) == []
    assert queue.take_expired(NOON_S + RETRY_S, flying) == [waiting]
    assert flying in queue


def test_the_oldest_message_tells_how_long_people_wait() -> None:
    assert a_queue().oldest_s is None
    late = an_item(2)
    late.created_s = NOON_S + 5
    assert a_queue(late, an_item(1)).oldest_s == NOON_S


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=30),
    st.lists(st.booleans(), max_size=200),
)
def test_every_message_leaves_once_and_those_of_an_alert_in_order(
    alerts: list[int], accepts: list[bool]
) -> None:
    revisions: Counter[int] = Counter()
    queue = a_queue()
    for offset, number in enumerate(alerts):
        revisions[number] += 1
        queue.add(an_item(number, revisions[number], offset=offset))
    left: list[Item] = []
    now_s = NOON_S
    answers = iter(accepts)
    while len(queue):
        item = queue.next(now_s)
        if item is None:
            now_s += 1.0
            assert now_s < NOON_S + 1e6
            continue
        assert item.not_before_s <= now_s
        if next(answers, True):
            queue.remove(item)
            queue.accepted()
            left.append(item)
        else:
            fail(queue, item, now_s)
    assert sorted(item.offset for item in left) == list(range(len(alerts)))
    for number in revisions:
        own = [item.offset for item in left if item.thread == an_alert(number).alert_id]
        assert own == sorted(own)


def test_a_cleared_queue_keeps_what_is_known_of_the_receiver() -> None:
    items = [an_item(number) for number in range(1, 9)]
    queue = a_queue(*items)
    for _ in range(BREAK_AFTER):
        item = queue.next(NOON_S)
        assert item is not None
        fail(queue, item, NOON_S)
    queue.clear()
    assert len(queue) == 0
    assert queue.is_broken
    queue.add(an_item(1))
    assert queue.next(NOON_S) is None


@pytest.mark.parametrize("retry_after_s", [None, -5.0, 0.0])
def test_a_receiver_that_asks_for_nothing_gets_the_usual_wait(retry_after_s: float | None) -> None:
    item = an_item()
    queue = a_queue(item)
    queue.next(NOON_S)
    assert NOON_S + 1.0 <= fail(queue, item, NOON_S, retry_after_s) < NOON_S + 1.5
