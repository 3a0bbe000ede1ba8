"""Asks for the ends of partitions.

Not by the admin client: librdkafka may abort the process when a broker goes away after one of that client's
requests has timed out (its issue 4605), which an outage on a busy machine brings about. The same holds for
its other requests, so a process that must survive outages makes none of them but `list_topics` and
`list_groups`, which work in another way.
"""

from collections.abc import Iterable

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition

from services.common.kafka.clients import READS_ONLY, REQUEST_TIMEOUT_S, new_consumer
from services.common.kafka.connection import KafkaConnection

Partition = tuple[str, int]
"""Topic and number."""

_ISOLATION = {
    IsolationLevel.READ_COMMITTED: "read_committed",
    IsolationLevel.READ_UNCOMMITTED: "read_uncommitted",
}


class EndOffsets:
    """Has a client for each level of isolation, from the first question on; none of them joins a group.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._clients: dict[IsolationLevel, Consumer] = {}

    def ask(
        self,
        partitions: Iterable[TopicPartition],
        level: IsolationLevel,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> dict[Partition, int]:
        """Ask for the ends of partitions.

        Parameters
        ----------
        partitions
            The partitions; their offsets do not matter.
        level
            READ_COMMITTED: the first open transaction counts as the end. READ_UNCOMMITTED: records after it
            count too.
        timeout_s
            Time limit of each request.

        Raises
        ------
        KafkaException
            The broker does not answer the question.
        """
        asked = [TopicPartition(p.topic, p.partition) for p in partitions]
        if not asked:
            return {}
        client = self._clients.get(level)
        if client is None:
            config = {"isolation.level": _ISOLATION[level]}
            client = self._clients[level] = new_consumer(self._kafka, READS_ONLY, **config)
        client.poll(0)  # takes what it has to tell of outages, which nobody else does
        # This fails at once if no broker answers, and learns the leaders of after a restart.
        client.list_topics(timeout=timeout_s)
        return {(p.topic, p.partition): watermarks(client, p, timeout_s)[1] for p in asked}

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()
        self._clients = {}


def watermarks(
    client: Consumer, partition: TopicPartition, timeout_s: float = REQUEST_TIMEOUT_S
) -> tuple[int, int]:
    """Ask for a partition's first offset and its end, by the client's level of isolation.

    Raises
    ------
    KafkaException
        The broker does not answer the question.
    """
    found = client.get_watermark_offsets(partition, timeout_s)
    if found is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    return found
