"""Kills brokers and nodes of a cluster in turn while services scale from one instance to two and back.

In each round a part of the day is published, and while it flows a broker or a node of Elasticsearch is
killed and each service gets a second instance, or loses one. The part must pass every stage while the victim
is still down: two of three are enough. Only then does it come back, and the next round begins once every
replica is in step again. In the end topics and indices must hold what an undisturbed run leaves, and the
alerts must be those that the anomalies make.
"""

import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from infra.embedded.ports import first_of_free_ports
from infra.embedded.server import Server
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.errors import ApiError, TransportError
from services.common.kafka.clients import new_admin
from services.contracts.components import DEFAULT_SINK
from services.contracts.indices import ALERTS_INDICES, TRADES_INDICES
from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC, TOPICS
from tests.chaos.alerts_told import compare_alert_documents, compare_alerts
from tests.chaos.day import Day, read_day, reference_anomalies
from tests.chaos.processes import Service, log_tail
from tests.chaos.progress import ProgressReader
from tests.chaos.read_back import verify_indices, verify_topics
from tests.chaos.verify import Violation
from tests.integration.pipeline import read_topic, tapewatch

LEAST_SERVERS = 3
"""With fewer, one that is away leaves less than a majority."""

REPLICATION = 3
MIN_IN_SYNC = 2
REPLICAS = 1
SHARDS = 3

ROUND_S = 6.0
"""How long the trades of a round take to be published."""

TICK_S = 0.2
STRIKE_WITHIN_S = (0.5, 3.0)
PASSED_WITHIN_S = 300.0
WHOLE_WITHIN_S = 300.0
READY_WITHIN_S = 300.0
STOPPED_WITHIN_S = 120.0
SETTLED_WITHIN_S = 600.0

RULES = """\
channels:
  terminal: {kind: stdout}
rules:
  - name: everything
    match: {severity: low}
    group_by: family
    quiet: 2m
    send:
      - {channel: terminal}
"""


class Kind(StrEnum):
    """What is killed."""

    BROKER = "broker"
    NODE = "node"


COMMANDS: Mapping[str, tuple[str, ...]] = {
    "detector": ("detect",),
    "indexer": ("index",),
    "alerter": ("alert",),
}
"""What scales, with its command."""


@dataclass(frozen=True)
class Kill:
    """A planned kill.

    Parameters
    ----------
    number
        From 1 on.
    kind
        Brokers and nodes in turn.
    place
        Which of the kind, from 0 on.
    delay_s
        From the start of the round's publishing.
    instances
        How many of each service there are from then on.
    """

    number: int
    kind: Kind
    place: int
    delay_s: float
    instances: int


@dataclass(frozen=True)
class Hit:
    """A kill and what followed.

    Parameters
    ----------
    kill
        As planned.
    passed_s
        From the kill until all that was published had been detected and indexed without the victim.
    whole_s
        From its restart until every replica was in step.
    """

    kill: Kill
    passed_s: float
    whole_s: float


@dataclass
class ClusterOutcome:
    """The results of a run.

    Parameters
    ----------
    hits
        In their order.
    violations
        Empty if all is as it must be.
    trades, anomalies, alerts
        Of the day; revisions of alerts.
    seconds
        From the first service's start to the end of the comparison.
    """

    hits: list[Hit] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    trades: int = 0
    anomalies: int = 0
    alerts: int = 0
    seconds: float = 0.0


class StoodStillError(Exception):
    """The pipeline did not do in time what it must; says what."""


def plan_kills(seed: int, kills: int, brokers: int, nodes: int) -> list[Kill]:
    """Plan a run: brokers and nodes in turn, each of a kind as often as the others; one instance or two."""
    rng = random.Random(seed)  # noqa: S311 - chooses victims, protects nothing
    turns = {Kind.BROKER: _endless(rng, brokers), Kind.NODE: _endless(rng, nodes)}
    return [
        Kill(
            number=number,
            kind=(kind := Kind.BROKER if number % 2 else Kind.NODE),
            place=next(turns[kind]),
            delay_s=rng.uniform(*STRIKE_WITHIN_S),
            instances=2 if number % 2 else 1,
        )
        for number in range(1, kills + 1)
    ]


def _endless(rng: random.Random, count: int) -> Iterator[int]:
    while True:
        yield from rng.sample(range(count), count)


def run_cluster_chaos(
    path: Path, folder: Path, *, seed: int, kills: int, brokers: int, nodes: int, say: Callable[[str], None]
) -> ClusterOutcome:
    """Run once.

    Parameters
    ----------
    path
        The day's file.
    folder
        Emptied first; gets the logs, and after violations keeps the servers' data.
    seed, kills
        See `plan_kills`.
    brokers, nodes
        Servers of Kafka and of Elasticsearch, `LEAST_SERVERS` or more of each.
    say
        Called with a line of text for each step and kill.

    Raises
    ------
    TapewatchError
        The file is no clean day, or a server does not start.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    day = read_day(path)
    outcome = ClusterOutcome(trades=len(day.trades))
    config = StackConfig(
        data_dir=folder / "stack",
        brokers=brokers,
        nodes=nodes,
        kafka_port=first_of_free_ports(brokers),
        elasticsearch_port=first_of_free_ports(nodes),
    )
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(EmbeddedStack(config))
        layout = {"REPLICATION": REPLICATION, "MIN_INSYNC_REPLICAS": MIN_IN_SYNC, "SHARDS": SHARDS}
        layout["REPLICAS"] = REPLICAS
        tapewatch(stack, "setup", env={f"TAPEWATCH_{name}": str(value) for name, value in layout.items()})
        anomalies = reference_anomalies(stack, day, folder / "reference.ndjson")
        outcome.anomalies = len(anomalies)
        say(f"seed {seed}: {len(day.trades):,} trades, {len(anomalies):,} anomalies, {kills} kills")
        began_s = time.monotonic()
        client = cleanup.enter_context(new_client(stack.elasticsearch_url))
        pipeline = _Pipeline(stack, client, day, folder)
        cleanup.callback(pipeline.close)
        try:
            pipeline.start()
            for kill in plan_kills(seed, kills, brokers, nodes):
                hit = pipeline.through(kill, kills)
                outcome.hits.append(hit)
                say(_line(hit, kills, time.monotonic() - began_s))
            pipeline.finish()
        except StoodStillError as error:
            outcome.violations.append(Violation("pipeline", "stood still", 1, (str(error),)))
        outcome.violations += pipeline.stop()
        say("  comparing topics and indices")
        outcome.violations += _spread(stack, client)
        outcome.violations += verify_topics(stack, day, anomalies)
        outcome.violations += verify_indices(client, day, anomalies)
        told = read_topic(stack, ALERTS_TOPIC)
        outcome.alerts = len(told)
        outcome.violations += compare_alerts(RULES, read_topic(stack, ANOMALIES_TOPIC), told)
        outcome.violations += compare_alert_documents(told, client, ALERTS_INDICES)
        outcome.seconds = time.monotonic() - began_s
    if not outcome.violations:
        shutil.rmtree(folder / "stack")
    return outcome


def summary(outcome: ClusterOutcome) -> str:
    """Return the totals in two lines."""
    counts = dict.fromkeys(("lost", "doubled", "different"), 0)
    for violation in outcome.violations:
        if violation.kind in counts:
            counts[violation.kind] += violation.count
    lines = [
        f"{outcome.trades:,} trades, {outcome.anomalies:,} anomalies, {outcome.alerts:,} revisions of "
        f"alerts, {len(outcome.hits)} kills: "
        + ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
        + f"; {len(outcome.violations)} kinds of violation, {outcome.seconds:.0f} s"
    ]
    for kind in Kind:
        if times := [hit.passed_s for hit in outcome.hits if hit.kill.kind is kind]:
            lines.append(
                f"a {kind} away: all published trades detected and indexed without it after a median of "
                f"{statistics.median(times):.1f} s, at most {max(times):.1f} s"
            )
    return "\n".join(lines)


def _line(hit: Hit, kills: int, at_s: float) -> str:
    kill = hit.kill
    return (
        f"  {kill.number:>3}/{kills}  {at_s:6.1f} s  {kill.kind} {kill.place + 1}  passed without it after "
        f"{hit.passed_s:5.1f} s, whole {hit.whole_s:5.1f} s after its start, {kill.instances} of each service"
    )


def _spread(stack: EmbeddedStack, client: Elasticsearch) -> list[Violation]:
    """Report what is not spread over the servers as `tapewatch setup` was told to."""
    topics = new_admin(stack.kafka_connection).list_topics(timeout=READY_WITHIN_S).topics
    thin = [
        name
        for name in TOPICS
        if any(len(partition.replicas) != REPLICATION for partition in topics[name].partitions.values())
    ]
    found = client.indices.get_settings(index=TRADES_INDICES, flat_settings=True)
    wanted = {"index.number_of_shards": str(SHARDS), "index.number_of_replicas": str(REPLICAS)}
    other = [
        name
        for name, answer in found.items()
        if any(answer["settings"][setting] != value for setting, value in wanted.items())
    ]
    return [
        Violation(where, "not spread", len(names), tuple(names))
        for where, names in (("topics", thin), ("indices", other))
        if names
    ]


class _Pipeline:
    """The services on a running stack that is set up; `close` ends what still runs."""

    def __init__(self, stack: EmbeddedStack, client: Elasticsearch, day: Day, folder: Path) -> None:
        self._stack = stack
        self._client = client
        self._day = day
        rules = folder / "rules.yaml"
        rules.write_text(RULES)
        self._commands = {**COMMANDS, "alerter": (*COMMANDS["alerter"], "--rules", str(rules.absolute()))}
        self._producer = Service("producer", folder, stack)
        self._services = {
            kind: [Service(f"{kind}-{letter}", folder, stack) for letter in "ab"] for kind in COMMANDS
        }
        self._reader = ProgressReader(stack.kafka_connection)
        self._published = 0

    @property
    def _all(self) -> list[Service]:
        return [service for services in self._services.values() for service in services]

    def start(self) -> None:
        """Start one instance of each service."""
        for kind, (first, _) in self._services.items():
            first.start(*self._commands[kind])
        self._until_ready()

    def through(self, kill: Kill, kills: int) -> Hit:
        """Publish a round, and kill and bring back a server during it."""
        total = len(self._day.event_ns)
        end = total * kill.number // (kills + 1)
        first = total * (kill.number - 1) // (kills + 1)
        span_s = float(self._day.event_ns[end - 1] - self._day.event_ns[first]) / 1e9
        self._producer.start(
            "produce",
            str(self._day.path),
            *("--speed", f"{max(span_s / ROUND_S, 0.001):.3f}"),
            *("--limit", str(end - first)),
        )
        self._wait(kill.delay_s)
        victim = self._server(kill)
        victim.kill()
        killed_s = time.monotonic()
        self._scale(kill.instances)
        what = f"without {kill.kind} {kill.place + 1}, "
        self._until(lambda: self._producer.code == 0, PASSED_WITHIN_S, what + "a round is published")
        self._until(lambda: self._has_passed(end), PASSED_WITHIN_S, what + "it is detected and indexed")
        passed_s = time.monotonic() - killed_s
        started_s = time.monotonic()
        victim.start()
        self._until(self._is_whole, WHOLE_WITHIN_S, "every replica is in step")
        self._until_ready()
        return Hit(kill, passed_s, time.monotonic() - started_s)

    def finish(self) -> None:
        """Publish the rest of the day, and wait until everything has come through."""
        self._producer.start("produce", str(self._day.path))
        self._until(lambda: self._producer.code == 0, PASSED_WITHIN_S, "the rest is published")
        self._until(
            lambda: self._has_passed(len(self._day.event_ns)) and self._reader.current.is_settled,
            SETTLED_WITHIN_S,
            "the rest of the day is detected and indexed",
        )

    def stop(self) -> list[Violation]:
        """Stop all services, then let one of each catch up with what came last; return what went wrong."""
        violations = []
        running = [service for service in (self._producer, *self._all) if service.is_running]
        for service in running:
            service.terminate()
        for service in running:
            if (code := service.wait(STOPPED_WITHIN_S)) != 0:
                violations.append(_ended_badly(service, code))
        for kind, (first, _) in self._services.items():
            first.start(*self._commands[kind], "--until-idle", "3")
            if (code := first.wait(SETTLED_WITHIN_S)) != 0:
                violations.append(_ended_badly(first, code))
        indexer = self._services["indexer"][0]  # the alerts that came after its last turn
        indexer.start(*self._commands["indexer"], "--until-idle", "3")
        if (code := indexer.wait(SETTLED_WITHIN_S)) != 0:
            violations.append(_ended_badly(indexer, code))
        return violations

    def close(self) -> None:
        """End what still runs."""
        for service in (self._producer, *self._all):
            service.kill()
        self._reader.close()

    def _server(self, kill: Kill) -> Server:
        servers: Sequence[Server] = self._stack.brokers if kill.kind is Kind.BROKER else self._stack.nodes
        return servers[kill.place]

    def _scale(self, instances: int) -> None:
        """Start what is missing; of two, the one that has run longer leaves, so the newer one takes over."""
        leaving = []
        for kind, services in self._services.items():
            running = sorted((one for one in services if one.is_running), key=lambda one: one.started_s)
            leaving += running[: max(0, len(running) - instances)]
            idle = [one for one in services if not one.is_running]
            for service in idle[: max(0, instances - len(running))]:
                service.start(*self._commands[kind])
        for service in leaving:
            service.terminate()
        for service in leaving:
            if (code := service.wait(STOPPED_WITHIN_S)) != 0:
                raise StoodStillError(str(_ended_badly(service, code)))

    def _has_passed(self, trades: int) -> bool:
        now = self._reader.current
        return min(now.published, now.detected, now.indexed[DEFAULT_SINK]) >= trades

    def _is_whole(self) -> bool:
        """Tell whether every replica of every partition and shard is there and in step."""
        cluster = new_admin(self._stack.kafka_connection).list_topics(timeout=READY_WITHIN_S)
        in_step = len(cluster.brokers) == len(self._stack.brokers) and all(
            partition.leader >= 0 and len(partition.isrs) == len(partition.replicas)
            for topic in cluster.topics.values()
            for partition in topic.partitions.values()
        )
        if not in_step:
            return False
        try:
            health = self._client.cluster.health(timeout="1s")
        except (ApiError, TransportError):
            return False
        return (health["status"], health["number_of_nodes"]) == ("green", len(self._stack.nodes))

    def _until_ready(self) -> None:
        running = [one for one in self._all if one.is_running]
        self._until(
            lambda: all(one.events("assigned") for one in running),
            READY_WITHIN_S,
            "every service is assigned",
        )

    def _until(self, is_so: Callable[[], bool], within_s: float, what: str) -> None:
        deadline_s = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > deadline_s:
                raise StoodStillError(f"waited {within_s:.0f} s until {what}; {self._reader.current}")
            self._wait(TICK_S)

    def _wait(self, seconds: float) -> None:
        """Wait; no service may end by itself meanwhile."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            time.sleep(TICK_S)
            self._reader.check()
            for service in (self._producer, *self._all):
                if service.code not in (None, 0):
                    raise StoodStillError(str(_ended_badly(service, service.code)))


def _ended_badly(service: Service, code: int | None) -> Violation:
    how = f"exit code {code}" if code is not None else f"still ran after {STOPPED_WITHIN_S:.0f} s"
    return Violation(service.log_file.name, "ended badly", 1, (f"{how}:\n{log_tail(service.log_file)}",))
