"""Disturbs every container that keeps running, one after the other, while trades flow.

Each is restarted, killed, and halted for longer than the sessions of Kafka's clients last. After each fault
it must be healthy again, by itself or because the engine starts it again, and trades that were not published
before must come through the whole pipeline.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.progress import ProgressReader
from tests.chaos.verify import Violation
from tests.compose import engine
from tests.compose.engine import Container
from tests.compose.stack import PROJECT, ComposeStack
from tests.compose.waiting import wait_until

HALT_S = 8.0
"""Longer than the session of a consumer, 6 s: a halted detector's partitions go to another."""

HEALED_WITHIN_S = 300.0


class Act(StrEnum):
    """What is done to a container."""

    RESTART = "restart"
    KILL = "kill"
    """The engine starts it again."""
    KILL_CHILDREN = "kill of its process"
    """The container's first process starts it again."""
    KILL_AND_START = "kill, then start"
    """For what the engine does not start again."""
    HALT = "halt"
    """All its processes stand still for some seconds; connections to it stay open."""


@dataclass(frozen=True)
class Fault:
    """A fault of a service's first container."""

    service: str
    act: Act


@dataclass(frozen=True)
class Healing:
    """A fault and how it healed.

    Parameters
    ----------
    fault
        It.
    share
        Of the day's trades that were published at its end, 0 to 1.
    healthy_s
        From its beginning until the container was healthy again.
    passed_s
        From its beginning until trades published after that had been detected and indexed.
    """

    fault: Fault
    share: float
    healthy_s: float
    passed_s: float


PLAN = (
    # Its restart last: Apache Kafka, which stands in for it, can lose its coordinators to a kill that follows
    # a clean stop by less than a minute.
    *(Fault("redpanda", act) for act in (Act.KILL, Act.HALT, Act.RESTART)),
    *(
        Fault(service, act)
        for service in ("elasticsearch", "kibana", "detector", "alerter", "indexer", "dashboard")
        for act in (Act.RESTART, Act.KILL, Act.HALT)
    ),
    *(Fault("producer", act) for act in (Act.RESTART, Act.KILL_CHILDREN, Act.HALT, Act.KILL_AND_START)),
)
"""All faults of what starts by default, in their order."""

STORAGE_PLAN = tuple(
    Fault(service, act)
    for service in ("postgres", "indexer-postgres", "grafana")
    for act in (Act.RESTART, Act.KILL, Act.HALT)
)
"""The same of what the profile storage brings."""


def disturb(
    stack: ComposeStack,
    trades: int,
    say: Callable[[str], None],
    plan: Sequence[Fault] = PLAN,
    sinks: Sequence[str] = ("elasticsearch",),
) -> tuple[list[Healing], list[Violation]]:
    """Let all faults of a plan happen.

    Parameters
    ----------
    stack
        Its producer publishes a day.
    trades
        How many the day has.
    say
        Called with a line of text for each fault.
    plan
        The faults.
    sinks
        Those that new trades must reach after each.

    Raises
    ------
    TapewatchError
        Something does not heal.
    """
    healings, violations = [], []
    progress = ProgressReader(stack.kafka_connection, sinks)
    try:
        for fault in plan:
            healing = _disturb_once(stack, fault, progress, trades)
            healings.append(healing)
            say(
                f"at {healing.share:.0%} of the day: {fault.service}, {fault.act}: "
                f"healthy again after {healing.healthy_s:.1f} s, trades pass after {healing.passed_s:.1f} s"
            )
            if not stack.is_running("producer"):
                where = f"{fault.service}, {fault.act}"
                violations.append(
                    Violation("the test", "too late", 1, (f"{where}: the day was over before",))
                )
    finally:
        progress.close()
    return healings, violations


def _disturb_once(stack: ComposeStack, fault: Fault, progress: ProgressReader, trades: int) -> Healing:
    before = stack.container(fault.service)
    began_s = time.monotonic()
    _ACTS[fault.act](before)
    wait_until(
        lambda: is_healed(fault.act, before, stack.container(fault.service)),
        f"health of {fault.service} after its {fault.act}",
        HEALED_WITHIN_S,
    )
    healthy_s = time.monotonic() - began_s
    published = progress.current.published

    def has_passed() -> bool:
        progress.check()
        now = progress.current
        return min(now.published, now.detected, *now.indexed.values()) > published or not stack.is_running(
            "producer"
        )

    wait_until(has_passed, f"new trades at their end after {fault.service}'s {fault.act}", HEALED_WITHIN_S)
    passed_s = time.monotonic() - began_s
    return Healing(fault, progress.current.published / trades, healthy_s, passed_s)


def is_healed(act: Act, before: Container, now: Container) -> bool:
    """Tell whether a container runs and is healthy, and not only because nothing has happened yet."""
    is_another_run = now.started_at != before.started_at
    return now.is_well and is_another_run == (act in (Act.RESTART, Act.KILL, Act.KILL_AND_START))


def ended_by_themselves(now: Collection[Container]) -> list[Violation]:
    """Report containers that the engine started again more often than they were killed."""
    killed = {fault.service for fault in (*PLAN, *STORAGE_PLAN) if fault.act is Act.KILL}
    wanted = {f"{PROJECT}-{service}-1": 1 for service in killed}
    return [
        Violation(one.name, "ended by itself", times, (f"started again {one.restarts} times",))
        for one in now
        if (times := one.restarts - wanted.get(one.name, 0)) > 0
    ]


def _kill_and_start(container: Container) -> None:
    engine.kill(container)
    wait_until(
        lambda: engine.containers(PROJECT)[container.name].state == "exited", f"end of {container.name}"
    )
    engine.docker("start", container.name)


def _halt(container: Container) -> None:
    engine.docker("pause", container.name)
    try:
        time.sleep(HALT_S)
    finally:
        engine.docker("unpause", container.name)


_ACTS: dict[Act, Callable[[Container], None]] = {
    Act.RESTART: engine.restart,
    Act.KILL: engine.kill,
    Act.KILL_CHILDREN: engine.kill_children,
    Act.KILL_AND_START: _kill_and_start,
    Act.HALT: _halt,
}
