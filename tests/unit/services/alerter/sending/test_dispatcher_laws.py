"""Laws of sending, over drawn histories of alerts, answers, silences, kills and aborted transactions."""

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.alerter.channels.base import Accepted, Answer, Failed, Gone
from services.alerter.rules.model import Hours, Route
from services.alerter.sending.dispatcher import Dispatcher
from services.alerter.silencing.silences import new_silence
from services.contracts.alert import Digest, Matcher, Outcome, Sending
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.sending.samples import (
    World,
    a_channel,
    an_alert,
    fits,
    some_rules,
)

EVENINGS = Hours(frozenset(range(7)), dt.time(20), dt.time(21), "UTC")
CHANNELS = ("desk", "pager", "night")
RULES = some_rules(
    a_channel("desk", budget=3),
    a_channel("pager"),
    a_channel("night"),
    routes=[Route("desk"), Route("pager", Severity.HIGH), Route("night", hours=EVENINGS)],
)

ANSWERS: st.SearchStrategy[tuple[Answer, bool]] = st.sampled_from(
    [
        (Accepted(200), True),
        (Accepted(200), True),
        (Failed("HTTP 500", 500), False),
        (Failed("the connection was cut", None), True),
        (Failed("HTTP 429", 429, 40.0), False),
        (Gone("HTTP 410", 410), False),
    ]
)
KINDS: dict[str, dict[str, object]] = {
    "due": {},
    "low": {"severity": Severity.LOW},
    "missed": {"sending": Sending.STALE, "is_missed": True},
    "stale": {"sending": Sending.STALE},
}


@dataclass(frozen=True)
class Round:
    """Alerts come, the sender reads some and sends, receivers answer, and then something happens."""

    alerts: list[tuple[int, str]]
    reads: int
    answers: dict[str, tuple[Answer, bool]]
    waits_s: float
    ends: str


ROUNDS = st.lists(
    st.builds(
        Round,
        alerts=st.lists(st.tuples(st.integers(1, 2), st.sampled_from(("due", *KINDS))), max_size=3),
        reads=st.sampled_from([1, 1_000]),
        answers=st.dictionaries(st.sampled_from(CHANNELS), ANSWERS, max_size=3),
        waits_s=st.sampled_from([0.0, 0.0, 2.0, 60.0, 4_000.0, 90_000.0]),
        ends=st.sampled_from(["well", "well", "abort", "abort and answer", "kill", "kill taken", "silence"]),
    ),
    max_size=14,
)


def lived(rounds: list[Round]) -> World:
    world = World(RULES)
    revisions: Counter[int] = Counter()
    for each in rounds:
        for number, kind in each.alerts:
            revisions[number] += 1
            world.append(an_alert(number, revisions[number], **KINDS[kind]))
        world.turn(most=each.reads)
        for channel, (answer, is_taken) in each.answers.items():
            world.answer(channel, answer, is_taken=is_taken)
        if each.ends.startswith("abort"):
            world.turn(aborts=True)
            for channel in CHANNELS if each.ends.endswith("answer") else ():
                world.answer(channel)  # before its revision is read again
        elif each.ends == "silence":
            world.silences.put(new_silence(Matcher(channels=["desk"]), 30.0, "works", "Ada", world.now_s))
        elif each.ends != "well":
            world.kill(is_taken=each.ends == "kill taken")
        world.now_s += each.waits_s
    return world


READ_AGAIN_IN_PART = [
    Round([(1, "missed")], 1, {}, 0.0, "well"),
    Round([(1, "due"), (1, "missed")], 1, {}, 0.0, "well"),
    Round([], 1, {}, 0.0, "abort"),
    Round([], 1, {}, 60.0, "well"),
    Round([], 1, {}, 0.0, "abort"),
]
"""A digest falls due while only the first of two revisions that were held back was read again."""


@settings(max_examples=100)
@given(ROUNDS)
@example(READ_AGAIN_IN_PART)
def test_every_revision_ends_exactly_once_on_each_of_its_channels(rounds: list[Round]) -> None:
    world = lived(rounds)
    world.drain()
    ends: Counter[tuple[str, int]] = Counter()
    held: Counter[tuple[str, str]] = Counter()
    for each in world.deliveries():
        if each.alert_offset is not None and each.outcome not in (Outcome.FAILED, Outcome.QUEUED):
            ends[each.channel, each.alert_offset] += 1
        if each.outcome is Outcome.HELD:
            held[each.channel, each.reason or ""] += 1
    expected = {
        (channel, offset)
        for offset, (alert, _) in enumerate(world.alerts)
        for channel in CHANNELS
        if fits(alert) and (channel != "pager" or alert.severity is not Severity.LOW)
    }
    assert set(ends) == expected
    assert set(ends.values()) <= {1}
    told: Counter[tuple[str, str]] = Counter()
    for each in world.deliveries(Outcome.QUEUED):
        assert each.digest is not None
        told[each.channel, each.digest.reason] += each.digest.count
    assert told == held
    dead = [each for each in world.deliveries(Outcome.DEAD) if each.alert_offset is not None]
    assert sorted(world.letters) == sorted(each.alert_offset or 0 for each in dead)


@settings(max_examples=100)
@given(ROUNDS)
def test_receivers_get_what_is_recorded_as_sent_and_repeats_only_after_cuts_and_kills(
    rounds: list[Round],
) -> None:
    world = lived(rounds)
    world.drain()
    repeats = 0
    for channel in CHANNELS:
        received = world.received.get(channel, [])
        repeats += len(received) - len(set(received))
        sent = {
            each.alert_id if each.alert_offset is None else each.alert_offset
            for each in world.deliveries(Outcome.SENT)
            if each.channel == channel
        }
        assert sent <= set(received)
    assert repeats <= world.repeats_allowed


@settings(max_examples=100)
@given(ROUNDS)
def test_revisions_of_an_alert_arrive_in_order(rounds: list[Round]) -> None:
    world = lived(rounds)
    world.drain()
    for received in world.received.values():
        first = list(dict.fromkeys(each for each in received if isinstance(each, int)))
        by_alert: dict[str, list[int]] = {}
        for offset in first:
            alert = world.alerts[offset][0]
            by_alert.setdefault(alert.alert_id, []).append(alert.revision)
        assert all(revisions == sorted(revisions) for revisions in by_alert.values())


@settings(max_examples=100)
@given(ROUNDS, st.randoms(use_true_random=False))
def test_a_replay_from_any_commit_sends_nothing_that_has_a_sent_record(
    rounds: list[Round],
    draw: random.Random,
) -> None:
    world = lived(rounds)
    world.drain()
    for offset, first, count in draw.sample(world.commits, min(10, len(world.commits))):
        end = draw.randint(count, len(world.records))
        replayed = Dispatcher(RULES, world.retry_s, world.silences, random.Random(1), world.now_s)  # noqa: S311
        replayed.restore(world.past(first, end), offset, end)
        for number in range(offset, len(world.alerts)):
            replayed.take(*(world.alerts[number][0], number), world.now_s, world.now_s)
        sent = {
            (each.channel, each.alert_offset if each.digest is None else each.digest.digest_id)
            for each in world.deliveries()[:end]
            if each.outcome is Outcome.SENT
        }
        chosen = set()
        for _ in range(len(world.alerts) + 100):
            for name, item in replayed.next(world.now_s):
                chosen.add((name, item.ident))
                replayed.started(name, item, world.now_s)
                replayed.answered(name, Accepted(), 0.0, world.now_s)
        assert not {(name, ident) for name, ident in chosen if (name, ident) in sent}


@settings(max_examples=100)
@given(ROUNDS)
def test_every_digest_is_sent_with_the_same_content(rounds: list[Round]) -> None:
    world = lived(rounds)
    world.drain()
    digests: dict[str, Digest] = {}
    for each in world.deliveries():
        if each.digest is not None:
            assert digests.setdefault(each.alert_id, each.digest) == each.digest
