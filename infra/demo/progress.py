"""How far the pipeline has come, according to Kafka and Elasticsearch."""

from dataclasses import dataclass, field, replace
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ApiError, TransportError
from services.common.errors import TapewatchError
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets
from services.common.kafka.letter_count import LetterCount
from services.common.kafka.reading import partition_numbers
from services.contracts.anomaly import Severity
from services.contracts.components import ALERTER, DETECTOR, INDEXER, SENDER_GROUP
from services.contracts.indices import ANOMALIES_INDICES, FEED_EVENTS_INDICES, TRADES_INDICES
from services.contracts.sinks import SINKS
from services.contracts.topics import (
    ALERTS_TOPIC,
    ANOMALIES_TOPIC,
    INDEXED,
    TRADES_TOPIC,
)
from services.indexer.sinks.loading import load_sink

STRIKING_ASKED = 20
"""Of a label: several may belong to one event."""

_OTHERS = tuple(topic for topic in INDEXED if topic not in (TRADES_TOPIC, ANOMALIES_TOPIC))
_STORAGE = SINKS["postgres"]
_GROUPS = (DETECTOR.group, INDEXER.group, ALERTER.group, SENDER_GROUP)


@dataclass
class PipelineState:
    """Counts at one moment; messages are counted by offsets, so slightly too high: transactions use some."""

    trades: int = 0
    detected: int = 0
    trades_indexed: int = 0
    anomalies: int = 0
    anomalies_indexed: int = 0
    others: int = 0
    """Messages in the other topics that are indexed."""
    others_indexed: int = 0
    trades_stored: int | None = None
    """Trades in Postgres; None where its sink does not run."""
    storage_lag: int = 0
    """Messages of all its topics that the sink for Postgres has not committed."""
    alerter_lag: int = 0
    """Anomalies that are not decided, and alerts that are not sent."""
    dead_letters: int = 0
    searchable: int = field(default=0, compare=False)
    """Anomalies that a search already finds."""
    labels: dict[str, int] = field(default_factory=dict, compare=False)
    """Searchable anomalies by label; an anomaly may have several labels."""

    def counting(self, trades: int) -> "PipelineState":
        """Return the same lags below another number of trades, where that is known exactly.

        Parameters
        ----------
        trades
            Trades published; each commit takes offsets besides.
        """
        stored = None
        if self.trades_stored is not None:
            stored = max(0, trades - (self.trades - self.trades_stored))
        return replace(
            self,
            trades=trades,
            detected=max(0, trades - self.detector_lag),
            trades_indexed=max(0, trades - (self.trades - self.trades_indexed)),
            trades_stored=stored,
        )

    @property
    def loading(self) -> list[str]:
        """Services that have done nothing yet though there are trades: at first a detector is compiled."""
        done = {DETECTOR.service: self.detected, INDEXER.service: self.trades_indexed}
        return [service for service, count in done.items() if self.trades and not count]

    @property
    def detector_lag(self) -> int:
        """Messages in `trades` that the detector has not committed."""
        return self.trades - self.detected

    @property
    def indexer_lag(self) -> int:
        """Messages of all its topics that the indexer has not committed."""
        done = self.trades_indexed + self.anomalies_indexed + self.others_indexed
        return self.trades + self.anomalies + self.others - done

    @property
    def is_caught_up(self) -> bool:
        """Whether every service is done with what is there."""
        return self.detector_lag == self.indexer_lag == self.storage_lag == self.alerter_lag == 0


class PipelineProgress:
    """Reads the pipeline's state; keeps the last one while a server does not answer.

    Parameters
    ----------
    kafka, client
        Where the state is read.
    has_storage
        Whether the sink for Postgres runs.
    """

    def __init__(self, kafka: KafkaConnection, client: Elasticsearch, *, has_storage: bool = False) -> None:
        admin = new_admin(kafka)
        self._of_ends = EndOffsets(kafka)
        self._partitions = [
            TopicPartition(topic, number) for topic in INDEXED for number in partition_numbers(admin, topic)
        ]
        self._client = client
        self._letters = LetterCount(kafka)
        groups = list(_GROUPS)
        self._stored_topics: tuple[str, ...] = ()
        if has_storage:
            groups.append(_STORAGE.component.group)
            self._stored_topics = load_sink(_STORAGE).topics
        self._group_readers = {group: new_consumer(kafka, group) for group in groups}
        self.state = PipelineState()

    def close(self) -> None:
        """Close the consumers."""
        for consumer in self._group_readers.values():
            consumer.close()
        self._letters.close()
        self._of_ends.close()

    def refresh(self) -> PipelineState:
        """Read the state again and return it."""
        try:
            # In this order, so that a service never seems to be ahead of the trades.
            detector = self._committed(DETECTOR.group)
            indexer = self._committed(INDEXER.group)
            stored = self._committed(_STORAGE.component.group) if self._stored_topics else {}
            sender = self._committed(SENDER_GROUP)
            alerter = self._committed(ALERTER.group)
            ends = self._ends()
            searchable, labels = self.labels()
            self.state = PipelineState(
                trades=ends[TRADES_TOPIC],
                detected=detector.get(TRADES_TOPIC, 0),
                trades_indexed=indexer.get(TRADES_TOPIC, 0),
                anomalies=ends[ANOMALIES_TOPIC],
                anomalies_indexed=indexer.get(ANOMALIES_TOPIC, 0),
                others=sum(ends[topic] for topic in _OTHERS),
                others_indexed=sum(indexer.get(topic, 0) for topic in _OTHERS),
                trades_stored=stored.get(TRADES_TOPIC, 0) if self._stored_topics else None,
                storage_lag=sum(ends[topic] - stored.get(topic, 0) for topic in self._stored_topics),
                alerter_lag=ends[ANOMALIES_TOPIC]
                - alerter.get(ANOMALIES_TOPIC, 0)
                + ends[ALERTS_TOPIC]
                - sender.get(ALERTS_TOPIC, 0),
                dead_letters=self._letters.so_far(0.0),
                searchable=searchable,
                labels=labels,
            )
        except (KafkaException, ApiError, TransportError, TapewatchError):
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
        """Return the anomalies with the highest scores of each label, each once, without natural ones."""
        answer = self._client.search(
            index=ANOMALIES_INDICES,
            size=0,
            query={"bool": {"must_not": [{"term": {"severity": Severity.INFO}}]}},
            aggs={
                "labels": {
                    "terms": {"field": "anomalies", "size": 50},
                    "aggs": {
                        "top": {
                            "top_hits": {
                                "size": STRIKING_ASKED,
                                "sort": [{"score": "desc"}, {"@timestamp": "asc"}],
                            }
                        }
                    },
                }
            },
        )
        buckets = answer.get("aggregations", {}).get("labels", {}).get("buckets", [])
        hits = {hit["_id"]: hit["_source"] for bucket in buckets for hit in bucket["top"]["hits"]["hits"]}
        return list(hits.values())

    def severities(self) -> dict[str, int]:
        """Return the number of searchable anomalies by severity."""
        by_severity = {"severities": {"terms": {"field": "severity"}}}
        answer = self._client.search(index=ANOMALIES_INDICES, size=0, aggs=by_severity)
        buckets = answer.get("aggregations", {}).get("severities", {}).get("buckets", [])
        return {bucket["key"]: bucket["doc_count"] for bucket in buckets}

    def _ends(self) -> dict[str, int]:
        """Return, for each topic, the sum of its partitions' end offsets."""
        ends = dict.fromkeys(INDEXED, 0)
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
