"""Whatever a venue, its history and our processes do: each print once, in order, or in a recorded gap."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources.feeds.keeper import Gap, Shared
from services.sources.feeds.messages import Print
from services.sources.feeds.numbered_keeper import NumberedKeeper
from services.sources.feeds.timed_keeper import TimedKeeper
from tests.unit.services.sources.feeds.simulated_venue import Feed, MakeKeeper, make_print

ACTIONS = (
    "send",
    "send",
    "send",
    "send",
    "send",
    "drop",
    "double",
    "swap",
    "lose",
    "connect",
    "restart",
    "step",
)


def numbered() -> MakeKeeper:
    return lambda shared, place: NumberedKeeper("X", shared, place)


def timed(overlap_s: float = 30.0) -> MakeKeeper:
    return lambda shared, place: TimedKeeper("X", shared, place, overlap_s)


KEEPERS = pytest.mark.parametrize("make", [numbered(), timed()], ids=["numbered", "timed"])


def play(feed: Feed, actions: Sequence[str]) -> None:
    """Show the tape print by print, with what goes wrong meanwhile."""
    late: Print | None = None
    for action in actions:
        if action in ("send", "drop", "double", "swap") and feed.shown < len(feed.tape):
            one = feed.tape[feed.shown]
            feed.shown += 1
            if action == "swap" and late is None and feed.is_connected:
                late = one
                continue
            if action != "drop":
                feed.send(one)
            if action == "double":
                feed.send(one)
            if late is not None:
                feed.send(late)
                late = None
        elif action == "lose":
            feed.lose()
            late = None
        elif action == "connect" and not feed.is_connected:
            feed.connect()
        elif action == "restart":
            late = None
            feed.restart()
        feed.step()


def first_published(feed: Feed) -> int:
    return min((one.number for one in feed.published), default=0)


@given(
    actions=st.lists(st.sampled_from(ACTIONS), max_size=120),
    page_prints=st.integers(1, 9),
    lags=st.integers(0, 5),
    most_held=st.sampled_from((1, 3, 1_000)),
)
@settings(max_examples=300)
def test_a_numbered_venues_prints_are_published_once_and_in_order(
    actions: list[str], page_prints: int, lags: int, most_held: int
) -> None:
    tape = [make_print(number) for number in range(1_000, 1_200)]
    feed = Feed(numbered(), tape, page_prints, history_lags=lags, most_held=most_held)
    play(feed, ["send", *actions])
    feed.finish()
    feed.send(tape[feed.shown]) if feed.shown < len(tape) else None
    feed.shown += 1
    feed.finish()
    numbers = [one.number for one in feed.published]
    assert numbers == list(range(1_000, 1_000 + feed.shown))
    assert not feed.lost
    assert feed.shared.held.count == 0


@given(
    actions=st.lists(st.sampled_from(ACTIONS), min_size=20, max_size=120),
    forget_at=st.integers(0, 100),
    forgotten=st.integers(1, 80),
)
@settings(max_examples=200)
def test_what_a_numbered_venues_history_has_forgotten_is_a_recorded_gap(
    actions: list[str], forget_at: int, forgotten: int
) -> None:
    tape = [make_print(number) for number in range(1_000, 1_200)]
    feed = Feed(numbered(), tape)
    play(feed, ["send", *actions[:forget_at]])
    feed.forgotten = min(forgotten, feed.shown)
    play(feed, actions[forget_at:])
    feed.finish()
    feed.send(tape[feed.shown])
    feed.shown += 1
    feed.finish()
    numbers = [one.number for one in feed.published]
    assert numbers == sorted(set(numbers))
    assert set(numbers) | feed.lost == set(range(1_000, 1_000 + feed.shown))
    assert not set(numbers) & feed.lost
    # History still has all others.
    assert all(number < 1_000 + feed.forgotten for number in feed.lost)


@given(
    actions=st.lists(
        st.sampled_from([action for action in ACTIONS if action not in ("drop", "swap")]), max_size=120
    ),
    page_prints=st.integers(1, 9),
    most_held=st.sampled_from((1, 3, 1_000)),
    tied=st.integers(1, 40),
)
@settings(max_examples=300)
def test_a_timed_venues_prints_are_published_once_and_in_order(
    actions: list[str], page_prints: int, most_held: int, tied: int
) -> None:
    tape = [make_print(number, number // tied * 10**9) for number in range(1_000, 1_200)]
    feed = Feed(timed(), tape, page_prints, most_held=most_held)
    play(feed, ["send", *actions])
    feed.finish()
    assert [one.number for one in feed.published] == list(range(1_000, 1_000 + feed.shown))
    assert feed.shared.held.count == 0


@given(actions=st.lists(st.sampled_from(ACTIONS), max_size=120), tied=st.integers(1, 40))
@settings(max_examples=200)
def test_a_timed_venue_doubles_nothing_and_loses_only_what_it_left_out_while_connected(
    actions: list[str], tied: int
) -> None:
    tape = [make_print(number, number // tied * 10**9) for number in range(1_000, 1_200)]
    feed = Feed(timed(), tape)
    play(feed, ["send", *actions])
    feed.finish()
    numbers = [one.number for one in feed.published]
    assert len(numbers) == len(set(numbers))
    missing = set(range(1_000, 1_000 + feed.shown)) - set(numbers)
    assert len(missing) <= actions.count("drop") + actions.count("swap")


@KEEPERS
def test_nothing_is_asked_before_the_first_print(make: MakeKeeper) -> None:
    feed = Feed(make, [make_print(1)])
    feed.connect()
    assert feed.keeper.wanted(100.0) is None
    assert feed.keeper.is_complete
    assert feed.keeper.place is None


@KEEPERS
def test_a_quiet_symbol_is_asked_for_after_a_reconnection(make: MakeKeeper) -> None:
    tape = [make_print(number) for number in range(1, 5)]
    feed = Feed(make, tape)
    play(feed, ["send"])
    feed.lose()
    feed.shown = 4
    feed.finish()
    assert [one.number for one in feed.published] == [1, 2, 3, 4]
    assert [gap.event for gap in feed.gaps] == ["gap_opened", "gap_filled"]
    assert feed.gaps[-1].count == 3


def test_prints_in_the_wrong_order_need_no_history() -> None:
    tape = [make_print(number) for number in range(1, 5)]
    feed = Feed(numbered(), tape)
    for place in (0, 2, 1, 3):
        feed.send(tape[place])
    assert [one.number for one in feed.published] == [1, 2, 3, 4]
    assert feed.gaps == []


def test_a_venues_word_for_the_last_number_opens_a_gap() -> None:
    tape = [make_print(number) for number in range(1, 5)]
    feed = Feed(numbered(), tape)
    play(feed, ["send"])
    feed.shown = 4
    feed.keeper.last_number(4, feed.now_s)
    for _ in range(10):
        feed.step()
    assert [one.number for one in feed.published] == [1, 2, 3, 4]


def test_a_gap_that_history_refuses_is_recorded_with_the_venues_words() -> None:
    tape = [make_print(number) for number in range(1, 9)]
    feed = Feed(numbered(), tape)
    play(feed, ["send", "drop", "drop", "send"])
    assert [one.number for one in feed.published] == [1]
    feed.published += feed.keeper.unavailable("403: not in this plan")
    assert [one.number for one in feed.published] == [1, 4]
    (lost,) = [gap for gap in feed.gaps if gap.event == "gap_lost"]
    assert (lost.start, lost.end, lost.count, lost.reason) == (2, 3, 2, "403: not in this plan")


def test_a_late_reported_print_is_found_after_a_reconnection() -> None:
    """The venue's history has it at its time, before prints that were published live."""
    tape = [
        make_print(1, 10 * 10**9),
        make_print(2, 11 * 10**9),
        make_print(3, 5 * 10**9),
        make_print(4, 12 * 10**9),
    ]
    feed = Feed(timed(), sorted(tape, key=lambda one: one.tape_ns))
    feed.shown = 4
    feed.keeper.connected(0.0)
    early = make_print(0, 1 * 10**9)
    feed.send(early)
    feed.send(tape[0])
    feed.send(tape[1])
    feed.lose()
    feed.finish()
    assert sorted(one.number for one in feed.published) == [0, 1, 2, 3, 4]


def test_the_cursor_of_a_timed_venue_is_small_and_has_all_ties() -> None:
    feed = Feed(timed(), [])
    for number in range(5_000):
        feed.send(make_print(number, number * 10**6))
    place = feed.keeper.place
    assert place is not None
    assert len(place.ids) == 16
    for number in range(5_000, 5_400):
        feed.send(make_print(number, 5_000 * 10**6))
    place = feed.keeper.place
    assert place is not None
    assert len(place.ids) == 400


@pytest.mark.parametrize("ahead", range(1, 6))
@pytest.mark.parametrize("hours", [-2, 1])
def test_prints_with_a_wrong_time_cost_no_others(ahead: int, hours: int) -> None:
    tape = [make_print(number, number * 10**9) for number in range(1_000, 1_100)]
    for at in range(20, 20 + ahead):
        tape[at] = make_print(tape[at].number, tape[at].tape_ns + hours * 3600 * 10**9)
    feed = Feed(timed(), tape)
    for at in range(60):
        feed.shared.clock_ns = (1_000 + at) * 10**9
        play(feed, ["send"])
        if at in (25, 40):
            place = feed.keeper.place
            assert place is not None
            assert len(place.ids) <= 64
            feed.restart()
    feed.lose()
    feed.shown = 100
    feed.shared.clock_ns = 1_100 * 10**9
    feed.finish()
    assert sorted(one.number for one in feed.published) == list(range(1_000, 1_100))


def test_a_machine_whose_clock_is_behind_still_moves_on() -> None:
    feed = Feed(timed(), [])
    for number in range(1_000, 1_100):
        feed.shared.clock_ns = (number - 600) * 10**9
        feed.send(make_print(number, number * 10**9))
    place = feed.keeper.place
    assert place is not None
    assert place.time_ns == 1_099 * 10**9


@KEEPERS
@pytest.mark.parametrize("lags", [0, 3])
def test_prints_that_found_no_room_while_history_was_asked_are_published_in_order(
    make: MakeKeeper, lags: int
) -> None:
    tape = [make_print(number, number * 10**8) for number in range(1_000, 1_200)]
    feed = Feed(make, tape, page_prints=1, most_held=2, history_lags=lags)
    play(feed, ["send", "lose", *["send"] * 5, "connect", *["send"] * 120])
    assert feed.shared.held.count <= 2
    feed.finish()
    assert [one.number for one in feed.published] == list(range(1_000, 1_000 + feed.shown))


def test_history_that_begins_after_a_hole_is_not_collected_page_after_page() -> None:
    tape = [make_print(number) for number in range(1, 2_000)]
    feed = Feed(numbered(), tape, page_prints=10)
    play(feed, ["send", "lose"])
    feed.shown, feed.forgotten = 2_000, 1_000
    feed.connect()
    for _ in range(20):
        feed.step()
        assert feed.shared.held.count <= 20
    feed.finish()
    assert [one.number for one in feed.published] == [1, *range(1_001, 2_000)]
    assert feed.lost == set(range(2, 1_001))


def second_print(second: int, stamped: int | None = None) -> Print:
    return Print("X", f"id-{second}", (second if stamped is None else stamped) * 10**9, 0, b"{}")


def filling_keeper() -> tuple[TimedKeeper, list[Gap]]:
    """Return a keeper that has published up to second 100, and has just been connected again."""
    gaps: list[Gap] = []
    keeper = TimedKeeper("X", Shared(gaps.append), None, 5.0)
    for second in range(90, 101):
        keeper.live(second_print(second), 0.0)
    keeper.connected(10.0)
    return keeper, gaps


def test_what_came_live_during_a_long_fill_is_published_once() -> None:
    keeper, _ = filling_keeper()
    for second in range(105, 126):
        assert keeper.live(second_print(second), 11.0) == ()
    published = [*keeper.page([second_print(second) for second in range(96, 125)])]
    published += keeper.answered(30.0, 31.0)
    assert [one.trade_id for one in published] == [f"id-{second}" for second in range(101, 126)]
    assert keeper.is_complete


@pytest.mark.parametrize("is_lost_again", [False, True])
def test_a_live_print_that_no_history_has_is_published_after_a_fill(*, is_lost_again: bool) -> None:
    keeper, _ = filling_keeper()
    keeper.live(second_print(101, stamped=7), 11.0)
    keeper.live(second_print(102), 11.0)
    if is_lost_again:
        keeper.connected(12.0)
    keeper.live(second_print(103), 13.0)
    published = [*keeper.page([second_print(100), second_print(102), second_print(103)])]
    published += keeper.answered(15.0, 15.0)
    assert {one.trade_id for one in published} == {"id-101", "id-102", "id-103"}
    assert keeper.is_complete
    assert keeper.live(second_print(104), 16.0)


def test_numbers_that_start_again_silence_nothing() -> None:
    feed = Feed(numbered(), [])
    feed.send(make_print(1_000, 10**12))
    for number in range(1, 6):
        feed.send(make_print(number, 10**12 + 2 * 10**9 + number))
    assert [one.number for one in feed.published] == [1_000, 1, 2, 3, 4, 5]
    (gap,) = feed.gaps
    assert (gap.event, gap.start, gap.end) == ("gap_lost", 1_001, None)
    assert "started again" in gap.reason


def test_prints_that_come_again_late_are_no_restart() -> None:
    feed = Feed(numbered(), [])
    for number in range(1, 20):
        feed.send(make_print(number, number * 10**9))
    for number in range(1, 20):
        feed.send(make_print(number, number * 10**9))
    assert [one.number for one in feed.published] == list(range(1, 20))
    assert feed.gaps == []
