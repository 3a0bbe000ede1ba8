from services.alerter.sending.budget import HOUR_S, Budget
from services.alerter.sending.digests import MISSED, OUTSIDE_HOURS, HeldBack, used_up
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.sending.samples import NEVER, NOON_S, an_alert

FREE = Budget(None)
SATURDAY_S = NOON_S + 5 * 86_400 - 11 * 3600 + 60  # 01:01


def held(reason: str, *, hours: bool = False) -> HeldBack:
    back = HeldBack("desk", reason)
    back.add(an_alert(1), 4, (NEVER,) if hours else (), NOON_S)
    return back


def test_a_digest_counts_revisions_and_alerts_and_names_the_worst() -> None:
    back = held(MISSED)
    back.add(an_alert(2, severity=Severity.CRITICAL, score=0.8), 5, (), NOON_S + 1)
    back.add(an_alert(2, 2, severity=Severity.CRITICAL, score=0.8), 6, (), NOON_S + 2)
    back.add(an_alert(3, severity=Severity.LOW, score=1.0), 7, (), NOON_S + 3)
    digest = back.digest(NOON_S + 20)
    assert (digest.count, digest.alerts, digest.channel, digest.reason) == (4, 3, "desk", MISSED)
    assert digest.worst == an_alert(2, severity=Severity.CRITICAL, score=0.8)
    assert digest.timestamp == "2026-03-02T12:00:20.000000Z"
    assert back.offsets == [4, 5, 6, 7]


def test_the_id_depends_on_channel_reason_and_content() -> None:
    ids = {held(MISSED).digest(NOON_S).digest_id, held(OUTSIDE_HOURS).digest(NOON_S).digest_id}
    other = HeldBack("pager", MISSED)
    other.add(an_alert(1), 4, (), NOON_S)
    ids.add(other.digest(NOON_S).digest_id)
    assert len(ids) == 3
    assert held(MISSED).digest(NOON_S + 1).digest_id in ids


def test_what_is_outside_the_hours_is_told_when_they_begin() -> None:
    back = held(OUTSIDE_HOURS, hours=True)
    assert not back.is_due(NOON_S, FREE, None)
    assert back.is_due(SATURDAY_S, FREE, None)


def test_what_was_missed_is_told_once_no_more_comes_but_not_later_than_five_minutes() -> None:
    back = held(MISSED)
    assert not back.is_due(NOON_S + 9, FREE, None)
    assert back.is_due(NOON_S + 10, FREE, None)
    for second in range(1, 300):
        back.add(an_alert(1), 4 + second, (), NOON_S + second)
        assert not back.is_due(NOON_S + second, FREE, None)
    assert back.is_due(NOON_S + 300, FREE, None)


def test_a_used_up_budget_is_told_when_it_has_room_and_at_most_once_an_hour() -> None:
    budget = Budget(1)
    budget.spend(NOON_S - 60)
    back = held(used_up(1))
    assert not back.is_due(NOON_S, budget, None)
    later_s = NOON_S - 60 + HOUR_S
    assert not back.is_due(later_s, budget, later_s - HOUR_S + 1)
    assert back.is_due(later_s, budget, None)
    assert back.is_due(later_s, budget, later_s - HOUR_S)


def test_a_digest_of_any_kind_waits_for_the_hours() -> None:
    assert not held(MISSED, hours=True).is_due(NOON_S + 60, FREE, None)
    assert held(MISSED, hours=True).is_due(SATURDAY_S, FREE, None)
