"""Kills everything from the detector to the receivers while days are published, and compares what was told.

First an undisturbed run on servers of its own tells which revisions of which alerts receivers get. Then the
same days are published again, in legs of a few seconds, and in each leg one part is killed: a detector, an
alerter, Kafka, Elasticsearch, or a receiver, which also misbehaves by script. In the end each receiver must
hold the same revisions, each alert's in order; one may be there twice only where a kill or a cut answer
explains it, and with the same bytes.
"""

import itertools
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from infra.demo.progress import PipelineProgress
from infra.embedded.ports import free_port
from infra.embedded.server import await_ready
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch
from tests.chaos.day import Day
from tests.chaos.processes import Service, log_tail
from tests.chaos.receivers import Accepted, RestartableReceiver
from tests.chaos.verify import EXAMPLES, Violation
from tests.integration.pipeline import tapewatch

LEG_S = 3.0
"""How long the trades between two kills take to be published."""

LONGEST_DOWN_S = 2.0
READY_WITHIN_S = 120.0
SETTLED_WITHIN_S = 180.0
CAUGHT_UP_WITHIN_S = 300.0
QUIET_S = 6.0
"""Without another message for so long, a run is over once everything expected has come."""

DETECTORS = ("detector-a", "detector-b")
ALERTERS = ("alerter-a", "alerter-b")

RULES = """\
channels:
  webhook: {{kind: webhook, url: "{webhook}", secret_files: ["{secret}"], allow_private: true}}
  alertmanager: {{kind: alertmanager, url: "{alertmanager}", allow_private: true}}
rules:
  - name: everything
    match: {{severity: low}}
    group_by: family
    quiet: 2m
    send:
      - {{channel: webhook}}
      - {{channel: alertmanager, severity: medium}}
"""
SECRET = "whsec_Y2hhb3MtY2hhb3MtY2hhb3MtY2hhb3MtY2hhb3M="
RECEIVERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "webhook": ("/webhook", (SECRET,)),
    "alertmanager": ("", ()),
}
"""By channel: the end of its URL, and what the receiver checks by."""

CHANNELS = tuple(RECEIVERS)


class Part(StrEnum):
    """What is killed."""

    DETECTOR = "detector"
    ALERTER = "alerter"
    KAFKA = "kafka"
    ELASTICSEARCH = "elasticsearch"
    RECEIVER = "receiver"


SHARES = {Part.ALERTER: 5, Part.DETECTOR: 2, Part.RECEIVER: 2, Part.KAFKA: 2, Part.ELASTICSEARCH: 1}


@dataclass
class AlertOutcome:
    """The results of a run.

    Parameters
    ----------
    kills
        How often each part was killed.
    told
        Revisions by channel, of the undisturbed run.
    repeats
        Messages that came again, by channel.
    violations
        Empty if all is as it must be.
    seconds
        Length of both runs.
    """

    kills: Counter[str] = field(default_factory=Counter)
    told: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0


def run_alert_chaos(
    days: Sequence[Day], folder: Path, *, seed: int, kills: int, say: Callable[[str], None]
) -> AlertOutcome:
    """Run once undisturbed and once with kills.

    Parameters
    ----------
    days
        In the order of their time.
    folder
        Exists and is empty; gets the logs.
    seed
        Of everything that is chosen.
    kills
        How many.
    say
        Called with a line of text for each step and kill.
    """
    began_s = time.monotonic()
    outcome = AlertOutcome()
    with pipeline(folder / "undisturbed", None) as undisturbed:
        undisturbed.publish_all(days)
        undisturbed.wait_until_caught_up()
        expected = undisturbed.accepted()
    outcome.told = {channel: len(keys_of(expected[channel])) for channel in CHANNELS}
    say(f"seed {seed}: undisturbed, {told(outcome.told)}")
    for channel, accepted in expected.items():
        outcome.violations += check_alone(f"{channel}, undisturbed", accepted, repeats_allowed=0)
    draw = random.Random(seed)  # noqa: S311 - chooses faults and victims, protects nothing
    with pipeline(folder / "disturbed", draw) as disturbed:
        strike(disturbed, days, outcome, draw, kills, say)
        found = disturbed.settled(expected)
        cuts = {channel: receiver.cuts for channel, receiver in disturbed.receivers.items()}
        dead = {service.name: log_tail(service.log_file) for service in disturbed.services if service.code}
    for name, log in dead.items():
        outcome.violations.append(Violation(name, "ended by itself", 1, (log,)))
    for channel in CHANNELS:
        outcome.violations += compare(channel, expected[channel], found[channel])
        allowed = sum(outcome.kills.values()) + cuts[channel]
        outcome.violations += check_alone(channel, found[channel], repeats_allowed=allowed)
        outcome.repeats[channel] = len(found[channel]) - len(keys_of(found[channel]))
    outcome.seconds = time.monotonic() - began_s
    return outcome


def strike(
    running: "AlertPipeline",
    days: Sequence[Day],
    outcome: AlertOutcome,
    draw: random.Random,
    kills: int,
    say: Callable[[str], None],
) -> None:
    """Publish the days in legs, and kill one part during each."""
    began_s = time.monotonic()
    for number, (part, leg) in enumerate(zip(plan(draw, kills), legs(days, kills), strict=True), 1):
        running.publish(leg)
        time.sleep(draw.uniform(0.3, LEG_S))
        victim = running.kill(part, draw)
        outcome.kills[part] += 1
        say(f"  {number:>3}/{kills}  {time.monotonic() - began_s:6.1f} s  kill {victim}")
        time.sleep(draw.uniform(0, LONGEST_DOWN_S))
        running.start_again(victim)
        running.wait_until_published()
        running.wait_until_ready()
    running.publish_all(days)


def plan(draw: random.Random, kills: int) -> list[Part]:
    """Return what is killed, by shares, in random order."""
    dealt: list[Part] = []
    while len(dealt) < kills:
        dealt.append(min(SHARES, key=lambda part: dealt.count(part) / SHARES[part]))
    draw.shuffle(dealt)
    return dealt


@dataclass(frozen=True)
class Leg:
    """A part of a day.

    Parameters
    ----------
    path
        The day's file.
    trades
        How many are published from where the one before ended.
    speed
        Event seconds in a second.
    """

    path: Path
    trades: int
    speed: float


def legs(days: Sequence[Day], count: int) -> Iterator[Leg]:
    """Divide days into legs of about equal numbers of trades, each of which takes `LEG_S`."""
    shares = np.array_split(np.arange(count), len(days))
    for day, share in zip(days, shares, strict=True):
        ends = np.linspace(0, len(day.event_ns), len(share) + 1).astype(int)
        for first, end in itertools.pairwise(ends.tolist()):
            span_s = float(day.event_ns[end - 1] - day.event_ns[first]) / 1e9
            yield Leg(day.path, end - first, max(span_s / LEG_S, 0.001))


class AlertPipeline:
    """The services from the producer to the receivers, on servers of their own.

    Parameters
    ----------
    stack
        Running and set up.
    folder
        Gets logs, rules and what receivers keep.
    receivers
        By channel, running.
    """

    def __init__(
        self, stack: EmbeddedStack, folder: Path, receivers: Mapping[str, RestartableReceiver]
    ) -> None:
        self.receivers = receivers
        self._stack = stack
        self._rules = folder / "rules.yaml"
        secret = folder / "secret"
        secret.write_text(SECRET)
        self._rules.write_text(
            RULES.format(secret=secret, **{name: one.url for name, one in receivers.items()})
        )
        self._producer = Service("producer", folder, stack)
        self._services = {name: Service(name, folder, stack) for name in (*DETECTORS, *ALERTERS)}
        for name in (*ALERTERS, *DETECTORS):
            self._start(name)
        self.wait_until_ready()

    @property
    def services(self) -> list[Service]:
        """The detectors and alerters."""
        return list(self._services.values())

    def publish(self, leg: Leg) -> None:
        """Start to publish a leg."""
        limits = ("--speed", f"{leg.speed:.3f}", "--limit", str(leg.trades))
        self._producer.start("produce", str(leg.path), *limits)

    def publish_all(self, days: Sequence[Day]) -> None:
        """Publish what is left of the days."""
        for day in days:
            self._producer.start("produce", str(day.path))
            self.wait_until_published()

    def wait_until_published(self) -> None:
        """Wait for the producer's end; one that a broker's death has ended is started again later."""
        deadline_s = time.monotonic() + READY_WITHIN_S
        while self._producer.is_running and time.monotonic() < deadline_s:
            time.sleep(0.1)
        if self._producer.code != 0:
            raise TimeoutError(f"the producer has not published:\n{log_tail(self._producer.log_file)}")

    def wait_until_ready(self) -> None:
        """Wait until every service has its partitions."""
        deadline_s = time.monotonic() + READY_WITHIN_S
        while waiting := [one for one in self.services if not one.events("assigned")]:
            if time.monotonic() >= deadline_s:
                raise TimeoutError("\n".join(f"{one.name}:\n{log_tail(one.log_file)}" for one in waiting))
            time.sleep(0.1)

    def kill(self, part: Part, draw: random.Random) -> str:
        """SIGKILL one of a part's processes; returns its name."""
        if part in (Part.DETECTOR, Part.ALERTER):
            name = draw.choice(DETECTORS if part is Part.DETECTOR else ALERTERS)
            self._services[name].kill()
            return name
        if part is Part.RECEIVER:
            name = draw.choice(CHANNELS)
            self.receivers[name].kill()
            return name
        server = self._stack.kafka if part is Part.KAFKA else self._stack.elasticsearch
        os.kill(server.pid or 0, signal.SIGKILL)
        server.kill()
        return str(part)

    def start_again(self, victim: str) -> None:
        """Start what was killed."""
        if victim in self._services:
            self._start(victim)
        elif victim in self.receivers:
            self.receivers[victim].start()
        else:
            server = self._stack.kafka if victim == Part.KAFKA else self._stack.elasticsearch
            server.launch()
            await_ready([server])

    def wait_until_caught_up(self) -> None:
        """Wait until all that was published is detected, decided and sent."""
        deadline_s = time.monotonic() + CAUGHT_UP_WITHIN_S
        progress = PipelineProgress(
            self._stack.kafka_connection, Elasticsearch(self._stack.elasticsearch_url, request_timeout=60)
        )
        try:
            before = None
            while time.monotonic() < deadline_s:
                state = progress.refresh()
                is_done = state.trades and state.detector_lag == 0 and state.alerter_lag == 0
                if is_done and state == before:
                    return
                before = state
                time.sleep(QUIET_S / 2)
        finally:
            progress.close()
        raise TimeoutError(f"not caught up within {CAUGHT_UP_WITHIN_S:.0f} s: {progress.state}")

    def accepted(self) -> dict[str, list[Accepted]]:
        """Return what receivers have accepted."""
        return {name: receiver.accepted() for name, receiver in self.receivers.items()}

    def settled(self, expected: Mapping[str, Sequence[Accepted]]) -> dict[str, list[Accepted]]:
        """Return what receivers have accepted, once all that was expected is there and nothing more comes."""
        deadline_s = time.monotonic() + SETTLED_WITHIN_S
        counts: dict[str, int] = {}
        moved_s = time.monotonic()
        while time.monotonic() < deadline_s:
            found = self.accepted()
            now = {name: len(accepted) for name, accepted in found.items()}
            if now != counts:
                counts, moved_s = now, time.monotonic()
            is_complete = all(keys_of(found[name]) >= keys_of(expected[name]) for name in expected)
            if is_complete and time.monotonic() - moved_s >= QUIET_S:
                break
            time.sleep(0.5)
        return self.accepted()

    def close(self) -> None:
        """End what still runs."""
        for service in (self._producer, *self.services):
            service.kill()

    def _start(self, name: str) -> None:
        if name in DETECTORS:
            self._services[name].start("detect")
        else:
            self._services[name].start("alert", "--rules", str(self._rules), "--send-old")


@contextmanager
def pipeline(folder: Path, draw: random.Random | None) -> Iterator[AlertPipeline]:
    """Start everything on servers of its own, and end it.

    Parameters
    ----------
    folder
        Is created.
    draw
        Chooses what receivers do wrong; None for nothing.
    """
    folder.mkdir(parents=True)
    config = StackConfig(data_dir=folder / "stack", kafka_port=free_port(), elasticsearch_port=free_port())
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(EmbeddedStack(config))
        tapewatch(stack, "setup")
        receivers = {
            channel: cleanup.enter_context(
                RestartableReceiver(path, folder / f"{channel}.ndjson", secrets, draw)
            )
            for channel, (path, secrets) in RECEIVERS.items()
        }
        running = AlertPipeline(stack, folder, receivers)
        cleanup.callback(running.close)
        yield running


def keys_of(accepted: Sequence[Accepted]) -> set[tuple[str, int]]:
    """Return alerts' ids and revisions."""
    return {(one.alert_id, one.revision) for one in accepted}


def told(counts: Mapping[str, int]) -> str:
    """Return a line such as `120 revisions on webhook, 14 on alertmanager`."""
    return ", ".join(
        f"{count:,}{' revisions' if number == 0 else ''} on {channel}"
        for number, (channel, count) in enumerate(counts.items())
    )


def compare(channel: str, expected: Sequence[Accepted], found: Sequence[Accepted]) -> list[Violation]:
    """Compare the revisions that a receiver holds with those of an undisturbed run."""
    wanted, got = keys_of(expected), keys_of(found)
    violations = []
    for kind, keys in (("lost", wanted - got), ("unknown", got - wanted)):
        if keys:
            examples = tuple(f"{alert_id}.{revision}" for alert_id, revision in sorted(keys)[:EXAMPLES])
            violations.append(Violation(channel, kind, len(keys), examples))
    return violations


def check_alone(channel: str, accepted: Sequence[Accepted], repeats_allowed: int) -> list[Violation]:
    """Check order, repeats and their bytes in what one receiver holds, in the order in which it came."""
    violations = []
    newest: dict[str, int] = defaultdict(int)
    bodies: dict[tuple[str, int], bytes] = {}
    disordered, unequal, repeats = [], [], 0
    for one in accepted:
        key = (one.alert_id, one.revision)
        if key in bodies:
            repeats += 1
            if bodies[key] != one.body:
                unequal.append(key)
            continue
        bodies[key] = one.body
        if one.revision < newest[one.alert_id]:
            disordered.append(key)
        newest[one.alert_id] = one.revision
    for kind, keys in (("out of order", disordered), ("repeated with other bytes", unequal)):
        if keys:
            examples = tuple(f"{alert_id}.{revision}" for alert_id, revision in keys[:EXAMPLES])
            violations.append(Violation(channel, kind, len(keys), examples))
    if repeats > repeats_allowed:
        violations.append(Violation(channel, "repeated", repeats, (f"at most {repeats_allowed} explained",)))
    return violations
