"""What a run left in Kafka and Elasticsearch, compared with what it should have left."""

from collections.abc import Mapping
from typing import Any

import orjson
from elasticsearch import Elasticsearch, helpers

from infra.embedded.stack import EmbeddedStack
from services.common.contracts import (
    ANOMALIES_INDEX_PREFIX,
    ANOMALIES_TOPIC,
    TRADES_INDEX_PREFIX,
    TRADES_TOPIC,
)
from tests.chaos.day import Day
from tests.chaos.verify import (
    Violation,
    check_dead_letters,
    compare_anomalies,
    compare_documents,
    compare_trades,
)
from tests.integration.pipeline import letters, read_topic


def verify_topics(stack: EmbeddedStack, day: Day, anomalies: Mapping[str, dict[str, Any]]) -> list[Violation]:
    """Compare the topics' committed records; `anomalies` are those of an undisturbed run."""
    trades = [(message.key(), message.value()) for message in read_topic(stack, TRADES_TOPIC)]
    return [
        *compare_trades(day.trades, trades),
        *compare_anomalies(anomalies, (message.value() for message in read_topic(stack, ANOMALIES_TOPIC))),
        *check_dead_letters(letters(stack)),
    ]


def verify_indices(
    stack: EmbeddedStack, day: Day, anomalies: Mapping[str, dict[str, Any]]
) -> list[Violation]:
    """Compare all documents; `anomalies` are those of an undisturbed run."""
    trades = {trade.trade_id: orjson.loads(trade.value) for trade in day.trades}
    return [
        *compare_documents("index trades", trades, _documents(stack, f"{TRADES_INDEX_PREFIX}*")),
        *compare_documents("index anomalies", anomalies, _documents(stack, f"{ANOMALIES_INDEX_PREFIX}*")),
    ]


def _documents(stack: EmbeddedStack, indices: str) -> list[tuple[str, dict[str, Any]]]:
    """Return ids and documents; an id that is in two indices comes twice."""
    with Elasticsearch(stack.elasticsearch_url, request_timeout=60) as client:
        client.indices.refresh(index=indices)
        hits = helpers.scan(client, index=indices, size=5_000, query={"query": {"match_all": {}}})
        return [(hit["_id"], hit["_source"]) for hit in hits]
