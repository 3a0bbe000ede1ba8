"""Ends Kafka and Elasticsearch together, again and again, while busy cores delay everything.

An outage is a clean stop or a SIGKILL of the whole stack; a kill follows a clean stop closely, which is how
a group coordinator gets out of step with its log. After each outage every service must resume by itself, and
in the end the topics and indices must hold what an undisturbed run leaves.
"""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch
from services.contracts.components import DEFAULT_SINK
from tests.chaos.day import Day, read_day, reference_anomalies
from tests.chaos.processes import Service, log_tail
from tests.chaos.progress import ProgressReader
from tests.chaos.read_back import verify_indices, verify_topics
from tests.chaos.verify import Violation
from tests.integration.pipeline import tapewatch

DETECTORS = 3
BUSY_PROCESSES = 4
TICK_S = 0.2
LONGEST_DOWN_S = 8.0
CALM_AFTER_STOP_S = (5.0, 25.0)
"""Range of the time from the healing of a clean stop to the kill that follows it."""

CALM_AFTER_KILL_S = 5.0
USUAL_S = 75.0
"""How long trades should flow for each outage, at the speed at which they are published."""

HEALED_WITHIN_S = 240.0
"""From the start of the servers; they take a minute to start on busy cores."""

STOPPED_WITHIN_S = 60.0
SETTLED_WITHIN_S = 600.0


@dataclass(frozen=True)
class Outage:
    """A planned outage.

    Parameters
    ----------
    number
        From 1 on.
    is_kill
        SIGKILL; otherwise SIGTERM, after which the servers shut down cleanly.
    calm_s
        Time before it.
    down_s
        Time until the servers are started again.
    """

    number: int
    is_kill: bool
    calm_s: float
    down_s: float


@dataclass(frozen=True)
class Outcome:
    """The results of a run.

    Parameters
    ----------
    healed_s
        For each outage, the time from the start of the servers until new trades were detected and indexed.
    violations
        Empty if all is as it must be.
    seconds
        From the first service's start to the end of the comparison.
    """

    healed_s: list[float]
    violations: list[Violation]
    seconds: float


class NotHealedError(Exception):
    """A service did not resume; says which stage stood still."""


def plan_outages(seed: int, count: int) -> list[Outage]:
    """Plan clean stops and kills in turn; the same seed gives the same plan."""
    rng = random.Random(seed)  # noqa: S311 - chooses times, protects nothing
    return [
        Outage(
            number=number,
            is_kill=number % 2 == 0,
            calm_s=rng.uniform(*CALM_AFTER_STOP_S) if number % 2 == 0 else CALM_AFTER_KILL_S,
            down_s=rng.uniform(0, LONGEST_DOWN_S),
        )
        for number in range(1, count + 1)
    ]


def run_outages(path: Path, folder: Path, *, seed: int, outages: int, say: Callable[[str], None]) -> Outcome:
    """Run once.

    Parameters
    ----------
    path
        The day's file.
    folder
        Emptied first; gets the logs, and after violations keeps the servers' data.
    seed, outages
        See `plan_outages`.
    say
        Called with a line of text for each outage.

    Raises
    ------
    TapewatchError
        The file is no clean day, or a server does not start.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    day = read_day(path)
    config = StackConfig(data_dir=folder / "stack", kafka_port=free_port(), elasticsearch_port=free_port())
    stack = EmbeddedStack(config)
    anomalies = reference_anomalies(stack, day, folder / "reference.ndjson")
    with stack:
        tapewatch(stack, "setup")
    say(f"seed {seed}: {len(day.trades):,} trades, {len(anomalies):,} anomalies, {outages} outages")
    began_s = time.monotonic()
    with _Run(stack, day, folder, say) as run, busy_cores():
        violations = run.through(plan_outages(seed, outages))
    say("  comparing topics and indices")
    with stack:
        violations += verify_topics(stack, day, anomalies)
        with Elasticsearch(stack.elasticsearch_url, request_timeout=60) as client:
            violations += verify_indices(client, day, anomalies)
    if not violations:
        shutil.rmtree(folder / "stack")
    return Outcome(run.healed_s, violations, time.monotonic() - began_s)


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep the cores busy, so that everything else is slow, until the end of the block."""
    command = [sys.executable, "-c", "while True: sum(range(10**6))"]
    processes = [subprocess.Popen(command) for _ in range(BUSY_PROCESSES)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class _Run:
    """The processes of a run; leaving the context ends those that still run."""

    def __init__(self, stack: EmbeddedStack, day: Day, folder: Path, say: Callable[[str], None]) -> None:
        self.healed_s: list[float] = []
        self._stack = stack
        self._day = day
        self._say = say
        self._servers = Service("stack", folder, stack)
        self._producer = Service("producer", folder, stack)
        self._consumers = {
            Service(f"detector-{number}", folder, stack): "detect" for number in range(DETECTORS)
        }
        self._consumers[Service("indexer", folder, stack)] = "index"
        self._cleanup = ExitStack()

    def __enter__(self) -> "_Run":
        for service in (self._servers, *self._consumers, self._producer):  # the servers end last
            self._cleanup.callback(service.kill)
        self._start_servers()
        self._until(
            lambda: "is running" in log_tail(self._servers.log_file), HEALED_WITHIN_S, "the servers start"
        )
        self._reader = ProgressReader(self._stack.kafka_connection)
        self._cleanup.callback(self._reader.close)
        return self

    def __exit__(self, *error: object) -> None:
        self._cleanup.close()

    def through(self, plan: list[Outage]) -> list[Violation]:
        """Publish the day through all outages, then its rest, and stop everything; return what went wrong."""
        for consumer, command in self._consumers.items():
            consumer.start(command)
        event_s = float(self._day.event_ns[-1] - self._day.event_ns[0]) / 1e9
        self._produce("--speed", f"{event_s / (USUAL_S * len(plan)):.3f}")
        violations = []
        try:
            self._until_new_trades_pass(HEALED_WITHIN_S)
            for outage in plan:
                self._pass_through(outage)
            self._producer.terminate()
            self._producer.wait(STOPPED_WITHIN_S)
            self._produce()
            self._until(
                lambda: self._producer.code is not None and self._reader.current.is_settled,
                SETTLED_WITHIN_S,
                "the rest of the day is detected and indexed",
            )
        except NotHealedError as error:
            violations.append(Violation("pipeline", "not healed", 1, (str(error),)))
            self._say(f"  ! {error}")
        for service in (self._producer, *self._consumers, self._servers):
            code = service.code
            if code is None:
                service.terminate()
                code = service.wait(STOPPED_WITHIN_S)
            if code != 0:
                text = f"exit code {code}:\n{log_tail(service.log_file)}"
                violations.append(Violation(service.log_file.name, "ended badly", 1, (text,)))
        return violations

    def _start_servers(self) -> None:
        config = self._stack.config
        self._servers.start(
            "stack",
            *("--data-dir", str(config.data_dir)),
            *("--kafka-port", str(config.kafka_port)),
            *("--elasticsearch-port", str(config.elasticsearch_port)),
        )

    def _produce(self, *options: str) -> None:
        self._producer.start("produce", str(self._day.path), *options)

    def _pass_through(self, outage: Outage) -> None:
        self._wait(outage.calm_s)
        if outage.is_kill:
            self._servers.kill()  # which ends its servers too
        else:
            self._servers.terminate()
            if self._servers.wait(STOPPED_WITHIN_S) is None:
                raise NotHealedError(f"the servers did not stop within {STOPPED_WITHIN_S:.0f} s")
        self._wait(outage.down_s)
        self._start_servers()
        began_s = time.monotonic()
        self._until_new_trades_pass(HEALED_WITHIN_S)
        self.healed_s.append(time.monotonic() - began_s)
        what = "killed" if outage.is_kill else "stopped"
        self._say(
            f"  {outage.number:>3}  {what:<7}  down {outage.down_s:3.1f} s  healed {self.healed_s[-1]:5.1f} s"
            f" after the start, at {self._reader.current.indexed[DEFAULT_SINK]:,} of"
            f" {len(self._day.trades):,} trades"
        )

    def _until_new_trades_pass(self, within_s: float) -> None:
        """Wait until trades that are not yet published are published, detected and indexed."""
        if self._producer.code == 0:
            raise NotHealedError("the day was over before the last outage")
        before = self._reader.current.published

        def has_passed() -> bool:
            now = self._reader.current
            return min(now.published, now.detected, now.indexed[DEFAULT_SINK]) > before

        self._until(has_passed, within_s, "new trades are published, detected and indexed")

    def _until(self, is_so: Callable[[], bool], within_s: float, what: str) -> None:
        deadline_s = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > deadline_s:
                raise NotHealedError(f"waited {within_s:.0f} s until {what}; {self._reader.current}")
            self._wait(TICK_S)

    def _wait(self, seconds: float) -> None:
        """Wait; a service that ends by itself meanwhile has not healed."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            time.sleep(TICK_S)
            for service in self._consumers:
                if service.pid is not None and not service.is_running:
                    raise NotHealedError(f"{service.log_file.name} ended:\n{log_tail(service.log_file)}")
            if self._producer.code not in (None, 0):
                raise NotHealedError(f"the producer ended:\n{log_tail(self._producer.log_file)}")
