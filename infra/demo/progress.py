"""How far the pipeline has come, according to Kafka and Elasticsearch."""

from dataclasses import dataclass, field, replace
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ApiError, TransportError
from services.common.kafka.clients import READS_ONLY, REQUEST_TIMEOUT_S, new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets
from services.common.kafka.offsets import Positions
from services.common.kafka.reading import READ_AT_ONCE, partition_numbers
from services.contracts.components import DETECTOR, INDEXER
from services.contracts.indices import ANOMALIES_INDICES, FEED_EVENTS_INDICES, TRADES_INDICES
from services.contracts.topics import (
    ANOMALIES_TOPIC,
    CORRECTIONS_TOPIC,
    DEAD_LETTERS_TOPIC,
    FEED_EVENTS_TOPIC,
    TRADES_TOPIC,
)

STRIKING_PER_LABEL = 4
_OF_FEEDS = (CORRECTIONS_TOPIC, FEED_EVENTS_TOPIC)
_INDEXED = (TRADES_TOPIC, ANOMALIES_TOPIC, *_OF_FEEDS)


@dataclass
class PipelineState:
    """Counts at one moment; messages are counted by offsets, so slightly too high: transactions use some."""

    trades: int = 0
    detected: int = 0
    trades_indexed: int = 0
    anomalies: int = 0
    anomalies_indexed: int = 0
    of_feeds: int = 0
    """Messages in `corrections` and `feed-events`."""
    of_feeds_indexed: int = 0
    dead_letters: int = 0
    searchable: int = 0
    """Anomalies that a search already finds."""
    labels: dict[str, int] = field(default_factory=dict)
    """Searchable anomalies by label; an anomaly may have several labels."""

    def counting(self, trades: int) -> "PipelineState":
        """Return the same lags below another number of trades, where that is known exactly.

        Parameters
        ----------
        trades
            Trades published. A live feed commits every few of them, and each commit takes offsets.
        """
        return replace(
            self,
            trades=trades,
            detected=max(0, trades - self.detector_lag),
            trades_indexed=max(0, trades - (self.trades - self.trades_indexed)),
        )

    @property
    def detector_lag(self) -> int:
        """Messages in `trades` that the detector has not committed."""
        return self.trades - self.detected

    @property
    def indexer_lag(self) -> int:
        """Messages of all its topics that the indexer has not committed."""
        done = self.trades_indexed + self.anomalies_indexed + self.of_feeds_indexed
        return self.trades + self.anomalies + self.of_feeds - done


class PipelineProgress:
    """Reads the pipeline's state; keeps the last one while a server does not answer."""

    def __init__(self, kafka: KafkaConnection, client: Elasticsearch) -> None:
        admin = new_admin(kafka)
        self._of_ends = EndOffsets(kafka)
        self._partitions = [
            TopicPartition(topic, number) for topic in _INDEXED for number in partition_numbers(admin, topic)
        ]
        self._client = client
        self._letters = _LetterCount(kafka)
        self._group_readers = {group: new_consumer(kafka, group) for group in (DETECTOR.group, INDEXER.group)}
        self.state = PipelineState()

    def close(self) -> None:
        """Close the consumers."""
        for consumer in (*self._group_readers.values(), self._letters.consumer):
            consumer.close()
        self._of_ends.close()

    def refresh(self) -> PipelineState:
        """Read the state again and return it."""
        try:
            # In this order, so that a service never seems to be ahead of the trades.
            detector = self._committed(DETECTOR.group)
            indexer = self._committed(INDEXER.group)
            ends = self._ends()
            searchable, labels = self.labels()
            self.state = PipelineState(
                trades=ends[TRADES_TOPIC],
                detected=detector.get(TRADES_TOPIC, 0),
                trades_indexed=indexer.get(TRADES_TOPIC, 0),
                anomalies=ends[ANOMALIES_TOPIC],
                anomalies_indexed=indexer.get(ANOMALIES_TOPIC, 0),
                of_feeds=sum(ends[topic] for topic in _OF_FEEDS),
                of_feeds_indexed=sum(indexer.get(topic, 0) for topic in _OF_FEEDS),
                dead_letters=self._letters.so_far(),
                searchable=searchable,
                labels=labels,
            )
        except (KafkaException, ApiError, TransportError):
            pass
        return self.state

    def dead_letters(self) -> int:
        """Return the number of dead letters, after reading the topic to its end."""
        return self._letters.to_the_end(self._of_ends)

    def labels(self) -> tuple[int, dict[str, int]]:
        """Return the number of searchable anomalies, and the number by label, most frequent first."""
        answer = self._client.search(
            index=ANOMALIES_INDICES,
            size=0,
            track_total_hits=True,
            aggs={"labels": {"terms": {"field": "anomalies", "size": 20}}},
        )
        buckets = answer.get("aggregations", {}).get("labels", {}).get("buckets", [])
        return answer["hits"]["total"]["value"], {bucket["key"]: bucket["doc_count"] for bucket in buckets}

    def documents(self) -> tuple[int, int]:
        """Return the number of indexed trades and anomalies, after a refresh that makes all searchable."""
        patterns = (TRADES_INDICES, ANOMALIES_INDICES)
        self._client.indices.refresh(index=",".join(patterns))
        trades, anomalies = (self._client.count(index=pattern)["count"] for pattern in patterns)
        return trades, anomalies

    def feed_events(self) -> dict[str, int]:
        """Return how often each event of feeds is indexed, after a refresh that makes all searchable."""
        self._client.indices.refresh(index=FEED_EVENTS_INDICES)
        by_event = {"events": {"terms": {"field": "event", "size": 20}}}
        answer = self._client.search(index=FEED_EVENTS_INDICES, size=0, aggs=by_event)
        buckets = answer.get("aggregations", {}).get("events", {}).get("buckets", [])
        return {bucket["key"]: bucket["doc_count"] for bucket in buckets}

    def striking(self) -> list[dict[str, Any]]:
        """Return the anomalies with the highest scores of each label, each once, highest score first."""
        answer = self._client.search(
            index=ANOMALIES_INDICES,
            size=0,
            aggs={
                "labels": {
                    "terms": {"field": "anomalies", "size": 20},
                    "aggs": {
                        "top": {
                            "top_hits": {
                                "size": STRIKING_PER_LABEL,
                                "sort": [{"score": "desc"}, {"@timestamp": "asc"}],
                            }
                        }
                    },
                }
            },
        )
        buckets = answer.get("aggregations", {}).get("labels", {}).get("buckets", [])
        hits = {hit["_id"]: hit["_source"] for bucket in buckets for hit in bucket["top"]["hits"]["hits"]}
        return sorted(hits.values(), key=lambda anomaly: -anomaly["score"])

    def _ends(self) -> dict[str, int]:
        """Return, for each topic, the sum of its partitions' end offsets."""
        ends = dict.fromkeys(_INDEXED, 0)
        by_partition = self._of_ends.ask(self._partitions, IsolationLevel.READ_UNCOMMITTED)
        for (topic, _), end in by_partition.items():
            ends[topic] += end
        return ends

    def _committed(self, group: str) -> dict[str, int]:
        """Return, for each topic, the sum of a group's committed offsets.

        Uses a consumer that never joins the group: the admin client's own call has crashed while a new
        broker was creating its offsets topic.
        """
        consumer = self._group_readers[group]
        committed: dict[str, int] = {}
        for partition in consumer.committed(self._partitions, timeout=REQUEST_TIMEOUT_S):
            committed[partition.topic] = committed.get(partition.topic, 0) + max(partition.offset, 0)
        return committed


class _LetterCount:
    """Counts dead letters by reading them: offsets would also count transaction markers."""

    def __init__(self, kafka: KafkaConnection) -> None:
        self.consumer = new_consumer(kafka, READS_ONLY)
        numbers = partition_numbers(self.consumer, DEAD_LETTERS_TOPIC)
        self.consumer.assign([TopicPartition(DEAD_LETTERS_TOPIC, number, 0) for number in numbers])
        self._positions = Positions()
        self._count = 0

    def so_far(self, timeout_s: float = 0.0) -> int:
        self._count += len(self._positions.split(self.consumer.consume(READ_AT_ONCE, timeout_s)))
        return self._count

    def to_the_end(self, ends: EndOffsets) -> int:
        while not self._positions.at_end(self.consumer, ends):
            self.so_far(timeout_s=0.1)
        return self._count
