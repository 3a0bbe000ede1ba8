import datetime as dt
from urllib.parse import parse_qs

from dashboard.pages.overview.links import linked, moment_url, symbol_address, symbol_url, zoomed
from dashboard.pages.overview.state import View
from dashboard.ui.time_ranges import Period
from tests.unit.dashboard.answers import RANGE

MONDAY, TUESDAY = (Period(day, day) for day in (dt.date(2026, 3, 2), dt.date(2026, 3, 3)))
EVIL = '"><script>&symbol=B#?'


def test_a_link_to_a_symbol_keeps_session_time_and_filters() -> None:
    view = View(period="last-5", time_range=RANGE, labels=("Burst",), severities=("high", "low"), find="AC")
    assert symbol_address(view, "ACME") == {
        "symbol": "ACME",
        "session": "last-5",
        "from": "2026-03-02T14:30Z",
        "to": "2026-03-02T16:30Z",
        "label": "Burst",
        "severity": "high,low",
    }


def test_a_stretch_of_its_own_replaces_the_time_of_the_view() -> None:
    assert symbol_address(View(), "ACME", RANGE)["from"] == "2026-03-02T14:30Z"
    assert moment_url(View(), RANGE) == "?from=2026-03-02T14%3A30Z&to=2026-03-02T16%3A30Z"


def test_a_link_to_a_symbol_keeps_a_range_that_moves_on() -> None:
    assert symbol_address(View(period="15m"), "ACME") == {"symbol": "ACME", "range": "15m"}


def test_a_stretch_of_the_last_minutes_is_of_its_session_as_they_move_on() -> None:
    assert zoomed(View(period="15m"), RANGE) == View(period="2026-03-02", time_range=RANGE)
    assert zoomed(View(period="last-5"), RANGE) == View(period="last-5", time_range=RANGE)
    assert symbol_address(View(period="15m"), "ACME", RANGE)["session"] == "2026-03-02"
    assert "range" not in symbol_address(View(period="15m"), "ACME", RANGE)


def test_links_of_a_page_that_stays_with_its_session_name_it() -> None:
    assert linked(View(), MONDAY, newest=TUESDAY) == View(period="2026-03-02")
    assert linked(View(), TUESDAY, newest=TUESDAY) == View()


def test_a_symbol_is_one_value_of_the_address_whatever_its_name() -> None:
    url = symbol_url(View(), EVIL)
    assert parse_qs(url.removeprefix("?")) == {"symbol": [EVIL]}
