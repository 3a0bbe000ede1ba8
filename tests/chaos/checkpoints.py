"""Checks that restarted detectors resumed from checkpoints and replayed little."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.verify import EXAMPLES, Fields, Violation


@dataclass(frozen=True)
class Saved:
    """A session's checkpoint in the topic.

    Parameters
    ----------
    partition
        Of `trades`, and of the topic.
    offset
        Committed in the same transaction as the detectors' offset of the partition.
    at_s
        When the broker got it, seconds since 1970.
    """

    partition: int
    offset: int
    at_s: float


@dataclass(frozen=True)
class Recoveries:
    """Counts of how detectors started work on partitions.

    Parameters
    ----------
    checkpoints
        Checkpoints of sessions that were written.
    assignments
        How often a detector was given partitions with trades.
    after_restart
        How many of them were to one started again in the run that went on from a checkpoint for certain.
    most_replayed
        Messages that an assignment replayed at most, of all its partitions.
    violations
        Empty if all is as it must be.
    """

    checkpoints: int
    assignments: int
    after_restart: int
    most_replayed: int
    violations: list[Violation]


def check_recoveries(
    saved: Sequence[Saved],
    logs: Mapping[str, Sequence[Fields]],
    restarts: Collection[str],
    busy: Collection[int],
    checkpoint_trades: int,
) -> Recoveries:
    """Compare what detectors replayed with what had been saved before.

    A checkpoint that is committed shows that the committed offset was as far by then. So a process that
    works on partitions for the first time and replays less than what their checkpoints cover has not begun
    at the topic's beginning.

    Parameters
    ----------
    saved
        The checkpoints of sessions.
    logs
        Entries of the detectors' logs, one log for each process, by the log's name.
    restarts
        Names of those whose process was started again while trades flowed.
    busy
        Partitions that have trades.
    checkpoint_trades
        With each commit a partition's checkpoints come up to less than so many messages before the offset.
    """
    after_restart, replayed, too_much = 0, [], []
    for name, entries in logs.items():
        known: set[int] = set()  # may have been kept in memory
        for entry in entries:
            partitions = set(entry["partitions"]) & set(busy) if entry.get("event") == "assigned" else set()
            if not partitions:
                continue
            to_replay = entry["to_replay"]
            replayed.append(to_replay)
            bound = checkpoint_trades * len(partitions)
            if to_replay > bound:
                too_much.append(f"{name}: {to_replay:,} messages of {len(partitions)} partitions")
            at_s = dt.datetime.fromisoformat(entry["timestamp"]).timestamp()
            covered = sum(_covered(saved, partition, at_s) for partition in partitions - known)
            after_restart += name in restarts and to_replay < covered
            known |= partitions
    violations = []
    if not saved:
        violations.append(Violation("topic detector-checkpoints", "empty", 1, ("no session was saved",)))
    if too_much:
        examples = tuple(too_much[:EXAMPLES])
        violations.append(Violation("detectors", "replayed too much", len(too_much), examples))
    if not after_restart:
        text = "no detector that was started again went on from one"
        violations.append(Violation("checkpoints", "not used", 1, (text,)))
    return Recoveries(len(saved), len(replayed), after_restart, max(replayed, default=0), violations)


def _covered(saved: Sequence[Saved], partition: int, at_s: float) -> int:
    """Return an offset that had certainly been committed by then."""
    return max((one.offset for one in saved if one.partition == partition and one.at_s < at_s), default=0)
