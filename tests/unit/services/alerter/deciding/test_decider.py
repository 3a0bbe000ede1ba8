import random

import msgspec
import pytest

from services.alerter.deciding.decider import Decider
from services.alerter.deciding.state import MOST_OVER
from services.alerter.rules.model import Match
from services.alerter.seen import Seen
from services.contracts.alert import Alert, AlertState, Print, Sending, alert_id
from services.contracts.anomaly import Severity
from services.contracts.topics import DEAD_LETTER_MAX_BYTES
from tests.unit.services.alerter.anomalies import NEVER_NS, at, correction, rule, rules, seen

OPENED, GREW, CLOSED, WITHDRAWN = AlertState


def told(alerts: list[Alert]) -> list[tuple[AlertState, int, int]]:
    return [(alert.state, alert.revision, alert.count) for alert in alerts]


def test_the_first_anomaly_opens_an_alert_that_says_all_of_it() -> None:
    [alert] = Decider(rules()).anomaly(seen(1, "a", score=0.8, severity="high", venue="XNAS"))
    assert alert.alert_id == alert_id("all", "NVDA", "Burst", "2024-12-02", "a")
    assert (alert.state, alert.revision, alert.count) == (OPENED, 1, 1)
    assert (alert.severity, alert.score, alert.labels, alert.group) == ("high", 0.8, ["Burst"], "Burst")
    assert alert.timestamp == alert.last_time == alert.worst.trade.time == "2024-12-02T16:00:01.000000000Z"
    assert (alert.first_trade, alert.last_trade, alert.anomalies) == ("a", "a", ["a"])
    assert (alert.message, alert.quiet_s, alert.worst.venue) == ("Burst of a.", 60.0, "XNAS")
    assert (alert.worst.trade.price, alert.worst.trade.size, alert.worst.trade.side) == (100.5, 200, "B")
    assert alert.worst.detections[0].detector == "burst"


def test_the_count_is_told_when_it_doubles() -> None:
    decider = Decider(rules())
    counts = [alert.count for n in range(20) for alert in decider.anomaly(seen(n, f"t{n}"))]
    assert counts == [1, 2, 4, 8, 16]


def test_a_rising_severity_is_told_and_does_not_move_the_next_doubling() -> None:
    decider = Decider(rules())
    severities = ["low", "low", "high", "medium", "low"]
    found = [
        alert
        for n, name in enumerate(severities)
        for alert in decider.anomaly(seen(n, f"t{n}", severity=name))
    ]
    assert [(alert.count, alert.severity) for alert in found] == [
        (1, "low"),
        (2, "low"),
        (3, "high"),
        (4, "high"),
    ]
    assert found[-1].worst.trade.trade_id == "t2"
    assert "The worst of 4 anomalies in 3 s." in found[-1].message


@pytest.mark.parametrize(("gap_s", "joins"), [(60, True), (60.000000001, False)])
def test_an_anomaly_joins_within_the_quiet_time_of_the_last_one(gap_s: float, joins: bool) -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    found = decider.anomaly(seen(gap_s, "b", clock=0))
    assert told(found) == ([(GREW, 2, 2)] if joins else [(CLOSED, 2, 1), (OPENED, 1, 1)])


def test_an_alert_closes_once_the_tape_is_past_its_quiet_time() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    assert decider.clock(at(60)) == []
    [closed] = decider.clock(at(60) + 1)
    assert (closed.state, closed.revision, closed.count) == (CLOSED, 2, 1)
    assert closed.message == "Burst of a. Over: nothing more for 60 s."
    assert decider.clock(NEVER_NS) == []
    assert decider.open_count == 0


def test_the_clock_of_a_later_message_closes_too_although_its_trade_is_late() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    assert told(decider.anomaly(seen(50, "b", clock=61))) == [(CLOSED, 2, 1), (OPENED, 1, 1)]


def test_a_late_anomaly_joins_what_is_open_and_does_not_move_its_end_back() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(100, "a"))
    [grew] = decider.anomaly(seen(30, "b", clock=110))
    assert (grew.count, grew.last_trade, grew.anomalies) == (2, "a", ["a", "b"])


def test_a_stamp_far_ahead_does_not_draw_in_what_follows() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(86_400, "ahead", clock=0))
    assert told(decider.anomaly(seen(1, "a", clock=0))) == [(CLOSED, 2, 1), (OPENED, 1, 1)]


def test_an_anomaly_is_in_an_alert_of_each_rule_that_it_fits() -> None:
    decider = Decider(
        rules(
            rule("labels"),
            rule("families", group_by="family"),
            rule("symbols", group_by="none"),
            rule("high", match=Match(severity=Severity.HIGH)),
        )
    )
    found = decider.anomaly(seen(0, "a", labels=["Unusual Size", "Burst"]))
    assert [(alert.rule, alert.group) for alert in found] == [
        ("labels", "Unusual Size"),
        ("families", "Size"),
        ("symbols", ""),
    ]
    assert len({alert.alert_id for alert in found}) == 3


def test_groups_are_apart_unless_the_rule_joins_them() -> None:
    one, other = (["Burst"], ["Fast Market"])
    for group_by, count in (("label", 1), ("family", 2), ("none", 2)):
        decider = Decider(rules(rule(group_by=group_by)))
        decider.anomaly(seen(0, "a", labels=one))
        [alert] = decider.anomaly(seen(1, "b", labels=other))
        assert alert.count == count
    assert alert.labels == ["Burst", "Fast Market"]


def test_what_is_natural_opens_and_joins_nothing() -> None:
    decider = Decider(rules())
    assert decider.anomaly(seen(0, "a", severity="info")) == []
    decider.anomaly(seen(1, "b"))
    assert decider.anomaly(seen(2, "c", severity="info")) == []
    assert decider.clock(NEVER_NS)[0].count == 1


def test_symbols_are_apart() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    assert told(decider.anomaly(seen(1, "b", symbol="AAPL"))) == [(OPENED, 1, 1)]
    assert [alert.symbol for alert in decider.clock(NEVER_NS)] == ["NVDA", "AAPL"]


# Anomalies that grow


def test_later_revisions_of_an_anomaly_count_once_and_carry_its_alert_on() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", revision=1))
    assert decider.anomaly(seen(0, "a", clock=50, revision=2, last_trade="z")) == []
    assert decider.clock(at(100)) == []
    [grew] = decider.anomaly(seen(105, "b"))
    assert (grew.count, grew.anomalies) == (2, ["a", "b"])


def test_an_anomaly_that_becomes_more_severe_makes_its_alert_so() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", revision=1))
    [grew] = decider.anomaly(
        seen(0, "a", clock=5, revision=2, severity="high", score=0.9, message="Worse.", last_trade="z")
    )
    assert (grew.state, grew.severity, grew.score, grew.message) == (GREW, "high", 0.9, "Worse.")
    assert (grew.last_trade, grew.last_time) == ("z", "2024-12-02T16:00:05.000000000Z")


def test_an_anomaly_that_falls_below_the_floor_stays() -> None:
    decider = Decider(rules(rule(match=Match(severity=Severity.MEDIUM))))
    decider.anomaly(seen(0, "a", revision=1))
    assert decider.anomaly(seen(0, "a", clock=5, revision=2, severity="low", score=0.5)) == []
    [closed] = decider.clock(NEVER_NS)
    assert (closed.count, closed.severity, closed.score) == (1, "medium", 0.7)


def test_an_anomaly_opens_an_alert_with_the_revision_that_reaches_the_floor() -> None:
    decider = Decider(rules(rule(match=Match(severity=Severity.HIGH))))
    assert decider.anomaly(seen(0, "a", revision=1)) == []
    [opened] = decider.anomaly(seen(0, "a", clock=300, revision=5, severity="high", last_trade="z"))
    assert (opened.state, opened.first_trade, opened.last_trade) == (OPENED, "a", "z")
    assert decider.clock(at(360)) == []


def test_what_becomes_more_severe_after_its_alert_has_closed_is_told_there() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", revision=1))
    decider.clock(at(61))
    [alert] = decider.anomaly(seen(0, "a", clock=90, revision=2, severity="critical"))
    assert (alert.state, alert.revision, alert.severity, alert.count) == (CLOSED, 3, "critical", 1)
    assert alert.last_time == alert.timestamp


def test_the_same_message_again_changes_nothing() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", revision=2))
    assert decider.anomaly(seen(0, "a", revision=2)) == []
    assert decider.anomaly(seen(0, "a", revision=1)) == []


# Retractions


def test_an_alert_whose_anomalies_are_all_retracted_is_withdrawn() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    decider.anomaly(seen(1, "b"))
    assert decider.retraction("NVDA", "a", at(2)) == []
    [alert] = decider.retraction("NVDA", "b", at(2))
    assert (alert.state, alert.revision, alert.count, alert.anomalies) == (WITHDRAWN, 3, 0, [])
    assert "Withdrawn: none of its trades is flagged any more." in alert.message
    assert decider.clock(NEVER_NS) == []
    assert decider.retraction("NVDA", "b", at(2)) == []


def test_an_alert_that_has_closed_is_withdrawn_too() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    assert told(decider.retraction("NVDA", "a", at(61))) == [(CLOSED, 2, 1), (WITHDRAWN, 3, 0)]


def test_what_is_left_of_an_alert_gives_its_severity_and_message() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", severity="critical", score=0.99))
    decider.anomaly(seen(1, "b"))
    decider.retraction("NVDA", "a", at(2))
    [closed] = decider.clock(NEVER_NS)
    assert (closed.severity, closed.score, closed.count, closed.anomalies) == ("medium", 0.7, 1, ["b"])
    assert closed.message.startswith("Burst of b.")
    assert closed.worst.trade.trade_id == "b"


def test_an_id_that_opens_again_continues_with_the_next_revision() -> None:
    decider = Decider(rules())
    [first] = decider.anomaly(seen(0, "a"))
    decider.retraction("NVDA", "a", at(2))
    [again] = decider.anomaly(seen(0, "a"))
    assert again.alert_id == first.alert_id
    assert told([again, *decider.clock(NEVER_NS)]) == [(OPENED, 3, 1), (CLOSED, 4, 1)]


def test_an_id_opens_again_after_a_reset_though_other_symbols_are_years_ahead() -> None:
    decider = Decider(rules())
    [first] = decider.anomaly(seen(0, "a", clock=1e8))
    decider.anomaly(seen(900, "b", clock=1e8))
    decider.retraction("NVDA", "a", at(1e8), is_judged_again=True)
    again = decider.anomaly(seen(0, "a", clock=1e8))
    assert (first.alert_id, 4) in [(alert.alert_id, alert.revision) for alert in again]


def test_a_retraction_of_what_is_in_no_alert_changes_nothing() -> None:
    decider = Decider(rules())
    assert decider.retraction("NVDA", "a", None) == []
    assert decider.take_changed() == set()


# Corrections


def test_a_cancelled_print_is_told_once_in_its_open_alert() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    [alert] = decider.correction(correction("a"))
    assert (alert.state, alert.revision, alert.cancelled) == (GREW, 2, ["a"])
    assert "The print was cancelled by the venue." in alert.message
    assert decider.correction(correction("a")) == []
    [closed] = decider.clock(NEVER_NS)
    assert closed.cancelled == ["a"]
    assert "cancelled by the venue" in closed.message


def test_a_cancelled_print_of_a_closed_alert_leaves_it_closed() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    decider.clock(NEVER_NS)
    [alert] = decider.correction(correction("a"))
    assert (alert.state, alert.revision, alert.cancelled) == (CLOSED, 3, ["a"])


def test_a_cancel_that_comes_before_its_anomaly_is_told_after_it() -> None:
    decider = Decider(rules())
    assert decider.correction(correction("a")) == []
    assert "NVDA" in decider.take_changed()
    assert told(decider.anomaly(seen(0, "a"))) == [(OPENED, 1, 1), (GREW, 2, 1)]


def test_each_correction_of_a_print_is_told() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    [first] = decider.correction(correction("a", 1, "correct"))
    [second] = decider.correction(correction("a", 2, "cancel"))
    assert "The print was corrected by the venue." in first.message
    assert (second.cancelled, second.revision) == (["a"], 3)


def test_one_cancelled_print_of_several_says_whether_it_was_the_worst() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    decider.anomaly(seen(1, "b", severity="high"))
    [first] = decider.correction(correction("a", 1))
    [second] = decider.correction(correction("b", 2))
    assert "1 print was cancelled by the venue." in first.message
    assert "2 prints were cancelled by the venue, the worst among them." in second.message


def test_a_correction_that_names_no_trade_or_one_of_no_alert_tells_nothing() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a"))
    assert decider.correction(correction(None)) == []
    assert decider.correction(correction("other", 2)) == []


# Inhibition


def test_a_critical_alert_inhibits_less_urgent_ones_of_its_symbol() -> None:
    decider = Decider(rules())
    [critical] = decider.anomaly(seen(0, "a", severity="critical"))
    [lower] = decider.anomaly(seen(1, "b", labels=["Unusual Size"], severity="high"))
    [elsewhere] = decider.anomaly(seen(1, "c", symbol="AAPL"))
    assert critical.inhibited_by is None
    assert lower.inhibited_by == critical.alert_id
    assert elsewhere.inhibited_by is None


def test_alerts_as_urgent_as_the_inhibiting_one_are_told() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", severity="critical"))
    [other] = decider.anomaly(seen(1, "b", labels=["Unusual Size"], severity="critical"))
    assert other.inhibited_by is None


@pytest.mark.parametrize(
    ("inhibited_by", "is_inhibited"),
    [(Severity.CRITICAL, False), (Severity.HIGH, True), (None, False)],
)
def test_the_rule_says_what_inhibits(inhibited_by: Severity | None, is_inhibited: bool) -> None:
    decider = Decider(rules(rule(inhibited_by=inhibited_by)))
    decider.anomaly(seen(0, "a", severity="high"))
    [lower] = decider.anomaly(seen(1, "b", labels=["Unusual Size"], severity="low"))
    assert (lower.inhibited_by is not None) is is_inhibited


def test_nothing_is_inhibited_after_the_critical_alert_has_closed() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", severity="critical"))
    [closed, lower] = decider.anomaly(seen(61, "b", labels=["Unusual Size"], clock=60.5))
    assert (closed.state, lower.inhibited_by) == (CLOSED, None)


def test_those_who_were_told_of_an_alert_are_told_of_its_end() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", labels=["Unusual Size"]))
    decider.anomaly(seen(1, "b", severity="critical"))
    decider.anomaly(seen(2, "c", labels=["Silence"]))
    by_group = {alert.group: alert for alert in decider.clock(NEVER_NS)}
    assert by_group["Unusual Size"].inhibited_by is None
    assert by_group["Silence"].inhibited_by == by_group["Burst"].alert_id


def test_an_anomaly_of_two_rules_inhibits_in_whatever_order_they_stand() -> None:
    high = rule("high", match=Match(severity=Severity.HIGH))
    for some in ((high, rule("all", group_by="none")), (rule("all", group_by="none"), high)):
        found = Decider(rules(*some)).anomaly(seen(0, "a", severity="critical"))
        assert [alert.inhibited_by for alert in found] == [None, None]


# What depends on the clock of the wall


def test_finish_gives_a_revision_what_it_lacks_and_hears_whether_one_was_due() -> None:
    heard: list[tuple[AlertState, str | None, bool]] = []

    def finish(alert: Alert, brought_by: Seen | None, was_due: bool) -> Alert:
        heard.append((alert.state, brought_by.trade_id if brought_by else None, was_due))
        is_due = was_due or (brought_by is not None and brought_by.trade_id == "b")
        sending = Sending.DUE if is_due else Sending.STALE
        return msgspec.structs.replace(alert, sending=sending)

    decider = Decider(rules(), finish)
    decider.anomaly(seen(0, "a"))
    decider.anomaly(seen(1, "b"))
    decider.correction(correction("a"))
    restored = Decider(rules(), finish)
    restored.restore("NVDA", decider.save("NVDA"))
    [closed] = restored.clock(NEVER_NS)
    assert closed.sending is Sending.DUE
    assert heard == [(OPENED, "a", False), (GREW, "b", False), (GREW, None, True), (CLOSED, None, True)]


def test_trades_are_kept_for_later_revisions() -> None:
    decider = Decider(rules())
    [opened] = decider.anomaly(seen(0, "a"))
    trades = [Print("x", "2024-12-02T16:00:00Z", 1.0, 2.0)]
    decider.take_changed()
    decider.keep_trades("NVDA", opened.alert_id, trades)
    assert decider.take_changed() == {"NVDA"}
    assert decider.clock(NEVER_NS)[0].trades == trades


def test_only_symbols_whose_state_has_changed_are_saved() -> None:
    decider = Decider(rules(rule(match=Match(severity=Severity.HIGH))))
    decider.anomaly(seen(0, "a"))
    assert decider.take_changed() == set()
    decider.anomaly(seen(0, "b", severity="high"))
    assert decider.take_changed() == {"NVDA"}
    assert decider.take_changed() == set()
    decider.clock(NEVER_NS)
    assert decider.take_changed() == {"NVDA"}


def test_an_alert_of_a_rule_that_is_gone_closes_by_its_own_quiet_time() -> None:
    before = Decider(rules(rule("old", quiet_s=600.0)))
    before.anomaly(seen(0, "a"))
    after = Decider(rules(rule("new")))
    after.restore("NVDA", before.save("NVDA"))
    assert [alert.rule for alert in after.anomaly(seen(1, "b"))] == ["new"]
    assert [alert.rule for alert in after.clock(at(500))] == ["new"]
    assert [alert.rule for alert in after.clock(at(601))] == ["old"]


@pytest.mark.parametrize("saved", [b"", b"x", b"\x78\x9c"])
def test_a_state_that_cannot_be_read_is_refused(saved: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Decider(rules()).restore("NVDA", saved)


def test_what_a_reset_takes_back_is_told_to_nobody() -> None:
    def finish(alert: Alert, _brought_by: Seen | None, was_due: bool) -> Alert:
        is_due = alert.state is AlertState.OPENED or was_due
        return msgspec.structs.replace(alert, sending=Sending.DUE if is_due else Sending.STALE)

    for is_judged_again, sending in ((False, Sending.DUE), (True, Sending.STALE)):
        decider = Decider(rules(), finish)
        decider.anomaly(seen(0, "a"))
        [withdrawn] = decider.retraction("NVDA", "a", at(2), is_judged_again)
        assert (withdrawn.state, withdrawn.sending) == (WITHDRAWN, sending)


def test_an_alert_whose_severity_falls_says_how_high_it_was() -> None:
    decider = Decider(rules())
    decider.anomaly(seen(0, "a", severity="critical", score=0.99))
    decider.anomaly(seen(1, "b"))
    decider.retraction("NVDA", "a", at(2))
    [closed] = decider.clock(NEVER_NS)
    assert (closed.severity, closed.highest_severity) == ("medium", "critical")


def test_the_end_is_told_of_an_alert_that_a_reset_takes_back_and_finds_again() -> None:
    def finish(alert: Alert, brought_by: Seen | None, was_due: bool) -> Alert:
        is_due = was_due if brought_by is None else not brought_by.is_judged_again
        return msgspec.structs.replace(alert, sending=Sending.DUE if is_due else Sending.STALE)

    def again(decider: Decider) -> tuple[Alert, Alert]:
        decider.retraction("NVDA", "a", at(2), is_judged_again=True)
        restored = Decider(rules(), finish)
        restored.restore("NVDA", decider.save("NVDA"))
        found = msgspec.structs.replace(seen(0, "a"), is_judged_again=True)
        [opened] = restored.anomaly(found)
        [closed] = restored.clock(NEVER_NS)
        return opened, closed

    decider = Decider(rules(), finish)
    decider.anomaly(seen(0, "a", severity="critical", score=0.99))
    opened, closed = again(decider)
    assert (opened.sending, closed.sending) == (Sending.STALE, Sending.DUE)
    assert (closed.severity, closed.highest_severity) == ("medium", "critical")
    # Of one that had ended before the reset, that was told already.
    decider = Decider(rules(), finish)
    decider.anomaly(seen(0, "a"))
    decider.clock(NEVER_NS)
    assert [one.sending for one in again(decider)] == [Sending.STALE, Sending.STALE]


def test_the_state_of_a_symbol_with_many_alerts_fits_into_a_message() -> None:
    draw = random.Random(7)  # noqa: S311
    decider = Decider(rules())
    second = 0
    for _ in range(MOST_OVER + 50):
        for part in range(8):
            second += 1
            trade_id = f"{draw.getrandbits(128):032x}"
            message = f"{draw.getrandbits(2400):0600x}"
            decider.anomaly(seen(second, trade_id, score=0.5 + part / 100, message=message))
        second += 120
    assert len(decider.save("NVDA")) < DEAD_LETTER_MAX_BYTES * 3 / 4
