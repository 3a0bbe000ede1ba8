"""`tapewatch index`: the topics `trades` and `anomalies` into Elasticsearch."""

from elasticsearch import ApiError, ConnectionTimeout, Elasticsearch, SSLError
from elasticsearch import ConnectionError as NotReachable

from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.elastic.preflight import check_indices
from services.common.errors import TapewatchError
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.gc import search_seldom
from services.common.process.readiness import wait_until
from services.common.process.shutdown import Stop
from services.contracts.topics import ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC, TRADES_TOPIC
from services.indexer.loop import IndexerLoop
from services.indexer.metrics import SERVICE
from services.indexer.sinks.elasticsearch.bulk import FOR_NOW, BulkAnswers, BulkSender
from services.indexer.under_way import CONNECTIONS

TOPICS = [TRADES_TOPIC, ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC]
TEMPLATES = ("tapewatch-trades", "tapewatch-anomalies")
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

    def ask_elasticsearch() -> None:
        try:
            _check_templates(quick, settings.elasticsearch)
            check_indices(quick)
        except SSLError as error:
            raise TapewatchError(
                f"No safe connection to {elasticsearch}: {error.message}.",
                "Set TAPEWATCH_ELASTICSEARCH_CA to the certificate of who signed Elasticsearch's own.",
            ) from error
        except ApiError as error:
            if error.status_code in FOR_NOW:
                raise NotReachable(str(error)) from error
            raise TapewatchError(
                f"{elasticsearch} does not show its settings: {error}.", "Check the service's rights."
            ) from error

    return wait_until(ask_elasticsearch, (NotReachable, ConnectionTimeout), elasticsearch, stop, health.beat)


def _check_templates(client: Elasticsearch, url: str) -> None:
    for name in TEMPLATES:
        # Without its template an index would be created with guessed types, and stay wrong.
        if not client.indices.exists_index_template(name=name):
            raise TapewatchError(
                f"Elasticsearch at {url} has no index template {name}.",
                "Run `tapewatch setup` to create the templates.",
            )
