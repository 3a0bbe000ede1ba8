"""Compares what a run left in Kafka and Elasticsearch with what it should have left."""

from collections.abc import Mapping
from typing import Any

import orjson
from elasticsearch import Elasticsearch, helpers

from services.contracts.anomaly import TRADE_OFFSET
from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, TRADES_TOPIC
from services.detector.live.checkpoint import SessionCheckpoint, decode
from tests.chaos.checkpoints import Saved
from tests.chaos.day import Day
from tests.chaos.verify import (
    Document,
    Record,
    Violation,
    anomalies_index,
    check_dead_letters,
    compare_anomalies,
    compare_documents,
    compare_places,
    compare_trades,
    trades_index,
)
from tests.integration.pipeline import Broker, letters, read_topic


def verify_topics(broker: Broker, day: Day, anomalies: Mapping[str, dict[str, Any]]) -> list[Violation]:
    """Compare the topics' committed records; `anomalies` are those of an undisturbed run."""
    trades, found = _records(broker, TRADES_TOPIC), _records(broker, ANOMALIES_TOPIC)
    return [
        *compare_trades(day.trades, trades),
        *compare_anomalies(anomalies, found),
        *compare_places(trades, found),
        *check_dead_letters(letters(broker)),
    ]


def verify_indices(
    client: Elasticsearch, day: Day, anomalies: Mapping[str, dict[str, Any]]
) -> list[Violation]:
    """Compare all documents; `anomalies` are those of an undisturbed run."""
    trades = {trade.trade_id: orjson.loads(trade.value) for trade in day.trades}
    return [
        *compare_documents(
            "index trades", trades, _documents(client, f"{TRADES_INDEX_PREFIX}*"), trades_index
        ),
        *compare_documents(
            "index anomalies", anomalies, _documents(client, f"{ANOMALIES_INDEX_PREFIX}*"), anomalies_index
        ),
    ]


def read_checkpoints(broker: Broker) -> list[Saved]:
    """Return the committed checkpoints of sessions, in the order of their partition."""
    return [
        Saved(message.partition(), checkpoint.offset, message.timestamp()[1] / 1000)
        for message in read_topic(broker, CHECKPOINTS_TOPIC)
        if (value := message.value()) is not None
        and isinstance(checkpoint := decode(value), SessionCheckpoint)
    ]


def busy_partitions(broker: Broker) -> set[int]:
    """Return the partitions that have trades."""
    return {message.partition() for message in read_topic(broker, TRADES_TOPIC)}


def _records(broker: Broker, topic: str) -> list[Record]:
    return [
        Record(
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            dict(message.headers() or ()).get(TRADE_OFFSET),
        )
        for message in read_topic(broker, topic)
    ]


def _documents(client: Elasticsearch, indices: str) -> list[Document]:
    """Return all documents; an id that is in two indices appears twice."""
    client.indices.refresh(index=indices)
    hits = helpers.scan(client, index=indices, size=5_000, query={"query": {"match_all": {}}})
    return [Document(hit["_index"], hit["_id"], hit["_source"]) for hit in hits]
