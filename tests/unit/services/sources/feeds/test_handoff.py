"""What a feed reads reaches its publisher whole, whatever the two threads do at the same moment."""

import asyncio
import threading

import pytest

from services.sources.feeds.handoff import MOST_PRINTS, Batch, Handoff
from services.sources.feeds.keeper import Shared
from services.sources.feeds.messages import BadMessage
from services.sources.feeds.numbered_keeper import NumberedKeeper
from tests.unit.services.sources.feeds.simulated_venue import make_print


def make_handoff() -> tuple[Handoff, NumberedKeeper]:
    keeper = NumberedKeeper("X", Shared(lambda _: None))
    handoff = Handoff()
    handoff.of({"X": keeper})
    return handoff, keeper


def test_a_batch_that_was_not_taken_yet_is_not_replaced() -> None:
    handoff, keeper = make_handoff()
    handoff.take(0.0)  # nothing has come: the publisher is told of the first print at once
    handoff.add(keeper.live(make_print(1), 0.0))
    handoff._wants_more.set()  # as a `take` does at this moment, which has not looked yet
    handoff.add(keeper.live(make_print(2), 0.0))
    taken = [*handoff.take(0.0).prints, *handoff.rest().prints]
    assert [one.number for one in taken] == [1, 2]


def test_two_threads_lose_nothing() -> None:
    handoff, keeper = make_handoff()
    count = 20_000

    async def read() -> None:
        handoff.attach()
        for number in range(1, count + 1):
            handoff.add(keeper.live(make_print(number), 0.0))
            if number % 7 == 0:
                await asyncio.sleep(0)

    reader = threading.Thread(target=lambda: asyncio.run(read()))
    reader.start()
    batches: list[Batch] = []
    while reader.is_alive():
        batches.append(handoff.take(0.0001))
    reader.join()
    batches += [handoff.rest(), handoff.rest()]
    assert [one.number for batch in batches for one in batch.prints] == list(range(1, count + 1))
    for batch in batches:
        if batch.prints:
            assert batch.places["X"].number == batch.prints[-1].number


@pytest.mark.parametrize("is_bad", [True, False])
def test_the_reader_waits_while_the_publisher_is_far_behind(*, is_bad: bool) -> None:
    handoff, _ = make_handoff()
    if is_bad:
        handoff.add(bad=[BadMessage(b"", "what")] * MOST_PRINTS)
    else:
        handoff.add([make_print(number) for number in range(MOST_PRINTS)])
    assert handoff.is_full
