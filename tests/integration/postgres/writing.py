"""Writes records as the runner has the sink write them."""

from collections.abc import Callable, Sequence

from services.common.kafka.records import Record
from services.common.process.shutdown import Stop
from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC, TRADES_TOPIC
from services.indexer.sinks.base import Entry, Rejected
from services.indexer.sinks.postgres.offsets import claim
from services.indexer.sinks.postgres.rows import to_retraction, to_row, trade_row
from services.indexer.sinks.postgres.steps import steps_of, target_of
from services.indexer.sinks.postgres.writer import Writer
from tests.integration.postgres.database import Database
from tests.samples import kafka_record
from tests.stops import AskedFor

TOPICS = (TRADES_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC, ALERTS_TOPIC)
PARTITIONS = [(topic, number) for topic in TOPICS for number in (0, 1)]


class Instance:
    """One process of the sink.

    Parameters
    ----------
    database
        Where it writes.
    name
        Its own, which no other has.
    topic_ids
        Suffix of the topics' ids: another one stands for topics of another Kafka.
    """

    def __init__(self, database: Database, name: str = "a", topic_ids: str = "1") -> None:
        self.stop: Stop = AskedFor()
        self.name = name
        self.letters: list[Rejected] = []
        self.writer = Writer(database.connection(), f"test-{name}", self.stop)
        self.writer.topic_ids = {topic: f"{topic}-{topic_ids}" for topic in TOPICS}
        self._database = database
        self._claims = 0

    def claim(self) -> dict[tuple[str, int], int | None]:
        """Become the owner of all partitions."""
        self._claims += 1
        owner = f"{self.name}/{self._claims}"
        with self._database.connection().connect("test-claim") as session:
            found = claim(session, owner, self.name, PARTITIONS, self.writer.topic_ids)
        self.writer.owner = owner
        return found

    def write(self, *records: Record, is_wanted: Callable[[], bool] = lambda: True) -> list[Rejected]:
        """Write records and the offsets behind them."""
        steps = steps_of(records, [self._entry(record) for record in records], self.writer.topic_ids)
        offsets = {(record.topic(), record.partition()): record.offset() + 1 for record in records}
        return self.writer.write(steps, offsets, is_wanted, self._publish)

    def _publish(self, rejected: list[Rejected]) -> bool:
        self.letters += rejected
        return True

    def _entry(self, record: Record) -> Entry:
        if record.topic() == TRADES_TOPIC:
            return trade_row(record.value() or b"")
        if record.value() is None:
            return target_of(to_retraction(record.headers()).key, record), None
        key, line = to_row(record, self.writer.topic_ids[record.topic()])
        return target_of(key, record), line


def claimed(database: Database, name: str = "a", topic_ids: str = "1") -> Instance:
    """Return an instance that owns all partitions."""
    instance = Instance(database, name, topic_ids)
    instance.claim()
    return instance


def records(topic: str, values: Sequence[bytes], first_offset: int = 0, partition: int = 0) -> list[Record]:
    """Return messages at offsets that follow each other."""
    return [kafka_record(topic, partition, first_offset + at, value=value) for at, value in enumerate(values)]
