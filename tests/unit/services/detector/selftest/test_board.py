from services.detector.selftest.board import MOST_SYMBOLS, UNSURE_FAILURES, Board
from services.detector.selftest.rotation import Rotation
from services.detector.selftest.trial import Outcome, Trial

FIRED, QUIET, WAITING = (
    Trial("off_market_price", outcome) for outcome in (Outcome.FIRED, Outcome.QUIET, Outcome.WAITING)
)
UNSURE = Trial("burst", Outcome.QUIET)


def board() -> Board:
    return Board(["off_market_price", "burst"])


def test_one_failure_is_none_and_two_in_a_row_are_one() -> None:
    one = board()
    one.note("A", QUIET, 1.0)
    assert not one.failing()
    assert one.to_repeat() == ["A"]
    one.note("B", QUIET, 2.0)
    assert one.failing() == {"off_market_price": "Off-Market Price: B did not fire"}
    one.note("B", FIRED, 3.0)
    assert not one.failing()
    fired = one.fired("off_market_price")
    assert fired is not None
    assert (fired.symbol, fired.at_s) == ("B", 3.0)


def test_a_symbol_that_fails_twice_fails_though_others_fire_where_the_plant_is_sure() -> None:
    one = board()
    for _ in range(2):
        one.note("A", QUIET, 1.0)
        one.note("B", FIRED, 1.0)
        one.note("A", UNSURE, 1.0)
        one.note("B", Trial("burst", Outcome.FIRED), 1.0)
    assert one.failing() == {"off_market_price": "Off-Market Price: A did not fire"}


def test_where_the_plant_is_not_sure_it_takes_more_failures() -> None:
    one = board()
    for number in range(UNSURE_FAILURES):
        assert not one.failing()
        one.note(f"S{number}", UNSURE, 1.0)
    assert one.failing() == {"burst": f"Burst: S{UNSURE_FAILURES - 1} did not fire"}


def test_what_waits_says_nothing() -> None:
    one = board()
    one.note("A", QUIET, 1.0)
    for _ in range(5):
        one.note("A", WAITING, 2.0)
    assert not one.failing()
    assert one.fired("off_market_price") is None


def test_only_so_many_symbols_are_remembered() -> None:
    one = board()
    for number in range(3 * MOST_SYMBOLS):
        one.note(f"S{number}", QUIET, 1.0)
    assert len(one.to_repeat()) == MOST_SYMBOLS


def test_every_active_symbol_has_its_turn_before_one_has_two() -> None:
    rotation = Rotation()
    active = [f"S{number}" for number in range(7)]
    chosen = [symbol for _ in range(4) for symbol in rotation.choose(active, 2)]
    assert set(chosen) == set(active)
    assert len(set(chosen[:7])) == 7
    assert rotation.choose([*active, "NEW"], 1) == ["NEW"]
    assert rotation.choose([], 3) == []
