"""Runs a feed against a venue that misbehaves, kills it again and again, and compares what it published.

Every number of the venue's tape must be in `trades` once and in order for each symbol, or lie in a recorded
gap that says why; and every planned fault must have struck.
"""

import os
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import TopicPartition

from infra.embedded.child_process import start_child
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.kafka.clients import new_admin
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers, read_to_end
from services.common.kafka.records import Record
from services.common.process.shutdown import Stop
from services.contracts.topics import FEED_EVENTS_TOPIC, TRADES_TOPIC
from tests.chaos.verify import EXAMPLES, Violation
from tests.integration.pipeline import tapewatch
from tests.narrow import present
from tests.standins.faults import Fault, make_faults
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig
from tests.standins.venues import StandInVenue

SETTLED_WITHIN_S = 120.0
TAPE_S = 3_600.0
SPEED = 20.0
PER_SECOND = 20.0
STRIKES_UNTIL = 0.85
"""Share of the tape within which faults strike, so that the last ones can heal."""

START_S = 4.0
"""A feed has usually begun by then; it is not killed earlier."""


@dataclass
class FeedOutcome:
    """The results of a run.

    Parameters
    ----------
    kills
        How often the feed was killed.
    struck
        Faults of the venue that have struck.
    published, lost
        How many prints were published, and how many lie in recorded gaps.
    violations
        Empty if all is as it must be.
    seconds
        Length of the run.
    """

    kills: int = 0
    struck: list[str] = field(default_factory=list)
    published: int = 0
    lost: int = 0
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0


class FeedProcess:
    """`tapewatch feed` as a process, started again after each kill.

    Parameters
    ----------
    arguments
        Those of `tapewatch feed`.
    env
        Addresses and files of keys.
    log
        Gets what it logs.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "cli.main", "feed", *arguments]
        self._env = os.environ | dict(env)
        self._log = log
        self._starts = 0
        self.start()

    def start(self) -> None:
        """Start it."""
        self._starts += 1
        log = self._log.with_name(f"{self._log.stem}-{self._starts:02d}.log")
        self.process = start_child(self._command, log_file=log, env=self._env)

    def kill(self) -> None:
        """Kill it, and start it again."""
        self.process.kill()
        self.process.wait()
        self.start()

    def end(self) -> int:
        """Stop it; returns its exit code."""
        self.process.terminate()
        return self.process.wait(30)


def disturb_feed(
    kafka: KafkaConnection,
    addresses: Mapping[str, str],
    venue: StandInVenue,
    tape: TapeConfig,
    faults: Sequence[Fault],
    *,
    seed: int,
    kills: int,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
) -> FeedOutcome:
    """Run a feed for the length of a tape; see the module.

    Parameters
    ----------
    kafka, addresses
        Where Kafka is, for clients and as variables; its topics exist.
    venue, tape, faults
        The venue, what its tape is like, what it does wrong.
    seed
        Draws the times of the kills.
    kills
        How often the feed is killed.
    folder
        Gets logs and keys.
    say
        Called with a line of text for each kill.
    """
    began_s = time.monotonic()
    draw = random.Random(seed)  # noqa: S311 - no secret
    env = dict(addresses)
    for variable, secret in venue.secrets.items():
        path = folder / variable.lower()
        path.write_text(secret)
        env[variable] = str(path)
    outcome = FeedOutcome(kills=kills)
    length_s = tape.seconds / tape.speed
    with StandInProcess(venue.module, tape, faults) as standin:
        arguments = [venue.feed, "--symbols", ",".join(tape.symbols), *standin.urls]
        feed = FeedProcess(arguments, env, folder / "feed.log")
        try:
            at_s = sorted(draw.uniform(START_S, max(START_S, length_s - 1)) for _ in range(kills))
            for number, kill_s in enumerate(at_s, 1):
                time.sleep(max(0.0, began_s + kill_s - time.monotonic()))
                feed.kill()
                say(f"  {time.monotonic() - began_s:6.1f} s  kill {number} of {kills}")
            state = _settled(standin, kafka, venue, tape)
            ids = standin.ids()
            code = feed.end()
        finally:
            feed.process.kill()
            feed.process.wait()
    outcome.struck = state["struck"]
    if code != 0:
        outcome.violations.append(Violation("the feed", "exit code", 1, (str(code),)))
    if state["not_struck"]:
        outcome.violations.append(
            Violation(
                "the venue",
                "faults that have not struck",
                len(state["not_struck"]),
                tuple(state["not_struck"]),
            )
        )
    published, lost = read_feed(kafka, venue, tape.symbols, ids)
    outcome.published = sum(len(numbers) for numbers in published.values())
    outcome.violations += compare_feed(published, lost, state["numbers"])
    outcome.lost = sum(len(numbers) for numbers in lost.values())
    outcome.seconds = time.monotonic() - began_s
    return outcome


def _settled(
    standin: StandInProcess, kafka: KafkaConnection, venue: StandInVenue, tape: TapeConfig
) -> dict[str, Any]:
    """Wait until the tape is over and its last prints are published or recorded as lost."""
    ends_s = time.monotonic() + tape.seconds / tape.speed + SETTLED_WITHIN_S
    while not (state := standin.state())["is_over"] and time.monotonic() < ends_s:
        time.sleep(0.5)
    deadline_s = time.monotonic() + SETTLED_WITHIN_S
    while time.monotonic() < deadline_s:
        published, lost = read_feed(kafka, venue, tape.symbols, standin.ids())
        if not compare_feed(published, lost, state["numbers"]):
            break
        time.sleep(2.0)
    return standin.state()


def read_feed(
    kafka: KafkaConnection, venue: StandInVenue, symbols: Sequence[str], ids: Mapping[str, int]
) -> tuple[dict[str, list[int]], dict[str, set[int]]]:
    """Return by symbol the published numbers in their order, and those in gaps that were recorded as lost."""
    published: dict[str, list[int]] = defaultdict(list)
    times: dict[str, list[tuple[int, str]]] = defaultdict(list)
    keys = {symbol.encode() for symbol in symbols}
    for record in read_topic(kafka, TRADES_TOPIC):
        if record.key() in keys:  # others may have put anything there
            trade = orjson.loads(present(record.value()))
            if venue.number:
                number = int(present(re.search(venue.number, trade["trade_id"]))[1])
            else:
                number = ids.get(trade["trade_id"], -1)
            published[trade["symbol"]].append(number)
            times[trade["symbol"]].append((number, trade.get("ts_recv", trade["@timestamp"])))
    lost: dict[str, set[int]] = defaultdict(set)
    for record in read_topic(kafka, FEED_EVENTS_TOPIC):
        if record.key() != venue.feed.encode():
            continue
        event = orjson.loads(present(record.value()))
        if event["event"] != "gap_lost" or event["symbol"] not in symbols:
            continue
        if isinstance(event["from"], int):
            lost[event["symbol"]].update(range(event["from"], event["to"] + 1))
            continue
        for (number, shown), (following, shown_next) in pairwise(times[event["symbol"]]):
            if event["from"] <= shown and shown_next <= event["to"]:
                lost[event["symbol"]].update(range(number + 1, following))
    return published, lost


def compare_feed(
    published: Mapping[str, Sequence[int]], lost: Mapping[str, set[int]], tape: Mapping[str, Sequence[int]]
) -> list[Violation]:
    """Compare what was published with the venue's tape.

    Parameters
    ----------
    published
        Numbers by symbol, in their order.
    lost
        Numbers by symbol in gaps that were recorded as lost.
    tape
        The first and the last number by symbol; a feed's first print may be any.
    """
    violations = []
    for symbol, (_, last) in sorted(tape.items()):
        numbers = published.get(symbol, [])
        first = numbers[0] if numbers else last
        expected = set(range(first, last + 1)) - lost.get(symbol, set())
        missing = sorted(expected - set(numbers))
        doubled = sorted(number for number, count in Counter(numbers).items() if count > 1)
        strange = sorted(set(numbers) - set(range(first, last + 1)))
        for kind, found in (("lost", missing), ("doubled", doubled), ("unknown", strange)):
            if found:
                examples = tuple(str(number) for number in found[:EXAMPLES])
                violations.append(Violation(f"trades of {symbol}", kind, len(found), examples))
        disordered = [now for before, now in pairwise(numbers) if now < before]
        if disordered and not doubled:
            examples = tuple(str(number) for number in disordered[:EXAMPLES])
            violations.append(Violation(f"trades of {symbol}", "out of order", len(disordered), examples))
    return violations


def read_topic(kafka: KafkaConnection, topic: str) -> list[Record]:
    """Return the messages that a topic has now."""
    admin = new_admin(kafka)
    starts = [TopicPartition(topic, number, 0) for number in partition_numbers(admin, topic)]
    return list(read_to_end(kafka, starts, Stop(on_signals=False)))


def run_feed_chaos(
    venue: StandInVenue, folder: Path, *, seed: int, kills: int, say: Callable[[str], None]
) -> FeedOutcome:
    """Run an hour of tape at 20 times its speed on a Kafka of its own.

    Parameters
    ----------
    venue
        The venue.
    folder
        Gets the logs; it is empty.
    seed
        Draws tape, faults and kills.
    kills
        How often the feed is killed.
    say
        Called with a line of text for each step.
    """
    tape = TapeConfig(venue.symbols, PER_SECOND, TAPE_S, SPEED, seed)
    faults = make_faults(seed, venue.faults, int(TAPE_S * PER_SECOND * STRIKES_UNTIL))
    with ExitStack() as cleanup:
        config = StackConfig(
            data_dir=folder / "stack", kafka_port=free_port(), elasticsearch_port=free_port()
        )
        stack = cleanup.enter_context(EmbeddedStack(config))
        tapewatch(stack, "setup")
        say(f"seed {seed}: {venue.feed}, {TAPE_S:,.0f} s of tape, {len(faults)} faults, {kills} kills")
        return disturb_feed(
            stack.kafka_connection,
            {"TAPEWATCH_KAFKA": stack.kafka_bootstrap},
            venue,
            tape,
            faults,
            seed=seed,
            kills=kills,
            folder=folder,
            say=say,
        )
