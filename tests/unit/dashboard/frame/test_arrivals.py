import datetime as dt

from dashboard.frame.arrivals import Arrival, Arrivals

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def test_an_arrival_is_when_there_are_more_trades_than_before() -> None:
    arrivals = Arrivals()
    assert arrivals.note(100, NOW) == Arrival(0, NOW)
    assert arrivals.note(107, after(5)) == Arrival(7, after(5))
    assert arrivals.note(107, after(10)) == Arrival(7, after(5))


def test_fewer_trades_are_no_arrival_but_more_after_them_are() -> None:
    arrivals = Arrivals()
    arrivals.note(100, NOW)
    assert arrivals.note(40, after(5)) == Arrival(0, NOW)
    assert arrivals.note(41, after(10)) == Arrival(1, after(10))
