import datetime as dt

import pytest

from services.alerter.channels.base import Failed, Gone
from services.alerter.rules.model import ChannelSpec, Hours, Route, Rules
from services.alerter.sending.budget import HOUR_S
from services.alerter.sending.digests import MISSED, OUTSIDE_HOURS
from services.alerter.silencing.silences import new_silence
from services.contracts.alert import AlertState, Matcher, Outcome, Sending
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.sending.samples import (
    NEVER,
    NOON_S,
    World,
    a_channel,
    an_alert,
    some_rules,
)

DESK = some_rules(a_channel())
NOON = Hours(frozenset({0}), dt.time(11, 59), dt.time(12, 1), "UTC")
"""Two minutes of the Monday on which the tests take place."""


def outcomes(world: World) -> list[Outcome]:
    return [each.outcome for each in world.deliveries()]


def test_a_due_revision_is_sent_and_recorded_with_what_it_is_about() -> None:
    world = World(DESK)
    world.append(an_alert(3, 2))
    world.turn()
    world.now_s += 1
    world.answer("desk")
    world.turn()
    [record] = world.deliveries()
    assert (record.outcome, record.attempt, record.status) == (Outcome.SENT, 1, 200)
    assert (record.alert_id, record.revision, record.alert_offset) == (f"{3:032x}", 2, 0)
    assert (record.symbol, record.rule, record.severity) == ("NVDA", "all", Severity.HIGH)
    assert record.timestamp == "2026-03-02T12:00:01.000000Z"
    assert world.commits[-1][0] == 1


def test_a_stale_revision_is_neither_sent_nor_recorded() -> None:
    world = World(DESK)
    world.append(an_alert(sending=Sending.STALE))
    world.drain()
    assert world.records == []
    assert world.received == {}


def test_missed_revisions_are_told_in_one_digest() -> None:
    world = World(DESK)
    world.append(*(an_alert(number, sending=Sending.STALE, is_missed=True) for number in (1, 2, 3)))
    world.turn()
    world.now_s += 11
    world.turn()
    world.answer("desk")
    world.turn()
    assert outcomes(world) == [Outcome.HELD] * 3 + [Outcome.QUEUED, Outcome.SENT]
    digest = world.deliveries(Outcome.SENT)[0].digest
    assert digest is not None
    assert (digest.count, digest.alerts, digest.reason) == (3, 3, MISSED)
    assert len(world.received["desk"]) == 1


def test_an_inhibited_revision_is_recorded_as_silenced() -> None:
    world = World(DESK)
    world.append(an_alert(inhibited_by="f" * 32))
    world.drain()
    assert outcomes(world) == [Outcome.SILENCED]
    assert "f" * 32 in (world.deliveries()[0].reason or "")


def test_a_silence_also_holds_back_what_waits_for_its_next_try() -> None:
    world = World(DESK)
    world.append(an_alert())
    world.turn()
    world.answer("desk", Failed("HTTP 500", 500))
    silence = new_silence(Matcher(channels=["desk"]), 60, "works", "Ada", world.now_s)
    world.silences.put(silence)
    world.now_s += 2
    world.turn()
    assert outcomes(world) == [Outcome.FAILED, Outcome.SILENCED]
    assert world.deliveries()[1].silence_id == silence.silence_id
    assert world.received == {}


def test_what_comes_outside_the_hours_is_told_when_they_begin() -> None:
    world = World(some_rules(a_channel(), routes=[Route("desk", hours=NEVER)]))
    world.append(an_alert(1), an_alert(2))
    world.turn()
    assert outcomes(world) == [Outcome.HELD] * 2
    world.drain()
    [sent] = world.deliveries(Outcome.SENT)
    assert sent.digest is not None
    assert (sent.digest.count, sent.digest.reason) == (2, OUTSIDE_HOURS)
    assert sent.timestamp.startswith("2026-03-07T01:")


def test_what_is_over_the_budget_is_told_an_hour_later_beside_the_budget() -> None:
    world = World(some_rules(a_channel(budget=2)))
    world.append(*(an_alert(number) for number in range(1, 6)))
    for _ in range(6):
        world.turn()
        world.answer("desk")
    assert [each for each in world.received["desk"] if isinstance(each, int)] == [0, 1]
    world.now_s += HOUR_S
    world.turn()
    world.append(an_alert(6), an_alert(7))
    for _ in range(3):
        world.answer("desk")
        world.turn()
    digest = world.deliveries(Outcome.QUEUED)[0].digest
    assert digest is not None
    assert (digest.count, digest.reason) == (3, "the budget of 2 an hour was used up")
    assert len(world.received["desk"]) == 5  # two, the digest, and two


def test_a_message_is_given_up_when_its_time_is_over() -> None:
    world = World(DESK, retry_s=60.0)
    world.append(an_alert(1), an_alert(1, 2))
    while len(world.deliveries(Outcome.DEAD)) < 2:
        world.turn()
        world.answer("desk", Failed("HTTP 500", 500))
        world.now_s += 1
    assert world.now_s <= NOON_S + 62
    assert sorted(world.letters) == [0, 1]
    assert {each.reason for each in world.deliveries(Outcome.DEAD)} <= {
        "not accepted within 0.0166667 hours",
        "not accepted within 0.0166667 hours: HTTP 500",
    }
    assert world.commits[-1][0] == 2


def test_a_receiver_that_asks_for_years_is_tried_again_after_an_hour() -> None:
    world = World(DESK)
    world.append(an_alert(1), an_alert(2))
    world.turn()
    world.answer("desk", Failed("HTTP 429", 429, 1e9))
    assert world.turn() == []
    world.now_s += HOUR_S + 1
    world.drain()
    assert sorted(world.received["desk"], key=str) == [0, 1]


@pytest.mark.parametrize(("kind", "is_told"), [("pagerduty", True), ("alertmanager", True), ("slack", False)])
@pytest.mark.parametrize("why", ["hours", "budget", "silence"])
def test_the_end_reaches_a_receiver_that_keeps_alerts_open(kind: str, is_told: bool, why: str) -> None:
    channel = ChannelSpec("desk", kind, {}, 1 if why == "budget" else None)
    world = World(some_rules(channel, routes=[Route("desk", hours=NOON if why == "hours" else None)]))
    world.append(an_alert())
    world.turn()
    world.answer("desk")
    world.now_s += 1
    if why == "silence":
        world.silences.put(new_silence(Matcher(symbols=["*"]), 9_999, "works", "Ada", world.now_s))
    world.now_s += 180
    world.append(an_alert(1, 2, state=AlertState.GREW), an_alert(1, 3, state=AlertState.CLOSED))
    for _ in range(3):
        world.turn()
        world.answer("desk")
    assert world.received["desk"] == ([0, 2] if is_told else [0])


def test_a_digest_is_made_although_earlier_ones_lead_to_its_channel_no_more() -> None:
    def rules(severity: Severity) -> Rules:
        return some_rules(a_channel(), routes=[Route("desk", severity, NEVER)])

    world = World(rules(Severity.LOW))
    world.append(an_alert(1, severity=Severity.LOW), an_alert(2))
    world.turn()
    world.rules = rules(Severity.HIGH)
    world.start_sender_without_memory()
    world.drain()
    [sent] = world.deliveries(Outcome.SENT)
    assert sent.digest is not None
    assert (sent.digest.count, sent.digest.reason) == (1, OUTSIDE_HOURS)


def test_a_receiver_that_asks_for_more_time_than_there_is_is_given_up() -> None:
    world = World(DESK, retry_s=60.0)
    world.append(an_alert())
    world.turn()
    world.answer("desk", Failed("HTTP 429", 429, 120.0))
    world.turn()
    assert outcomes(world) == [Outcome.DEAD]
    assert world.deliveries()[0].attempt == 1


def test_a_channel_that_is_gone_stays_off_until_another_process_starts() -> None:
    world = World(DESK)
    world.append(an_alert(1), an_alert(2))
    world.turn()
    world.answer("desk", Gone("HTTP 410", 410))
    world.turn()
    world.append(an_alert(3))
    world.turn(aborts=True)
    world.turn()
    assert outcomes(world) == [Outcome.DEAD] * 3
    assert world.letters == [0, 1, 2]
    world.start_sender_without_memory()
    world.append(an_alert(4))
    world.drain()
    assert world.received == {"desk": [3]}


def test_a_restart_counts_tries_and_keeps_the_wait() -> None:
    world = World(DESK)
    world.append(an_alert())
    for _ in range(3):
        world.turn()
        world.answer("desk", Failed("HTTP 500", 500))
        world.turn()
        world.now_s += 10
    world.start_sender_without_memory()
    world.turn()
    world.answer("desk")
    world.turn()
    assert [each.attempt for each in world.deliveries()] == [1, 2, 3, 4]


def test_a_late_answer_is_recorded_after_the_records_were_read_again() -> None:
    world = World(DESK)
    world.append(an_alert())
    world.turn()
    world.turn(aborts=True)
    world.answer("desk")
    world.turn()
    world.drain()
    assert outcomes(world) == [Outcome.SENT]
    assert world.received == {"desk": [0]}


def test_an_answer_without_a_message_in_flight_is_refused() -> None:
    world = World(DESK)
    with pytest.raises(ValueError, match="nothing in flight"):
        world.dispatcher.answered("desk", Failed("HTTP 500"), 0.1, NOON_S)


def test_a_message_that_was_in_flight_when_the_records_were_read_again_keeps_its_wait() -> None:
    world = World(DESK)
    world.append(an_alert())
    world.turn()
    world.turn(aborts=True)
    world.turn()
    world.answer("desk", Failed("HTTP 500", 500))
    assert world.turn() == []
    world.now_s += 2
    assert [item.attempts for _, item in world.turn()] == [2]


def test_what_is_given_up_before_it_is_read_again_is_one_dead_letter() -> None:
    world = World(DESK)
    world.append(an_alert())
    world.turn()
    world.turn(aborts=True)
    world.answer("desk", Gone("HTTP 410", 410))
    assert world.dispatcher.letters == []  # the message that belongs into it is not at hand
    world.turn()
    assert outcomes(world) == [Outcome.DEAD]
    assert world.letters == [0]


def test_records_matter_until_their_revision_is_read_again_and_finished() -> None:
    world = World(some_rules(a_channel("desk"), a_channel("pager")))
    world.append(an_alert())
    world.turn()
    world.answer("desk")
    world.answer("pager", Failed("HTTP 500", 500))
    world.turn()
    for _ in range(2):
        world.now_s += 2 * HOUR_S  # budgets no longer need the records
        world.start_sender_without_memory()
        world.turn(most=0)
    world.drain()
    assert world.received == {"desk": [0], "pager": [0]}


def test_a_digest_survives_restarts_until_it_is_sent() -> None:
    world = World(DESK)
    world.append(an_alert(sending=Sending.STALE, is_missed=True))
    world.turn()
    world.now_s += 11
    world.turn()
    world.answer("desk", Failed("HTTP 500", 500))
    world.turn()
    for _ in range(2):
        world.now_s += 2 * HOUR_S
        world.start_sender_without_memory()
        world.turn(most=0)
        world.kill(is_taken=False)
        world.turn()
        world.answer("desk", Failed("HTTP 500", 500))
        world.turn()
    world.drain()
    digests = [each.digest for each in world.deliveries() if each.digest is not None]
    assert len(digests) == 5
    assert len(set(map(str, digests))) == 1
    assert len(world.received["desk"]) == 1
