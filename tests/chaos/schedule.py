"""The plan of a run: victims, faults and when they happen; the same seed gives the same plan."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Victim(StrEnum):
    """Processes that can be killed or paused; a service's name is also its log's."""

    PRODUCER = "producer"
    DETECTOR_A = "detector-a"
    DETECTOR_B = "detector-b"
    INDEXER = "indexer"
    KAFKA = "kafka"
    ELASTICSEARCH = "elasticsearch"
    INDEXER_POSTGRES = "indexer-postgres"
    POSTGRES = "postgres"


class Act(StrEnum):
    """What is done to a victim."""

    KILL = "kill"
    """SIGKILL, then a restart."""
    PAUSE = "pause"
    """SIGSTOP until its session and transaction have expired, then SIGCONT: it must resume."""
    REPLACE = "replace"
    """Like a pause, but another process is started under its name meanwhile: the paused one must exit."""


DETECTORS = (Victim.DETECTOR_A, Victim.DETECTOR_B)
SERVERS = (Victim.KAFKA, Victim.ELASTICSEARCH, Victim.POSTGRES)

SHARES = {
    Victim.PRODUCER: 2,
    Victim.DETECTOR_A: 2,
    Victim.DETECTOR_B: 2,
    Victim.INDEXER: 2,
    Victim.KAFKA: 1,
    Victim.ELASTICSEARCH: 1,
    Victim.INDEXER_POSTGRES: 2,
    Victim.POSTGRES: 1,
}
"""Shares of the kills; a server takes longest to restart."""

AT_LEAST = [
    Victim.PRODUCER,
    Victim.PRODUCER,
    Victim.DETECTOR_A,
    Victim.INDEXER,
    Victim.KAFKA,
    Victim.ELASTICSEARCH,
]
"""Victims that are killed in every run."""

OF_SINKS = {
    "elasticsearch": (Victim.INDEXER, Victim.ELASTICSEARCH),
    "postgres": (Victim.INDEXER_POSTGRES, Victim.POSTGRES),
}
"""The indexer and the store of each sink."""

PAUSE_S = 12.0
"""Longer than the timeouts of a session (6 s) and a transaction (10 s)."""

LONGEST_DELAY_S = 0.3
LONGEST_DOWN_S = 2.0
JITTER = 0.3


@dataclass(frozen=True)
class Fault:
    """A planned fault.

    Parameters
    ----------
    number
        From 1 on.
    act, victim
        What is done to whom.
    fraction
        Strikes once the victim's stage has passed this share of the trades; between 0 and 1.
    delay_s
        And that much later, so that it falls anywhere in a batch or a transaction.
    down_s
        A killed victim is started again after that time.
    """

    number: int
    act: Act
    victim: Victim
    fraction: float
    delay_s: float
    down_s: float

    @property
    def budget_s(self) -> float:
        """How long trades should flow before it: about as long as the victim takes to recover."""
        if self.act is not Act.KILL:
            return PAUSE_S + 2.0
        return 3.0 if self.victim is Victim.PRODUCER else 7.0


def victims_of(sinks: Sequence[str]) -> list[Victim]:
    """Return who runs with these sinks."""
    without = {victim for sink, victims in OF_SINKS.items() if sink not in sinks for victim in victims}
    return [victim for victim in Victim if victim not in without]


def at_least(sinks: Sequence[str]) -> list[Victim]:
    """Return the victims that are killed in every run with these sinks, one perhaps more than once."""
    running = victims_of(sinks)
    usual = [victim for victim in AT_LEAST if victim in running]
    return usual + [victim for sink in sinks for victim in OF_SINKS[sink] if victim not in usual]


def make_plan(seed: int, kills: int, pauses: int, sinks: Sequence[str] = ("elasticsearch",)) -> list[Fault]:
    """Plan a run.

    The producer's kill comes first and last. Each start of it chooses a speed that lets trades flow until
    its next kill; so the quiet hours before the open pass quickly, and nothing has to be held back.

    Parameters
    ----------
    seed
        Of everything that is chosen.
    kills
        As many as `at_least` has or more; each victim gets its share.
    pauses
        Pauses and replacements, in addition.
    sinks
        Those that run.
    """
    least = at_least(sinks)
    if kills < len(least):
        raise ValueError(f"a plan has {len(least)} kills at least, not {kills}")
    rng = random.Random(seed)  # noqa: S311 - chooses victims, protects nothing
    inner = [(Act.KILL, victim) for victim in _kills(kills, least)]
    for _ in ("first", "last"):
        inner.remove((Act.KILL, Victim.PRODUCER))
    inner += _pauses(rng, pauses, sinks)
    chosen = _mixed(rng, inner)
    count = len(chosen)
    return [
        Fault(
            number=number,
            act=act,
            victim=victim,
            fraction=(number + rng.uniform(-JITTER, JITTER)) / (count + 1),
            delay_s=rng.uniform(0, LONGEST_DELAY_S),
            down_s=rng.uniform(0, LONGEST_DOWN_S),
        )
        for number, (act, victim) in enumerate(chosen, start=1)
    ]


def _kills(count: int, least: list[Victim]) -> list[Victim]:
    """Distribute the kills by shares."""
    dealt = list(least)
    running = [victim for victim in SHARES if victim in {*least, *DETECTORS}]
    while len(dealt) < count:
        # Whoever is furthest below its share is next.
        dealt.append(min(running, key=lambda victim: dealt.count(victim) / SHARES[victim]))
    return dealt


def _pauses(rng: random.Random, count: int, sinks: Sequence[str]) -> list[tuple[Act, Victim]]:
    """Distribute the pauses; the two detectors alternate."""
    first, second = rng.sample(DETECTORS, 2)
    turn = [
        (Act.PAUSE, first),
        (Act.REPLACE, second),
        *((Act.PAUSE, OF_SINKS[sink][0]) for sink in sinks),
        (Act.PAUSE, Victim.PRODUCER),
        (Act.PAUSE, second),
        (Act.REPLACE, Victim.PRODUCER),
    ]
    return [turn[number % len(turn)] for number in range(count)]


def _mixed(rng: random.Random, inner: list[tuple[Act, Victim]]) -> list[tuple[Act, Victim]]:
    """Shuffle until hardly any victim comes twice in a row; the producer's kill is first and last."""

    def repetitions(order: list[tuple[Act, Victim]]) -> int:
        return sum(one[1] is other[1] for one, other in itertools.pairwise(order))

    end = (Act.KILL, Victim.PRODUCER)
    orders = [[end, *rng.sample(inner, len(inner)), end] for _ in range(200)]
    return min(orders, key=repetitions)


@dataclass(frozen=True)
class Leg:
    """Options of a start of the producer.

    Parameters
    ----------
    speed
        Event seconds in a second.
    limit_trades
        It ends by itself after so many, and is started again: should the faults take longer than thought, so
        the day is never over before the last one.
    """

    speed: float
    limit_trades: int


def next_leg(event_ns: np.ndarray, row: int, upcoming: list[Fault]) -> Leg | None:
    """Return how the producer should publish from now on.

    Parameters
    ----------
    event_ns
        The file's event times, int64, shape (n,), not falling.
    row
        The next one to publish.
    upcoming
        The faults that have not struck yet, in their order.

    Returns
    -------
    Leg or None
        So that the trades up to the producer's next kill take as long as the faults until then; None, for
        the rest as fast as possible, when no fault is left.
    """
    if not upcoming:
        return None
    next_kill = next(
        place
        for place, fault in enumerate(upcoming)
        if fault.act is Act.KILL and fault.victim is Victim.PRODUCER
    )
    until_kill_s = sum(fault.budget_s for fault in upcoming[: next_kill + 1])
    until_last_s = sum(fault.budget_s for fault in upcoming)
    # Shared again at each start: it may have run ahead of the plan while a victim was waited for.
    last_row = max(int(upcoming[-1].fraction * len(event_ns)), row + (len(event_ns) - row) // 2)
    until_row = min(row + int((last_row - row) * until_kill_s / until_last_s), len(event_ns) - 1)
    event_s = (event_ns[until_row] - event_ns[min(row, until_row)]) / 1e9
    return Leg(max(float(event_s) / until_kill_s, 0.001), max((until_row + last_row) // 2 - row, 1))
