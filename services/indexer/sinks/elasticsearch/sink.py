"""Trades and what was found, told and said of them as documents of Elasticsearch, each under its id."""

from collections.abc import Callable

from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.observability.health import Health
from services.common.process.shutdown import Stop
from services.contracts.topics import (
    INDEXED,
)
from services.indexer.sinks.base import Entry, IdempotentSink, Rejected
from services.indexer.sinks.elasticsearch.bulk import BulkAnswers, BulkSender
from services.indexer.sinks.elasticsearch.documents import to_document
from services.indexer.sinks.elasticsearch.preflight import wait_until_set_up


class ElasticsearchSink(IdempotentSink):
    """Sends bulk requests over `connections` connections; see `IdempotentSink`."""

    title = "Elasticsearch"
    topics = INDEXED
    connections = 4

    def __init__(self, settings: Settings, stop: Stop) -> None:
        self._url = settings.elasticsearch
        self._stop = stop
        self._client = new_client(self._url, self.connections, settings, BulkAnswers())
        self._sender = BulkSender(self._client, stop)

    prepare = staticmethod(to_document)  # a method of its own would be a call more for each record

    def write(self, entries: list[Entry], is_wanted: Callable[[], bool]) -> list[Rejected]:
        """See `BulkSender.send`."""
        return self._sender.send(entries, is_wanted)

    def wait_until_ready(self, health: Health) -> bool:
        """Wait for the cluster, then check its templates and indices."""
        return wait_until_set_up(self._client, self._url, self._stop, health)
