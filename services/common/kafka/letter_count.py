"""Counts the messages of the topic `dead-letters`, whoever wrote them and whether or not that still runs."""

from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.clients import READS_ONLY, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets
from services.common.kafka.offsets import Positions
from services.common.kafka.reading import READ_AT_ONCE, partition_numbers
from services.contracts.topics import DEAD_LETTERS_TOPIC

_PAUSE_S = 0.1


class LetterCount:
    """Reads each letter once, as offsets would also count transaction markers; needs the right to read alone.

    Parameters
    ----------
    kafka
        Connection to Kafka, which may be away.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._consumer: Consumer | None = None
        self._positions = Positions()
        self._count = 0

    def so_far(self, wait_s: float) -> int:
        """Return how many there are, after reading some more of them; waits so long for the first of these.

        Raises
        ------
        TapewatchError
            Kafka does not answer, or does not let this client read the topic.
        """
        try:
            self._consumer = self._consumer or self._open()
            self._count += len(self._positions.split(self._consumer.consume(READ_AT_ONCE, wait_s)))
        except KafkaException as error:
            raise TapewatchError(
                f"The topic {DEAD_LETTERS_TOPIC} cannot be read: {error.args[0].str()}.",
                "`tapewatch dead-letters list` counts them where Kafka can be reached.",
            ) from error
        return self._count

    def to_the_end(self, ends: EndOffsets) -> int:
        """Return how many there are, after reading all of them.

        Raises
        ------
        TapewatchError
            As `so_far`.
        """
        while True:
            count = self.so_far(_PAUSE_S)
            if self._consumer is not None and self._positions.at_end(self._consumer, ends):
                return count

    def close(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            self._consumer.close()

    def _open(self) -> Consumer:
        consumer = new_consumer(self._kafka, READS_ONLY)
        try:
            numbers = partition_numbers(consumer, DEAD_LETTERS_TOPIC)
        except KafkaException:
            consumer.close()
            raise
        consumer.assign([TopicPartition(DEAD_LETTERS_TOPIC, number, 0) for number in numbers])
        return consumer
