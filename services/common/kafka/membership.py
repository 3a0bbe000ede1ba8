"""Why a member of a consumer group has no partitions, and what to do about it.

If a group has more members than partitions, the rest are standbys, and all is well. But after a broker's
crash a client may wait for an answer that never comes, or the group's coordinator may be unable to form any
group (see `coordinator`). Neither shows in the client's own events: both connections are idle, and the loop
turns. So a member without partitions asks the broker how the group stands, and joins again with a new client
if that does not explain it.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, GroupMetadata

from services.common.kafka.clients import REQUEST_TIMEOUT_S
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.coordinator import StuckCoordinator, find_stuck_coordinator
from services.common.observability.counters import REJOINS, UNASSIGNED_SECONDS
from services.common.observability.health import Health

CHECK_EVERY_S = 3.0
PATIENCE_S = 15.0
"""A rebalance after a kill waits for the dead member's session (6 s) and the others' commits."""

MAX_PATIENCE_S = 120.0


class Standing(StrEnum):
    """How a member without partitions stands in its group."""

    STANDBY = "standby"
    """A member of a stable group that has more members than partitions."""
    FORMING = "the group is rebalancing"
    ABSENT = "the group does not know this member"
    UNTOLD = "the group has assigned partitions to this member, which did not receive them"
    UNANSWERED = "the group's coordinator does not answer"
    BROKER_AWAY = "no broker answers"


@dataclass(frozen=True)
class GroupCheck:
    """Result of a check of the group.

    Attributes
    ----------
    standing
        The member's standing.
    stuck
        The coordinator, if it was found to be stuck.
    """

    standing: Standing
    stuck: StuckCoordinator | None = None

    @property
    def reason(self) -> str:
        """Why the member has no partitions."""
        if self.stuck is None:
            return str(self.standing)
        return f"{self.stuck.finding}. {self.stuck.hint}"


def judge(group: GroupMetadata | None, member_id: str) -> Standing:
    """Tell how a member that has no partitions stands in its group.

    Parameters
    ----------
    group
        As the coordinator describes it; None for one that it does not know.
    member_id
        The id that the coordinator gave to the member; empty if it never did.
    """
    if group is None:
        return Standing.ABSENT
    if group.error is not None:
        return Standing.UNANSWERED
    if group.state in ("PreparingRebalance", "CompletingRebalance"):
        return Standing.FORMING
    member = next((m for m in group.members if m.id == member_id), None)
    if group.state != "Stable" or member is None:
        return Standing.ABSENT
    return Standing.UNTOLD if _has_partitions(member.assignment or b"") else Standing.STANDBY


def _has_partitions(assignment: bytes) -> bool:
    """Tell whether an assignment of the consumer protocol (its version, then an array of topics) has any."""
    return int.from_bytes(assignment[2:6], "big", signed=True) > 0


def check_membership(
    admin: AdminClient, kafka: KafkaConnection, group: str, topic: str, member_id: str, is_probing: bool
) -> GroupCheck:
    """Ask the broker for a member's standing; takes up to some seconds.

    Parameters
    ----------
    admin
        Client that asks.
    kafka
        Connection to Kafka.
    group, member_id
        The member in question.
    topic
        One that exists; see `find_stuck_coordinator`.
    is_probing
        Whether to find out, too, if the coordinator is stuck.
    """
    try:
        admin.list_topics(topic, timeout=REQUEST_TIMEOUT_S)
    except KafkaException:
        return GroupCheck(Standing.BROKER_AWAY)
    try:
        # Deprecated in favour of a request that may abort the process; see `end_offsets`.
        found = admin.list_groups(group, timeout=REQUEST_TIMEOUT_S)
        standing = judge(next((one for one in found if one.id == group), None), member_id)
    except KafkaException:
        standing = Standing.UNANSWERED
    if standing is Standing.STANDBY or not is_probing:
        return GroupCheck(standing)
    try:
        return GroupCheck(standing, find_stuck_coordinator(kafka, group, topic))
    except KafkaException:
        return GroupCheck(Standing.BROKER_AWAY)


class MembershipWatch:
    """Watches a member while it has no partitions.

    Parameters
    ----------
    ask
        Starts a check in the background, given the member's id and whether to probe the coordinator.
    service
        Name of the service, for the metrics.
    group
        Its group, for the log.
    health
        Told why there are no partitions.
    clock_s
        Seconds that never go back.
    """

    def __init__(
        self,
        ask: Callable[[str, bool], Future[GroupCheck]],
        service: str,
        group: str,
        health: Health,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._log = structlog.get_logger().bind(group=group)
        self._health = health
        self._clock_s = clock_s
        self._unassigned_s = UNASSIGNED_SECONDS.labels(service)
        self._rejoins = REJOINS.labels(service)
        self._check: Future[GroupCheck] | None = None
        self.settle()

    def settle(self) -> None:
        """Start over: the member has partitions now, or needs none."""
        self._since_s = self._asked_since_s = self._clock_s()
        self._next_check_s = self._since_s + CHECK_EVERY_S
        self._tries = 0
        self._check = None
        self._unassigned_s.set(0)

    @property
    def _patience_s(self) -> float:
        doublings = max(0, self._tries - 1)
        return float(min(PATIENCE_S * 2**doublings, MAX_PATIENCE_S))

    def turn(self, member_id: str) -> Standing | None:
        """Check the group now and then; to be called on each turn of a member without partitions.

        Returns
        -------
        Standing or None
            STANDBY if the member is one. ABSENT and the like if it should join again with a new client, which
            counts as done then. None if nothing is to be done now.
        """
        now_s = self._clock_s()
        if self._check is None:
            if now_s >= self._next_check_s:
                is_probing = self._tries > 0 and now_s - self._asked_since_s >= self._patience_s
                self._check = self._ask(member_id, is_probing)
            return None
        if not self._check.done():
            return None
        check = self._check.result()
        self._check = None
        self._next_check_s = now_s + CHECK_EVERY_S
        if check.standing is Standing.STANDBY:
            self.settle()
            return check.standing
        if check.standing is Standing.BROKER_AWAY:
            # Wait for it; the group can form only after that.
            self._since_s = self._asked_since_s = now_s
            self._unassigned_s.set(0)
            return None
        self._unassigned_s.set(now_s - self._since_s)
        if now_s - self._asked_since_s < self._patience_s:
            return None
        self._tell(check, now_s - self._since_s)
        self._asked_since_s = now_s
        self._tries += 1
        self._rejoins.inc()
        return check.standing

    def _tell(self, check: GroupCheck, waited_s: float) -> None:
        self._health.detail = f"partitions: {check.reason}".rstrip(".")
        fields = {"waited_s": round(waited_s), "reason": str(check.standing)}
        if check.stuck is None:
            self._log.warning("no partitions though Kafka answers; joining the group again", **fields)
        else:
            self._log.error(
                f"no partitions: {check.stuck.finding}", **fields, hint=check.stuck.hint, tries=self._tries
            )
