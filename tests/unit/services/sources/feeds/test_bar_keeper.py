"""The law of bars: none twice, none missing, all in order, also where the venue leaves some out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources.feeds.bar_keeper import BarKeeper
from services.sources.feeds.keeper import Keeper, Shared
from services.sources.feeds.place import Place
from tests.unit.services.sources.feeds.simulated_venue import Feed, make_print
from tests.unit.services.sources.feeds.test_keepers import ACTIONS, play

BAR_NS = 1_000


def bars(shared: Shared, place: Place | None) -> Keeper:
    return BarKeeper("X", shared, place, 40 * BAR_NS / 1e9, 1.0, BAR_NS)


def all_bars(shared: Shared, place: Place | None) -> Keeper:
    return BarKeeper("X", shared, place, 40 * BAR_NS / 1e9, 1.0, None)


@given(
    actions=st.lists(st.sampled_from(ACTIONS), max_size=120),
    page_prints=st.integers(1, 9),
    most_held=st.sampled_from((1, 3, 1_000)),
)
@settings(max_examples=300)
def test_bars_are_published_once_and_in_order_also_those_that_were_left_out(
    actions: list[str], page_prints: int, most_held: int
) -> None:
    tape = [make_print(number) for number in range(1_000, 1_200)]
    feed = Feed(bars, tape, page_prints, most_held=most_held)
    play(feed, ["send", *actions])
    feed.finish()
    feed.send(tape[feed.shown])
    feed.shown += 1
    feed.finish()
    assert [one.number for one in feed.published] == list(range(1_000, 1_000 + feed.shown))
    assert feed.shared.held.count == 0


def holes(numbers: list[int]) -> tuple[Feed, list[int]]:
    """Send bars of some minutes, all there are; return the feed, and for each bar whether it had to wait."""
    tape = [make_print(number) for number in numbers]
    feed = Feed(bars, tape)
    waited = []
    for one in tape:
        feed.shown += 1
        feed.send(one)
        waited.append(int(not feed.keeper.is_complete))
        feed.finish()
    return feed, waited


def test_minutes_without_a_trade_cost_a_question_and_are_no_gap() -> None:
    feed, waited = holes([1, 2, 5, 6, 9])
    assert waited == [0, 0, 1, 0, 1]
    assert [one.number for one in feed.published] == [1, 2, 5, 6, 9]
    assert feed.gaps == []


def test_a_bar_that_was_left_out_is_a_filled_gap() -> None:
    tape = [make_print(number) for number in (1, 2, 3)]
    feed = Feed(bars, tape)
    feed.shown = 3
    feed.send(tape[0])
    feed.send(tape[2])
    assert feed.published == tape[:1]
    feed.finish()
    assert feed.published == tape
    assert [(gap.event, gap.count) for gap in feed.gaps] == [("gap_opened", 1), ("gap_filled", 1)]


@pytest.mark.parametrize("number", [2, 7])
def test_nobody_asks_about_holes_of_all_tickers(number: int) -> None:
    feed = Feed(all_bars, [])
    feed.send(make_print(1))
    feed.send(make_print(number))
    assert [one.number for one in feed.published] == [1, number]
