"""From a partition's checkpoints to the engine that goes on where they were written."""

import structlog
from confluent_kafka import TopicPartition

from services.common.kafka.reading import read_to_end
from services.common.process.shutdown import Stop
from services.contracts.topics import CHECKPOINTS_TOPIC
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
    """The checkpoints cannot be gone on from; says why."""


def load(bootstrap: str, numbers: list[int], stop: Stop) -> dict[int, dict[bytes, bytes]]:
    """Read partitions of `detector-checkpoints`.

    Parameters
    ----------
    bootstrap
        Where Kafka is.
    numbers
        The partitions.
    stop
        Ends the reading early; what is returned then is not to be used.

    Returns
    -------
    dict
        By partition, the newest value of each key.
    """
    newest: dict[int, dict[bytes, bytes]] = {number: {} for number in numbers}
    starts = [TopicPartition(CHECKPOINTS_TOPIC, number, 0) for number in numbers]
    for message in read_to_end(bootstrap, starts, stop):
        key, value = message.key() or b"", message.value()
        if value is None:
            newest[message.partition()].pop(key, None)
        else:
            newest[message.partition()][key] = value
    return newest


def recover(
    stored: dict[bytes, bytes], number: int, committed: int, beginning: int, profile: Profile
) -> Recovered:
    """Rebuild what is known of a partition's symbols, as far as checkpoints have it.

    Parameters
    ----------
    stored
        The partition's checkpoints, by key.
    number
        The partition, of `trades` and of `detector-checkpoints`.
    committed
        The detectors' committed offset in it.
    beginning
        The first offset that `trades` still has.
    profile
        What counts as unusual.

    Returns
    -------
    Recovered
        If the checkpoints are another profile's or cannot be read, that is logged, and everything is
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
            run=next_run(stored),
            replay_from=beginning,
            publish_from=committed,
            stale=tuple(key for key in stored if key != PARTITION_KEY),
            retract_until=partition.retract_until if partition else None,
            letters_from=partition.letters_from if partition else 0,
        )
    if recovered.replay_from < beginning or (recovered.replay_from == beginning > 0 and not recovered.skip):
        log.warning(
            "the first trades to replay were removed by the topic's retention: anomalies right after the "
            "restart may differ from an undisturbed run's",
            first_offset=beginning,
        )
    return recovered


def partition_record(stored: dict[bytes, bytes]) -> PartitionCheckpoint | None:
    """Return the partition's own record; None without one that can be read."""
    try:
        return _partition(stored)
    except UnreadableCheckpointError:
        return None


def is_as_left(partition: WatchedPartition, stored: dict[bytes, bytes], committed: int) -> bool:
    """Tell whether a partition that comes back is as this process gave it away.

    Not so if others have read on in it, or have begun a new run, even if that has come just as far.
    """
    record = partition_record(stored)
    return partition.position == committed and (record is None or record.run <= partition.run)


def next_run(stored: dict[bytes, bytes]) -> int:
    """Return a run's number that no checkpoint has yet."""
    runs = [0]
    for value in stored.values():
        try:
            runs.append(decode(value).run)
        except UnreadableCheckpointError:
            continue
    return max(runs) + 1


def _partition(stored: dict[bytes, bytes]) -> PartitionCheckpoint | None:
    """Return the partition's own record; None if nothing was ever saved."""
    if PARTITION_KEY not in stored:
        return None
    partition = decode(stored[PARTITION_KEY])
    if not isinstance(partition, PartitionCheckpoint):
        raise UnreadableCheckpointError("a session's checkpoint stands under the partition's key")
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
    if partition.layout != engine.layout:
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
        if checkpoint.run != partition.run:
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
        run=partition.run,
        replay_from=partition.replay_from,
        publish_from=committed,
        skip=skip,
        stale=tuple(stale),
        retract_until=partition.retract_until,
        letters_from=partition.letters_from,
    )
