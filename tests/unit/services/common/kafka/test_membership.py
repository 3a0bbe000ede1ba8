from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from services.common.kafka import membership
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.coordinator import StuckCoordinator
from services.common.kafka.membership import CHECK_EVERY_S, PATIENCE_S, GroupCheck, MembershipWatch, Standing
from services.common.observability.health import Health
from tests.unit.services.common.clock import FakeClock

STUCK = StuckCoordinator("group", 3, "1 (kafka:9092)", "not written")


def group(state: str, error: KafkaError | None = None, **members: int) -> Any:  # noqa: ANN401
    """Return what the broker says of a group, with members and how many topics each has partitions of."""
    described = [
        SimpleNamespace(id=name, assignment=b"\0\0" + count.to_bytes(4, "big") + b"rest" * count)
        for name, count in members.items()
    ]
    return SimpleNamespace(id="group", state=state, error=error, members=described)


@pytest.mark.parametrize(
    ("described", "standing"),
    [
        (group("Stable", other=6, me=0), Standing.STANDBY),
        (group("Stable", other=6), Standing.ABSENT),
        (group("Stable", other=3, me=3), Standing.UNTOLD),
        (group("Empty"), Standing.ABSENT),
        (group("Dead"), Standing.ABSENT),
        (group("PreparingRebalance", me=0), Standing.FORMING),
        (group("CompletingRebalance", me=0), Standing.FORMING),
        (group("", KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)), Standing.UNANSWERED),
        (None, Standing.ABSENT),
    ],
)
def test_standing_follows_from_the_group_as_described(described: Any, standing: Standing) -> None:  # noqa: ANN401
    assert membership.judge(described, "me") is standing


class FakeAdmin:
    def __init__(self, answer: object, is_away: bool = False) -> None:
        self.answer = answer
        self.is_away = is_away

    def list_topics(self, topic: str, timeout: float) -> None:
        if self.is_away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def list_groups(self, group: str, timeout: float) -> list[object]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer]


def seen(monkeypatch: pytest.MonkeyPatch, admin: FakeAdmin, is_probing: bool) -> GroupCheck:
    monkeypatch.setattr(membership, "find_stuck_coordinator", lambda *_: STUCK)
    kafka = KafkaConnection("kafka:9092")
    return membership.check_membership(admin, kafka, "group", "trades", "me", is_probing)  # type: ignore[arg-type]


def test_silent_broker_and_silent_coordinator_are_distinguished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = KafkaException(KafkaError(KafkaError._TIMED_OUT))
    assert seen(monkeypatch, FakeAdmin(silent, is_away=True), True) == GroupCheck(Standing.BROKER_AWAY)
    assert seen(monkeypatch, FakeAdmin(silent), False) == GroupCheck(Standing.UNANSWERED)
    assert seen(monkeypatch, FakeAdmin(silent), True) == GroupCheck(Standing.UNANSWERED, STUCK)


def test_coordinator_of_a_standby_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    stable = FakeAdmin(group("Stable", other=6, me=0))
    assert seen(monkeypatch, stable, True) == GroupCheck(Standing.STANDBY)


class Watched:
    """A watch whose checks are answered immediately."""

    def __init__(self, sight: GroupCheck) -> None:
        self.sight = sight
        self.clock = FakeClock()
        self.health = Health()
        self.probes = 0
        self.watch = MembershipWatch(self._ask, "detector", "group", self.health, self.clock)

    def _ask(self, member_id: str, is_probing: bool) -> Future[GroupCheck]:
        assert member_id == "me"
        self.probes += is_probing
        outcome: Future[GroupCheck] = Future()
        outcome.set_result(self.sight)
        return outcome

    def rejoins_within(self, seconds: float) -> int:
        count = 0
        for _ in range(round(seconds)):
            self.clock.now_s += 1.0
            self.watch.turn("me")
            answer = self.watch.turn("me")
            count += answer is not None and answer is not Standing.STANDBY
        return count


def test_usual_rebalance_is_not_disturbed() -> None:
    watched = Watched(GroupCheck(Standing.FORMING))
    assert watched.rejoins_within(PATIENCE_S - 1) == 0
    assert watched.health.detail == "starting"


def test_member_without_partitions_joins_again_after_its_patience_and_reports_why() -> None:
    watched = Watched(GroupCheck(Standing.ABSENT))
    assert watched.rejoins_within(PATIENCE_S + CHECK_EVERY_S) == 1
    assert watched.health.detail == "partitions: the group does not know this member"
    assert watched.probes == 0


def test_coordinator_is_probed_if_joining_again_did_not_help() -> None:
    watched = Watched(GroupCheck(Standing.FORMING, STUCK))
    assert watched.rejoins_within(2 * (PATIENCE_S + CHECK_EVERY_S)) == 2
    assert watched.probes > 0
    assert STUCK.hint.rstrip(".") in watched.health.detail


def test_tries_become_rarer_but_never_end() -> None:
    watched = Watched(GroupCheck(Standing.FORMING))
    assert watched.rejoins_within(600) < 600 / PATIENCE_S / 2
    assert watched.rejoins_within(300) >= 1


@pytest.mark.parametrize("standing", [Standing.STANDBY, Standing.BROKER_AWAY])
def test_standby_and_outage_of_the_broker_lead_to_no_joining(standing: Standing) -> None:
    watched = Watched(GroupCheck(standing))
    assert watched.rejoins_within(1_000) == 0


def test_patience_begins_when_the_broker_answers_again() -> None:
    watched = Watched(GroupCheck(Standing.BROKER_AWAY))
    watched.rejoins_within(100)
    watched.sight = GroupCheck(Standing.ABSENT)
    assert watched.rejoins_within(PATIENCE_S - CHECK_EVERY_S) == 0
    assert watched.rejoins_within(3 * CHECK_EVERY_S) == 1


def test_partitions_in_between_restart_the_patience() -> None:
    watched = Watched(GroupCheck(Standing.ABSENT))
    watched.rejoins_within(PATIENCE_S - 1)
    watched.watch.settle()
    assert watched.rejoins_within(PATIENCE_S - 1) == 0
