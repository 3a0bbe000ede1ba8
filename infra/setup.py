"""`tapewatch setup`: topics and index templates, made or brought up to date."""

from collections.abc import Callable

from elasticsearch import ConnectionError as NotReachable
from elasticsearch import Elasticsearch

from infra.templates import set_up_templates
from infra.topics import set_up_topics
from services.common.elastic import new_client
from services.common.kafka import new_admin, wait_for_topics
from services.common.settings import Settings
from services.common.stops import Stop
from services.common.waiting import wait_until


def run_setup(settings: Settings, report: Callable[[str], None], stop: Stop) -> int:
    """Set everything up, waiting for servers that are still starting; a second run changes nothing.

    Parameters
    ----------
    settings
        Where Kafka and Elasticsearch are.
    report
        Called with one line for each change.
    stop
        Ends the waiting.

    Returns
    -------
    int
        Exit code.
    """
    if not wait_for_topics(settings.kafka, [], stop):
        return 128 + (stop.signal or 0)
    client = new_client(settings.elasticsearch)
    where = f"Elasticsearch at {settings.elasticsearch}"
    if not wait_until(lambda: _ask_health(client), NotReachable, where, stop):
        return 128 + (stop.signal or 0)
    changes = set_up_topics(new_admin(settings.kafka)) + set_up_templates(client)
    for change in changes:
        report(change)
    if not changes:
        report("everything is set up already")
    return 0


def _ask_health(client: Elasticsearch) -> None:
    client.cluster.health(timeout="1s")
