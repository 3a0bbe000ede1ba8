import datetime as dt

from services.alerter.channels.notice import key_of, shown, told_at, told_moment, type_of
from services.contracts.alert import AlertState
from tests.unit.services.alerter.channels.samples import alert, digest


def test_a_revision_and_a_digest_have_different_keys_and_types() -> None:
    closed = alert(revision=7, state=AlertState.CLOSED)

    assert (key_of(closed), type_of(closed)) == (f"{closed.alert_id}.7", "alert.closed")
    assert (key_of(digest()), type_of(digest())) == ("d" * 32, "alert.digest")


def test_the_time_is_that_of_the_decision() -> None:
    assert told_at(alert()) == "2024-12-02T14:30:09.200000Z"
    assert told_moment(alert()) == dt.datetime(2024, 12, 2, 14, 30, 9, 200_000, dt.UTC)
    assert told_at(digest()) == "2024-12-02T15:00:00Z"


def test_an_alert_without_such_a_time_has_its_last_trade_s_to_microseconds() -> None:
    assert told_moment(alert(decided_at="")) == dt.datetime(2024, 12, 2, 14, 30, 9, 0, dt.UTC)


def test_a_digest_shows_its_worst_alert() -> None:
    assert shown(digest()) == alert() == shown(alert())
