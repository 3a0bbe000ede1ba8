"""From the entries of a batch to steps, each of which Postgres does at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.common.kafka.records import Record
from services.contracts.topics import TRADES_TOPIC
from services.indexer.sinks.base import Entry
from services.indexer.sinks.postgres.copying import Line, Removal
from services.indexer.sinks.postgres.rows import TABLES, TRADES, Table, to_retraction

_DAY = slice(1, len('"2024-12-02'))


@dataclass
class Step:
    """Rows of one table, each of another key, and anomalies to remove, of others still.

    Parameters
    ----------
    table
        Where they go.
    """

    table: Table
    lines: list[Line] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)

    @property
    def days(self) -> set[bytes]:
        """The days of its rows."""
        return {csv[_DAY] for _, csv in self.lines}

    def of_days(self, days: Collection[bytes]) -> Iterator[tuple[int, bytes]]:
        """Return the index and the day of each row of these days, which are written as 2024-12-02."""
        for at, csv in self.lines:
            day = csv[_DAY]  # it stands first, in quotes
            if day in days:
                yield at, day


def target_of(key: str, record: Record) -> bytes:
    """Return the target of a message that is no trade: its row's key, and where it comes from.

    So no two are equal, and a batch may have several versions of a row, which `steps_of` keeps in order.
    """
    return b"%b\0%d/%d" % (key.encode(), record.partition(), record.offset())


def steps_of(records: Sequence[Record], entries: Sequence[Entry], topic_ids: Mapping[str, str]) -> list[Step]:
    """Arrange a batch: the trades in one step, other rows in as few as keep versions of one in their order.

    Parameters
    ----------
    records, entries
        As `TransactionalSink.write` takes them, with targets of `target_of` where it is no trade.
    topic_ids
        Kafka's ids of the topics.
    """
    trades = Step(TRADES)
    others: list[Step] = []
    rounds: dict[tuple[str, int], Step] = {}
    versions: dict[tuple[str, bytes], int] = {}
    for at, (record, (target, content)) in enumerate(zip(records, entries, strict=True)):
        topic = record.topic()
        if topic == TRADES_TOPIC and content is not None:
            trades.lines.append((at, content))
            continue
        key = target.rpartition(b"\0")[0]
        version = versions[topic, key] = versions.get((topic, key), -1) + 1
        if (topic, version) not in rounds:
            rounds[topic, version] = Step(TABLES[topic])
            others.append(rounds[topic, version])
        step = rounds[topic, version]
        if content is not None:
            step.lines.append((at, content))
        else:
            gone = to_retraction(record.headers())
            step.removals.append(Removal(gone, topic_ids[topic], record.partition(), record.offset()))
    return [*([trades] if trades.lines else []), *others]
