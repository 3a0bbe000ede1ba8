"""`tapewatch index`: the topics `trades` and `anomalies` into Elasticsearch.

Batches are sent by a few connections at once; offsets are committed in the order of the batches, each
after its acknowledgement, so a restart can only send again what is already there under the same ids.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from elasticsearch import ConnectionError as NotReachable
from elasticsearch import ConnectionTimeout

from services.common.contracts import ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC, INDEXER_GROUP, TRADES_TOPIC
from services.common.dead_letters import publish_refused_message
from services.common.elastic import new_client
from services.common.errors import TapewatchError
from services.common.kafka import Positions, new_admin, new_consumer, new_producer, wait_for_topics
from services.common.settings import Settings
from services.common.stops import Stop
from services.common.trade import NotATradeError, decode_trade
from services.common.waiting import wait_until
from services.indexer.bulk import Refused, StoppedError, send
from services.indexer.documents import Document, NotADocumentError, to_document

CONNECTIONS = 3
MAX_BATCH_DOCUMENTS = 5_000
MAX_BATCH_BYTES = 8 << 20
FLUSH_AFTER_S = 0.5
"""A partial batch waits that long for more."""

POLL_S = 0.05
TEMPLATES = ("tapewatch-trades", "tapewatch-anomalies")


def run_index(settings: Settings, until_idle_s: float | None) -> int:
    """Index until stopped, or until the end has been reached and nothing came for a while.

    Returns
    -------
    int
        Exit code; a stop is a success.

    Raises
    ------
    TapewatchError
        A topic or an index template is missing, or Elasticsearch refuses for good.
    """
    stop = Stop()
    if not wait_for_topics(settings.kafka, [TRADES_TOPIC, ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC], stop):
        return 0
    client = new_client(settings.elasticsearch, CONNECTIONS)

    def check_templates() -> None:
        for name in TEMPLATES:
            # Without its template an index would be created with guessed types, and stay wrong.
            if not client.indices.exists_index_template(name=name):
                raise TapewatchError(
                    f"Elasticsearch at {settings.elasticsearch} has no index template {name}.",
                    "Run `tapewatch setup` to create the templates.",
                )

    where = f"Elasticsearch at {settings.elasticsearch}"
    if not wait_until(check_templates, (NotReachable, ConnectionTimeout), where, stop):
        return 0
    with ThreadPoolExecutor(CONNECTIONS, "bulk") as pool:
        service = IndexerService(settings, pool, lambda documents: send(client, documents, stop))
        try:
            service.run(stop, until_idle_s)
        finally:
            service.close()
    return 0


@dataclass
class _Batch:
    """Messages under way to Elasticsearch, and the offsets to commit when they have arrived."""

    messages: list[Message]
    offsets: dict[tuple[str, int], int]
    sent: Future[list[Refused]]


class IndexerService:
    """One instance of the indexer.

    Parameters
    ----------
    settings
        Where Kafka is.
    pool
        Sends batches, `CONNECTIONS` at once.
    send_documents
        Indexes documents and returns those refused for good; called in the pool's threads.
    """

    def __init__(
        self,
        settings: Settings,
        pool: ThreadPoolExecutor,
        send_documents: Callable[[list[Document]], list[Refused]],
    ) -> None:
        self._log = structlog.get_logger()
        self._admin = new_admin(settings.kafka)
        self._consumer: Consumer = new_consumer(settings.kafka, INDEXER_GROUP)
        self._producer: Producer = new_producer(settings.kafka)
        self._pool = pool
        self._send = send_documents
        self._positions = Positions()
        self._committed: dict[tuple[str, int], int] = {}
        self._under_way: deque[_Batch] = deque()
        self._gathered: list[Message] = []
        self._documents: list[Document] = []
        self._gathered_bytes = 0
        self._gathering_since_s = 0.0
        self._failure: KafkaError | None = None
        self._indexed = self._dead_letters = 0

    def run(self, stop: Stop, until_idle_s: float | None) -> None:
        """Work; see `run_index`."""
        self._consumer.subscribe(
            [TRADES_TOPIC, ANOMALIES_TOPIC], on_assign=self._on_assign, on_revoke=self._on_revoke
        )
        busy_at_s = time.monotonic()
        try:
            while not stop.requested:
                room = MAX_BATCH_DOCUMENTS - len(self._documents)
                records = self._positions.split(self._consumer.consume(room, POLL_S))
                self._gather(records)
                if self._is_due():
                    self._dispatch()
                self._settle(wait=len(self._under_way) > CONNECTIONS)
                if records or self._documents or self._under_way:
                    busy_at_s = time.monotonic()
                    continue
                self._commit(dict(self._positions.next_offsets))
                if until_idle_s is not None and not self._positions.at_end(self._consumer, self._admin):
                    busy_at_s = time.monotonic()
                elif until_idle_s is not None and time.monotonic() - busy_at_s >= until_idle_s:
                    break
            self._dispatch()
            while self._under_way:
                self._settle(wait=True)
        except StoppedError:
            self._log.warning("stopped while Elasticsearch refused; the rest is sent at the next start")
        self._log.info("indexed", documents=self._indexed, dead_letters=self._dead_letters)

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._consumer.close()

    def _on_assign(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log.info("assigned", partitions=sorted(f"{p.topic}/{p.partition}" for p in partitions))

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Finish what is under way, so that its offsets are committed while they are still ours."""
        self._dispatch()
        try:
            while self._under_way:
                self._settle(wait=True)
        except StoppedError:
            self._under_way.clear()
        self._positions.forget(partitions)
        for partition in partitions:
            self._committed.pop((partition.topic, partition.partition), None)

    def _gather(self, records: list[Message]) -> None:
        if records and not self._gathered:
            self._gathering_since_s = time.monotonic()
        for record in records:
            try:
                document = to_document(record.topic(), record.value())
            except NotADocumentError as error:
                self._refuse(record, str(error))
                continue
            self._gathered.append(record)
            self._documents.append(document)
            self._gathered_bytes += len(document.source)

    def _is_due(self) -> bool:
        return (
            len(self._documents) >= MAX_BATCH_DOCUMENTS
            or self._gathered_bytes >= MAX_BATCH_BYTES
            or (bool(self._documents) and time.monotonic() - self._gathering_since_s >= FLUSH_AFTER_S)
        )

    def _dispatch(self) -> None:
        """Hand what was gathered to the pool."""
        if not self._documents:
            return
        sent = self._pool.submit(self._send, self._documents)
        self._under_way.append(_Batch(self._gathered, dict(self._positions.next_offsets), sent))
        self._gathered, self._documents, self._gathered_bytes = [], [], 0

    def _settle(self, wait: bool) -> None:
        """Commit the batches that have arrived, oldest first.

        With `wait`, stay until the oldest one has; the partitions are paused meanwhile, so that memory
        stays bounded, and the group is told that this instance is alive.
        """
        if wait and not self._under_way[0].sent.done():
            self._consumer.pause(self._consumer.assignment())
            while self._under_way and not self._under_way[0].sent.done():
                self._gather(self._positions.split(self._consumer.consume(1, POLL_S)))
            self._consumer.resume(self._consumer.assignment())
        while self._under_way and self._under_way[0].sent.done():
            batch = self._under_way.popleft()
            refused = batch.sent.result()
            for item in refused:
                self._refuse(batch.messages[item.at], item.error)
            self._indexed += len(batch.messages) - len(refused)
            self._commit(batch.offsets)

    def _refuse(self, message: Message, error: str) -> None:
        """Write a dead letter, unless the detector does: it answers for messages that are not trades."""
        if message.topic() == TRADES_TOPIC:
            try:
                decode_trade(message.value())
            except NotATradeError:
                return
        publish_refused_message(self._producer, "indexer", error, message, self._delivered)
        self._dead_letters += 1
        self._log.warning("dead letter", topic=message.topic(), offset=message.offset(), error=error[:300])

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failure = self._failure or error

    def _commit(self, offsets: dict[tuple[str, int], int]) -> None:
        """Commit what has moved on, after the dead letters that belong to it are safe."""
        moved = {key: offset for key, offset in offsets.items() if offset != self._committed.get(key)}
        if not moved:
            return
        while self._producer.flush(1.0) and self._failure is None:
            pass
        if self._failure is not None:
            raise TapewatchError(
                f"Kafka did not take a dead letter: {self._failure.str()}.",
                "Look at the broker, then start again.",
            ) from KafkaException(self._failure)
        offsets_to_commit = [TopicPartition(*partition, offset) for partition, offset in moved.items()]
        try:
            self._consumer.commit(offsets=offsets_to_commit, asynchronous=False)
        except KafkaException as error:
            # The broker is away, or the partitions went to another instance, which reads them from the
            # last commit on: documents are sent again under the same ids.
            self._log.warning("offsets not committed", error=error.args[0].str())
        else:
            self._committed |= moved
