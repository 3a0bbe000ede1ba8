"""A long stream cut into tenths, and whether the last of them costs more than the first."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.growth import Growth, Limit

Day = TypeVar("Day")

TENTHS = 10

PROCESSOR, MEMORY = Limit("s", 0.15, 1.0), Limit("MB", 0.15, 40.0)
"""What the last tenth may have more: of processor time a million trades, and of memory."""


@dataclass(frozen=True)
class Sample:
    """What was seen at a moment.

    Parameters
    ----------
    at_s
        When, by the monotonic clock.
    trades
        Trades that are indexed.
    processor_s, memory_mb
        By process: processor time since its start, and memory that is its own.
    lag
        Messages that a group has not committed, by its name.
    kafka_bytes, elasticsearch_bytes
        On disk.
    """

    at_s: float
    trades: int
    processor_s: Mapping[str, float]
    memory_mb: Mapping[str, float]
    lag: Mapping[str, float]
    kafka_bytes: int
    elasticsearch_bytes: int


@dataclass(frozen=True)
class Tenth:
    """A tenth of a stream.

    Parameters
    ----------
    trades
        How many were indexed in it.
    rate
        Trades a second.
    processor_s
        By process: seconds of processor time a million trades.
    memory_mb
        By process: the most that it had.
    lag
        By group: the most that it had.
    kafka_bytes, elasticsearch_bytes
        On disk at the end of it, by the trades that were indexed until then.
    """

    trades: int
    rate: float
    processor_s: Mapping[str, float]
    memory_mb: Mapping[str, float]
    lag: Mapping[str, float]
    kafka_bytes: float
    elasticsearch_bytes: float


def in_tenths(days: Sequence[Day]) -> list[Sequence[Day]]:
    """Cut days into ten parts of nearly equal lengths; into one for each day, if there are fewer.

    Parameters
    ----------
    days
        At least one.
    """
    parts = min(TENTHS, len(days))
    ends = [round(number * len(days) / parts) for number in range(parts + 1)]
    return [days[start:end] for start, end in itertools.pairwise(ends)]


def tenth_of(samples: Sequence[Sample]) -> Tenth:
    """Return what a tenth took.

    Parameters
    ----------
    samples
        In order of time, from just before its first trade until all of it was worked off.
    """
    before, after = samples[0], samples[-1]
    trades = after.trades - before.trades
    return Tenth(
        trades,
        trades / (after.at_s - before.at_s),
        {
            name: 1e6 * (after.processor_s[name] - before.processor_s[name]) / trades
            for name in after.processor_s
        },
        _greatest([one.memory_mb for one in samples]),
        _greatest([one.lag for one in samples]),
        after.kafka_bytes / after.trades,
        after.elasticsearch_bytes / after.trades,
    )


def _greatest(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in figures for name in one)
    return {name: max(one[name] for one in figures if name in one) for name in names}


def growths_of(tenths: Sequence[Tenth], more_memory_mb: Mapping[str, float]) -> dict[str, Growth]:
    """Compare the last tenth with the first, by what is compared.

    Parameters
    ----------
    tenths
        Of one stream.
    more_memory_mb
        What a process may have more by design, by its name.
    """
    first, last = tenths[0], tenths[-1]
    found = {
        f"{name}: processor time a million trades": Growth(
            first.processor_s[name], last.processor_s[name], PROCESSOR
        )
        for name in first.processor_s
    }
    for name in first.memory_mb.keys() & last.memory_mb.keys():
        limit = Limit(MEMORY.unit, MEMORY.share, MEMORY.amount + more_memory_mb.get(name, 0.0))
        found[f"{name}: memory"] = Growth(first.memory_mb[name], last.memory_mb[name], limit)
    return found
