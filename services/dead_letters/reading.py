"""Reads the topic `dead-letters` and the record of replays, without joining a group."""

from collections.abc import Callable, Container, Iterable, Iterator

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets
from services.common.kafka.reading import read_to_end
from services.common.kafka.records import Record
from services.common.process.readiness import wait_for_server
from services.common.process.shutdown import Stop
from services.contracts.topics import DEAD_LETTERS_TOPIC
from services.dead_letters.letters import LetterId

_LIST = "`tapewatch dead-letters list` shows the ids."


def parse_ids(names: list[str]) -> list[LetterId]:
    """Read the ids that a person gave, each once.

    Raises
    ------
    TapewatchError
        One is not an id.
    """
    ids: dict[LetterId, None] = {}
    for name in names:
        letter_id = LetterId.parse(name)
        if letter_id is None:
            raise TapewatchError(f"{name!r} is not the id of a dead letter; an id looks like 3-17.", _LIST)
        ids[letter_id] = None
    return list(ids)


def check_found(ids: Iterable[LetterId], found: Container[LetterId]) -> None:
    """Check that every letter asked for is there.

    Raises
    ------
    TapewatchError
        Some are not.
    """
    if missing := [str(letter_id) for letter_id in ids if letter_id not in found]:
        plural = "s" if len(missing) > 1 else ""
        raise TapewatchError(f"No such dead letter{plural}: {', '.join(missing)}.", _LIST)


class StoppedError(Exception):
    """A stop came before all was read; what was read must not be taken for all."""


class Reader:
    """Reads committed messages.

    Parameters
    ----------
    kafka
        Connection to Kafka; an unavailable broker is waited for.
    stop
        Ends the reading: each method raises `StoppedError` then.
    """

    def __init__(self, kafka: KafkaConnection, stop: Stop) -> None:
        self._kafka = kafka
        self._stop = stop
        self._admin = new_admin(kafka)

    def partitions(self, topic: str) -> list[int]:
        """Return a topic's partitions; empty if the topic does not exist."""
        found: list[int] = []

        def ask() -> None:
            topics = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
            found[:] = sorted(topics[topic].partitions) if topic in topics else []

        self._ask(ask)
        return found

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return where each partition ends now, by number."""
        partitions = [TopicPartition(topic, number) for number in self.partitions(topic)]
        ends: dict[int, int] = {}

        def ask() -> None:
            found = of_ends.ask(partitions, IsolationLevel.READ_COMMITTED)
            ends.update({number: end for (_, number), end in found.items()})

        of_ends = EndOffsets(self._kafka)
        try:
            self._ask(ask)
        finally:
            of_ends.close()
        return ends

    def read(self, topic: str) -> Iterator[Record]:
        """Yield all messages of a topic; nothing if the topic does not exist."""
        numbers = self.partitions(topic)
        return self._read([TopicPartition(topic, number, 0) for number in numbers]) if numbers else iter(())

    def read_letters(self, ids: Iterable[LetterId]) -> Iterator[Record]:
        """Yield those letters that exist; in each partition the older one first."""
        wanted: dict[int, set[int]] = {}
        numbers = set(self.partitions(DEAD_LETTERS_TOPIC))
        for partition, offset in ids:
            if partition in numbers:
                wanted.setdefault(partition, set()).add(offset)
        if not wanted:
            return
        starts = [
            TopicPartition(DEAD_LETTERS_TOPIC, number, min(offsets)) for number, offsets in wanted.items()
        ]
        last = {number: max(offsets) for number, offsets in wanted.items()}
        for message in self._read(starts):
            number, offset = message.partition(), message.offset()
            if offset in wanted[number]:
                yield message
            if number in last and offset >= last[number]:
                del last[number]
            if not last:
                return

    def _read(self, starts: list[TopicPartition]) -> Iterator[Record]:
        yield from read_to_end(self._kafka, starts, self._stop)
        if self._stop.requested:
            raise StoppedError

    def _ask(self, ask: Callable[[], None]) -> None:
        if not wait_for_server(ask, KafkaException, f"Kafka at {self._kafka}", self._stop):
            raise StoppedError
