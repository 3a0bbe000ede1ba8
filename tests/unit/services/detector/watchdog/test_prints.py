from services.detector.watchdog.prints import LEARNT_ARRIVALS, MOST_SYMBOLS, PrintWatchdog

VENUE = "XNAS"


def after(
    arrivals: int, every_s: float = 2.0, symbols: tuple[str, ...] = ("A", "B", "C", "D")
) -> PrintWatchdog:
    watchdog = PrintWatchdog()
    for number in range(arrivals):
        watchdog.arrive([(symbol, VENUE) for symbol in symbols], number * every_s, is_open=True)
    return watchdog


def test_a_symbol_that_prints_no_more_is_told_once() -> None:
    watchdog = after(100)
    for second in range(200, 330, 2):
        watchdog.arrive([("A", VENUE), ("B", VENUE), ("C", VENUE)], second, is_open=True)
    (silent,) = watchdog.silent(330.0, is_open=True)
    assert (silent.symbol, silent.venue) == ("D", VENUE)
    assert silent.reason == "no print for 132 s, where one usually comes every 2 s"
    assert watchdog.count() == 1
    assert watchdog.silent(340.0, is_open=True) == []
    watchdog.arrive([("D", VENUE)], 341.0, is_open=True)
    assert watchdog.count() == 0


def test_a_venue_of_which_most_is_silent_is_told_in_place_of_its_symbols() -> None:
    watchdog = after(100)
    (silent,) = watchdog.silent(330.0, is_open=True)
    assert silent.symbol is None
    assert watchdog.silent(340.0, is_open=True) == []


def test_nothing_is_told_of_the_closed_market_of_the_unknown_and_of_the_thin() -> None:
    assert after(100).silent(330.0, is_open=False) == []
    assert after(LEARNT_ARRIVALS - 1).silent(1e6, is_open=True) == []
    thin = after(60, every_s=400.0)
    assert thin.silent(60 * 400.0 + 3_000.0, is_open=True) == []


def test_the_night_counts_for_nothing() -> None:
    watchdog = after(100)
    assert watchdog.silent(300.0, is_open=False) == []
    assert watchdog.silent(60_000.0, is_open=True) == []
    assert watchdog.silent(60_130.0, is_open=True)


def test_what_the_service_itself_has_missed_counts_for_nothing() -> None:
    watchdog = after(100)
    watchdog.pause(400.0)
    assert watchdog.silent(410.0, is_open=True) == []


def test_memory_is_bounded() -> None:
    watchdog = PrintWatchdog()
    watchdog.arrive([(f"S{number}", VENUE) for number in range(MOST_SYMBOLS + 500)], 1.0, is_open=True)
    assert len(watchdog._rhythms) == MOST_SYMBOLS
