import datetime as dt

import msgspec
import pytest

from services.alerter.deciding.decider import Decider
from services.alerter.live.finish import STALE_S, Finisher
from services.alerter.live.settings import AlerterSettings
from services.alerter.rules.reading import load_rules
from services.alerter.seen import Seen
from services.contracts.alert import Alert, AlertState, Sending
from tests.unit.services.alerter.live.samples import EVENT_MS, TIME, seen

SETTINGS = AlerterSettings()


def after(seconds: float) -> dt.datetime:
    return TIME + dt.timedelta(seconds=seconds)


def opened() -> Alert:
    (alert,) = Decider(load_rules()).anomaly(seen())
    return alert


def finished(
    seconds: float,
    of: Seen | None = None,
    *,
    state: AlertState = AlertState.OPENED,
    was_due: bool = False,
    send_old: bool = False,
) -> Alert:
    alert = msgspec.structs.replace(opened(), state=state)
    return Finisher(SETTINGS, send_old, lambda: after(seconds))(alert, of, was_due)


@pytest.mark.parametrize(
    ("seconds", "sending"),
    [(-60, Sending.DUE), (0, Sending.DUE), (STALE_S, Sending.DUE), (STALE_S + 1, Sending.STALE)],
)
def test_an_alert_is_stale_once_its_last_trade_is_too_old(seconds: float, sending: Sending) -> None:
    assert finished(seconds, seen()).sending is sending
    assert finished(seconds, seen(), state=AlertState.GREW).sending is sending
    assert finished(seconds, seen(), send_old=True).sending is Sending.DUE


@pytest.mark.parametrize("state", [AlertState.CLOSED, AlertState.WITHDRAWN, AlertState.GREW])
def test_what_no_anomaly_brings_is_told_to_those_who_were_told_before(state: AlertState) -> None:
    for seconds in (0, 10 * STALE_S):
        assert finished(seconds, state=state, was_due=True).sending is Sending.DUE
        assert finished(seconds, state=state, was_due=False).sending is Sending.STALE
        assert not finished(seconds, state=state, was_due=False).is_missed


def test_what_is_judged_again_after_a_reset_is_told_to_nobody() -> None:
    again = seen(trade_time_ms=EVENT_MS, is_judged_again=True)
    assert finished(1, again).sending is Sending.STALE
    assert not finished(1, again).is_missed
    assert finished(1, again, send_old=True).sending is Sending.DUE


def test_only_what_came_live_for_the_first_time_was_missed() -> None:
    late = 2 * STALE_S
    assert finished(late, seen(trade_time_ms=EVENT_MS + 900)).is_missed
    assert not finished(1, seen(trade_time_ms=EVENT_MS)).is_missed
    assert not finished(late, seen(trade_time_ms=EVENT_MS + 901_000)).is_missed
    assert not finished(late, seen(trade_time_ms=None)).is_missed
    assert not finished(late, seen(trade_time_ms=EVENT_MS, is_judged_again=True)).is_missed


def test_links_lead_to_the_worst_anomaly_where_addresses_are_known() -> None:
    assert finished(0, seen()).links == {}
    settings = AlerterSettings(dashboard_url="http://127.0.0.1:8501/", kibana="http://127.0.0.1:5601")
    links = Finisher(settings, False, lambda: TIME)(opened(), seen(), False).links
    assert links["dashboard"] == "http://127.0.0.1:8501/anomaly?id=id%2F1"
    assert links["kibana"].startswith("http://127.0.0.1:5601/app/discover#/?_g=(time:")
    assert "id/1" in links["kibana"] or "id%2F1" in links["kibana"]


def test_the_time_of_the_decision_is_written_in_utc() -> None:
    assert finished(0.5, seen()).decided_at == "2024-12-02T15:00:00.500000Z"
