"""Records and batches made by number."""

from services.common.kafka.records import Record
from services.indexer.batch import Batch
from services.indexer.sinks.base import Entry
from tests.samples import kafka_record


def message(offset: int, topic: str = "trades", partition: int = 0) -> Record:
    return kafka_record(topic, partition, offset)


def entry(number: int, content: bytes | None = b"{}") -> Entry:
    return b"%d" % number, content


def batch(*numbers: int) -> Batch:
    made = Batch()
    for number in numbers:
        assert made.add(message(number), entry(number))
    return made
