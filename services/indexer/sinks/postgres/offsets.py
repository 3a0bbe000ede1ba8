"""How far the topics are in the tables, and who may add to them.

Each partition has a row with its next offset and its owner. Whoever claims it becomes the owner; a
transaction of an earlier one, however late it wakes up, finds another owner and is rolled back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from services.common.kafka.end_offsets import Partition
from services.contracts.postgres import OFFSETS_TABLE, SCHEMA

Session = psycopg.Connection[TupleRow]
TopicIds = Mapping[str, str]
"""Kafka's id of each topic: one that is deleted and created again has another."""

_TABLE = f"{SCHEMA}.{OFFSETS_TABLE}"


class FencedError(Exception):
    """The partitions are, or are about to be, another instance's."""


def claim(
    session: Session, owner: str, process: str, partitions: Sequence[Partition], topic_ids: TopicIds
) -> dict[Partition, int | None]:
    """Become the owner of partitions; return the next offset of each, None where nothing was stored.

    A transaction that an earlier owner left open, perhaps in the middle of its rows, is ended: it could not
    be committed any more, but what it has locked would hold up the new owner.

    Parameters
    ----------
    session
        In autocommit.
    owner
        Name of this claim, which no other has.
    process
        What its name and those of all claims of this process begin with.
    partitions
        What is claimed.
    topic_ids
        Of their topics.
    """
    topics, ids, numbers = _columns(partitions, topic_ids)
    with session.transaction():
        session.execute(
            f"""SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a, (
                SELECT DISTINCT o.backend_pid, o.backend_start FROM {_TABLE} o
                JOIN unnest(%s::text[], %s::text[], %s::int[]) AS c (topic, topic_id, partition)
                USING (topic, topic_id, partition) WHERE NOT starts_with(o.owner, %s)
            ) earlier
            WHERE a.pid = earlier.backend_pid AND a.backend_start = earlier.backend_start
            AND a.usename = current_user""",  # noqa: S608 - a constant
            [topics, ids, numbers, process],
        )
        rows = session.execute(
            f"""INSERT INTO {_TABLE} (topic, topic_id, partition, owner)
            SELECT c.topic, c.topic_id, c.partition, %s
            FROM unnest(%s::text[], %s::text[], %s::int[]) AS c (topic, topic_id, partition)
            ORDER BY 1, 2, 3
            ON CONFLICT (topic, topic_id, partition)
                DO UPDATE SET owner = EXCLUDED.owner, backend_pid = NULL, backend_start = NULL
            RETURNING topic, partition, next_offset""",  # noqa: S608 - a constant
            [owner, topics, ids, numbers],
        ).fetchall()
    return {(topic, number): next_offset for topic, number, next_offset in rows}


def advance(session: Session, owner: str, offsets: Mapping[Partition, int], topic_ids: TopicIds) -> None:
    """Store offsets in the transaction that is open.

    It is the last thing before the commit, so that a process that stands still elsewhere has locked nothing
    that a claim needs.

    Raises
    ------
    FencedError
        A partition has another owner; the transaction must be rolled back.
    """
    partitions = sorted(offsets)
    topics, ids, numbers = _columns(partitions, topic_ids)
    changed = session.execute(
        f"""UPDATE {_TABLE} o
        SET next_offset = n.next_offset, updated_at = now()
        FROM unnest(%s::text[], %s::text[], %s::int[], %s::bigint[])
            AS n (topic, topic_id, partition, next_offset)
        WHERE o.topic = n.topic AND o.topic_id = n.topic_id AND o.partition = n.partition AND o.owner = %s""",  # noqa: S608
        [topics, ids, numbers, [offsets[partition] for partition in partitions], owner],
    ).rowcount
    if changed != len(partitions):
        raise FencedError


def note_session(session: Session, owner: str) -> None:
    """Note which session an owner writes with, before it does, so that a later owner can end it."""
    session.execute(
        f"""UPDATE {_TABLE} SET backend_pid = a.pid, backend_start = a.backend_start
        FROM pg_stat_get_activity(pg_backend_pid()) AS a WHERE owner = %s""",  # noqa: S608 - a constant
        [owner],
    )


def _columns(partitions: Sequence[Partition], topic_ids: TopicIds) -> tuple[list[Any], list[Any], list[Any]]:
    return (
        [topic for topic, _ in partitions],
        [topic_ids[topic] for topic, _ in partitions],
        [number for _, number in partitions],
    )
