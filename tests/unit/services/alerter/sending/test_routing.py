import datetime as dt

import pytest

from services.alerter.rules.model import Hours, Route
from services.alerter.sending.routing import channels_of, is_open
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.sending.samples import NEVER, a_channel, an_alert, some_rules

WORKDAYS = frozenset(range(5))
OFFICE = Hours(WORKDAYS, dt.time(9), dt.time(17, 30), "America/New_York")
NIGHT = Hours(WORKDAYS, dt.time(22), dt.time(6), "America/New_York")
WHOLE_DAYS = Hours(frozenset({5, 6}), dt.time(0), dt.time(0), "UTC")


def seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        (OFFICE, "2026-03-02T08:59:59-05:00", False),
        (OFFICE, "2026-03-02T09:00:00-05:00", True),
        (OFFICE, "2026-03-02T17:29:59-05:00", True),
        (OFFICE, "2026-03-02T17:30:00-05:00", False),
        (OFFICE, "2026-03-07T12:00:00-05:00", False),  # a Saturday
        (OFFICE, "2026-03-09T13:00:00+00:00", True),  # summer time since Sunday
        (OFFICE, "2026-03-06T13:30:00+00:00", False),  # and not before
        (NIGHT, "2026-03-06T23:00:00-05:00", True),
        (NIGHT, "2026-03-07T05:59:00-05:00", True),  # Friday's night
        (NIGHT, "2026-03-07T06:00:00-05:00", False),
        (NIGHT, "2026-03-07T23:00:00-05:00", False),
        (NIGHT, "2026-03-09T05:00:00-04:00", False),  # Sunday's night
        (WHOLE_DAYS, "2026-03-07T00:00:00+00:00", True),
        (WHOLE_DAYS, "2026-03-08T23:59:59+00:00", True),
        (WHOLE_DAYS, "2026-03-09T00:00:00+00:00", False),
    ],
)
def test_hours_are_local_and_belong_to_the_day_on_which_they_begin(
    hours: Hours, at: str, expected: bool
) -> None:
    assert is_open((hours,), seconds(at)) is expected


def test_no_hours_are_all_hours_and_any_of_several_is_enough() -> None:
    at_s = seconds("2026-03-02T12:00:00-05:00")
    assert is_open((), at_s)
    assert is_open((NEVER, OFFICE), at_s)


def test_a_revision_goes_to_each_channel_once_where_its_severity_fits() -> None:
    routes = [
        Route("pager", Severity.CRITICAL),
        Route("desk", hours=OFFICE),
        Route("desk", hours=NIGHT),
        Route("log", hours=OFFICE),
        Route("log", Severity.HIGH),
    ]
    rules = some_rules(a_channel("pager"), a_channel("desk"), a_channel("log"), routes=routes)
    assert channels_of(rules, an_alert(severity=Severity.MEDIUM)) == {
        "desk": (OFFICE, NIGHT),
        "log": (OFFICE,),
    }
    assert channels_of(rules, an_alert(severity=Severity.CRITICAL)) == {
        "pager": (),
        "desk": (OFFICE, NIGHT),
        "log": (),
    }


def test_who_was_told_when_it_was_more_severe_is_told_of_its_end() -> None:
    rules = some_rules(a_channel("pager"), routes=[Route("pager", Severity.CRITICAL)])
    fallen = an_alert(1, 2, severity=Severity.MEDIUM, highest_severity=Severity.CRITICAL)
    assert channels_of(rules, fallen) == {"pager": ()}
    assert channels_of(rules, an_alert(1, 2, severity=Severity.MEDIUM)) == {}


def test_a_rule_that_is_no_longer_in_the_file_sends_nothing() -> None:
    assert channels_of(some_rules(a_channel()), an_alert(rule="of old")) == {}
