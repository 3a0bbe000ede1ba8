"""Restores a partition's engine from its checkpoints."""

from dataclasses import replace

import structlog

from services.contracts.tape_clock import UNKNOWN, ClockReading
from services.detector.engine.engine import Engine
from services.detector.live.checkpoint import (
    PARTITION_KEY,
    PartitionCheckpoint,
    SessionCheckpoint,
    UnreadableCheckpointError,
    decode,
    parse_session_key,
)
from services.detector.live.partition import Recovered, WatchedPartition
from services.detector.profiles.profile import Profile


class _UnusableError(Exception):
    """The checkpoints cannot be used; the message says why."""


def recover(
    stored: dict[bytes, bytes],
    number: int,
    committed: int,
    beginning: int,
    profile: Profile,
    clock: ClockReading = UNKNOWN,
) -> Recovered:
    """Rebuild the state of a partition's symbols from its checkpoints.

    Parameters
    ----------
    stored
        The partition's checkpoints, by key.
    number
        The partition, of `trades` and of `detector-checkpoints`.
    committed
        The detectors' committed offset in it.
    beginning
        The first offset that is still in `trades`.
    profile
        What counts as unusual.
    clock
        The tape's clock, as it was committed with that offset.

    Returns
    -------
    Recovered
        If the checkpoints are of another profile or cannot be read, a warning says so, and everything is
        replayed from the beginning.
    """
    log = structlog.get_logger().bind(partition=number)
    partition: PartitionCheckpoint | None = None
    try:
        partition = _partition(stored)
        recovered = _restored(stored, partition, committed, profile)
    except (_UnusableError, UnreadableCheckpointError, ValueError) as error:
        log.warning("checkpoints not usable, state is rebuilt from the topic's beginning", reason=str(error))
        recovered = None
    if recovered is None:
        recovered = Recovered(
            engine=Engine(profile),
            epoch=next_epoch(stored),
            replay_from=beginning,
            publish_from=committed,
            stale=tuple(key for key in stored if key != PARTITION_KEY),
            retract_until=partition.retract_until if partition else None,
            letters_from=partition.letters_from if partition else 0,
        )
    if recovered.retract_until is None:  # else it is the clock of the epoch before
        recovered = replace(recovered, clock=clock)
    if recovered.replay_from < beginning or (recovered.replay_from == beginning > 0 and not recovered.skip):
        log.warning(
            "the first trades to replay were removed by the topic's retention: anomalies right after the "
            "restart may differ from an undisturbed run's",
            first_offset=beginning,
        )
    return recovered


def partition_record(stored: dict[bytes, bytes]) -> PartitionCheckpoint | None:
    """Return the partition's own record; None if it is missing or unreadable."""
    try:
        return _partition(stored)
    except UnreadableCheckpointError:
        return None


def is_unchanged(partition: WatchedPartition, stored: dict[bytes, bytes], committed: int) -> bool:
    """Tell whether a partition that comes back is unchanged since this process gave it up.

    It is not if another detector has continued it, or has started a new epoch, even up to the same offset.
    """
    record = partition_record(stored)
    return partition.position == committed and (record is None or record.epoch <= partition.epoch)


def next_epoch(stored: dict[bytes, bytes]) -> int:
    """Return an epoch that no checkpoint has yet."""
    epochs = [0]
    for value in stored.values():
        try:
            epochs.append(decode(value).epoch)
        except UnreadableCheckpointError:
            continue
    return max(epochs) + 1


def _partition(stored: dict[bytes, bytes]) -> PartitionCheckpoint | None:
    """Return the partition's own record; None if nothing was saved."""
    if PARTITION_KEY not in stored:
        return None
    partition = decode(stored[PARTITION_KEY])
    if not isinstance(partition, PartitionCheckpoint):
        raise UnreadableCheckpointError("the partition's key has a session's checkpoint")
    return partition


def _restored(
    stored: dict[bytes, bytes], partition: PartitionCheckpoint | None, committed: int, profile: Profile
) -> Recovered | None:
    if partition is None:
        if stored:
            raise _UnusableError("the partition's own record is missing")
        return None
    if partition.profile != profile.hash:
        raise _UnusableError(
            "they are of another profile; anomalies found with it stay until `tapewatch detect --reset`"
        )
    engine = Engine(profile)
    if not engine.checkpointable:
        return None
    if partition.layout != engine.state_schema:
        raise _UnusableError("they are of another version of Tapewatch")
    if partition.replay_from > committed:
        raise _UnusableError(f"they are ahead of the committed offset {committed}")
    skip: dict[str, int] = {}
    stale: list[bytes] = []
    for key, value in stored.items():
        if key == PARTITION_KEY:
            continue
        checkpoint = decode(value)
        if not isinstance(checkpoint, SessionCheckpoint):
            raise UnreadableCheckpointError(f"the checkpoint of {key!r} is not a session's")
        if checkpoint.epoch != partition.epoch:
            stale.append(key)
            continue
        if checkpoint.state.session != parse_session_key(key):
            raise UnreadableCheckpointError(f"the checkpoint of {key!r} is another session's")
        if checkpoint.offset > committed:
            raise _UnusableError(f"they are ahead of the committed offset {committed}")
        engine.restore(checkpoint.state)
        symbol = checkpoint.state.session.symbol
        skip[symbol] = max(checkpoint.offset, skip.get(symbol, 0))
    return Recovered(
        engine=engine,
        epoch=partition.epoch,
        replay_from=partition.replay_from,
        publish_from=committed,
        skip=skip,
        stale=tuple(stale),
        retract_until=partition.retract_until,
        letters_from=partition.letters_from,
    )
