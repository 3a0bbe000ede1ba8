"""`tapewatch index`: the topics `trades` and `anomalies` into Elasticsearch."""

from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.errors import ApiError
from services.common.elastic.preflight import check_indices, missing_templates, wait_for_cluster
from services.common.errors import TapewatchError
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.gc import search_seldom
from services.common.process.shutdown import Stop
from services.contracts.indices import NEEDED_TEMPLATES
from services.contracts.topics import ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC, TRADES_TOPIC
from services.indexer.loop import IndexerLoop
from services.indexer.metrics import SERVICE
from services.indexer.sinks.elasticsearch.bulk import BulkAnswers, BulkSender
from services.indexer.under_way import CONNECTIONS

TOPICS = [TRADES_TOPIC, ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC]
CHECK_TIMEOUT_S = 3.0
"""A stop has to wait for the end of a call."""


def run_index(settings: Settings, until_idle_s: float | None) -> int:
    """Index until stopped, or until the end has been reached and nothing came for a while.

    Returns
    -------
    int
        Exit code; a stop is a success.

    Raises
    ------
    TapewatchError
        A topic or an index template is missing or unsafe, Elasticsearch refuses for good, or another
        indexer has this one's name.
    """
    search_seldom()
    stop = Stop()
    health = Health()
    client = new_client(settings.elasticsearch, CONNECTIONS, settings, BulkAnswers())
    with serve_metrics(SERVICE, settings, health):
        if not _wait_for_servers(settings, client, stop, health):
            return 0
        loop = IndexerLoop(settings, BulkSender(client, stop).send, stop, health)
        try:
            loop.run(until_idle_s)
        finally:
            loop.close()
    return 0


def _wait_for_servers(settings: Settings, client: Elasticsearch, stop: Stop, health: Health) -> bool:
    """Wait for Kafka and Elasticsearch, then check that all is set up; returns False if a stop came first."""
    if not wait_for_safe_topics(settings.kafka, TOPICS, stop, health):
        return False
    health.detail = elasticsearch = f"Elasticsearch at {settings.elasticsearch}"
    quick = client.options(request_timeout=CHECK_TIMEOUT_S)

    def ask() -> None:
        # Without its template an index would be created with guessed types, and stay wrong.
        for name in missing_templates(quick, NEEDED_TEMPLATES):
            raise TapewatchError(
                f"{elasticsearch} has no index template {name}.",
                "Run `tapewatch setup` to create the templates.",
            )
        check_indices(quick)

    try:
        return wait_for_cluster(ask, settings.elasticsearch, stop, health.beat)
    except ApiError as error:
        raise TapewatchError(
            f"{elasticsearch} does not show its settings: {error}.", "Check the service's rights."
        ) from error
