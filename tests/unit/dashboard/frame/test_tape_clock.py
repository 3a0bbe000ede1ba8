import datetime as dt

import pytest

from dashboard.frame.arrivals import Arrival
from dashboard.frame.tape_clock import TapeClock, Tone, details, tape_clock
from dashboard.server.tape_end import TapeEnd

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
NONE_YET = Arrival(0, NOW - dt.timedelta(hours=1))
JUST_NOW = Arrival(1200, NOW - dt.timedelta(seconds=2))
A_MINUTE_AGO = Arrival(1200, NOW - dt.timedelta(seconds=61))


def tape(age: dt.timedelta | None, future: dt.datetime | None = None) -> TapeEnd:
    return TapeEnd(1200, None if age is None else NOW - age, future, None, None)


@pytest.mark.parametrize(
    ("age", "arrival", "expected"),
    [
        (None, NONE_YET, TapeClock("no trades yet", Tone.CALM)),
        (dt.timedelta(seconds=2.4), JUST_NOW, TapeClock("2 s behind", Tone.CALM)),
        (dt.timedelta(seconds=-3), JUST_NOW, TapeClock("0 s behind", Tone.CALM)),
        (dt.timedelta(seconds=119), A_MINUTE_AGO, TapeClock("119 s behind", Tone.CALM)),
        (dt.timedelta(minutes=3), A_MINUTE_AGO, TapeClock("no trade for 3 min", Tone.LATE)),
        (dt.timedelta(minutes=3), NONE_YET, TapeClock("no trade for 3 min", Tone.LATE)),
        (dt.timedelta(minutes=35), JUST_NOW, TapeClock("35 min behind", Tone.LATE)),
        (dt.timedelta(days=271), JUST_NOW, TapeClock("replaying 4 June 2025", Tone.CALM)),
        (dt.timedelta(days=271), A_MINUTE_AGO, TapeClock("last trade 4 June 2025", Tone.CALM)),
        # Only where days ahead of the clock count as sessions.
        (dt.timedelta(days=-3), JUST_NOW, TapeClock("replaying 5 March 2026", Tone.CALM)),
        (dt.timedelta(days=-3), A_MINUTE_AGO, TapeClock("last trade 5 March 2026", Tone.CALM)),
    ],
)
def test_the_clock_says_how_far_the_tape_is(
    age: dt.timedelta | None, arrival: Arrival, expected: TapeClock
) -> None:
    assert tape_clock(tape(age), arrival, NOW) == expected


def test_details_name_each_time_and_its_age() -> None:
    end = TapeEnd(
        1200,
        NOW - dt.timedelta(seconds=3),
        dt.datetime(2035, 6, 5, tzinfo=dt.UTC),
        NOW - dt.timedelta(seconds=90),
        NOW - dt.timedelta(seconds=80),
    )
    assert details(end, JUST_NOW, NOW) == [
        ("Newest trade", "2026-03-02 14:59:57 UTC, 3 s ago"),
        ("Trades", "1,200"),
        ("Last indexed", "2 s ago (1,200 trades)"),
        ("Newest anomaly", "2026-03-02 14:58:30 UTC, 90 s ago"),
        ("Last detected", "80 s ago"),
        ("Dated in the future", "2035-06-05 00:00:00 UTC: not counted here"),
    ]


def test_details_leave_out_what_is_not_known() -> None:
    names = [name for name, _ in details(tape(None), NONE_YET, NOW)]
    assert names == ["Trades", "Last indexed"]


def test_details_count_a_single_trade_as_one() -> None:
    assert ("Last indexed", "2 s ago (1 trade)") in details(tape(None), Arrival(1, JUST_NOW.at), NOW)
