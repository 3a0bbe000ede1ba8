"""`tapewatch setup`: topics, templates, lifecycle, access, Kibana's objects, made or brought up to date."""

from collections.abc import Callable

import structlog

from infra.kibana.import_objects import import_objects, wait_for_kibana
from infra.setup.access import set_up_roles, set_up_users
from infra.setup.cluster import find_abilities
from infra.setup.kafka_access import set_up_kafka_access
from infra.setup.lifecycle import set_up_lifecycle
from infra.setup.settings import SetupSettings
from infra.setup.templates import set_up_templates
from infra.setup.topics import set_up_topics
from infra.setup.whole_sizes import describe_whole_sizes, whole_size_indices
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.errors import ApiError, explain_rejection
from services.common.elastic.preflight import wait_for_cluster
from services.common.elastic.product import check_product
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_topics
from services.common.process.shutdown import Stop


def run_setup(
    settings: SetupSettings,
    report: Callable[[str], None],
    stop: Stop,
    note: Callable[[str], None] | None = None,
    kibana_only: bool = False,
) -> int:
    """Set everything up, waiting for servers that are still starting; a second run changes nothing.

    Parameters
    ----------
    settings
        Addresses of Kafka, Elasticsearch and optionally Kibana, and the settings to create.
    report
        Called with one line for each change.
    stop
        Ends the waiting.
    note
        Called with what was left out because this cluster lacks it; None for the log.
    kibana_only
        Leave Kafka and Elasticsearch alone.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    TapewatchError
        A server rejected a request, or a setting is invalid.
    """
    kibana_login = settings.kibana_login()
    changes: list[str] = []
    if kibana_only and settings.kibana is None:
        raise TapewatchError("No Kibana is given.", "Set TAPEWATCH_KIBANA to its URL.")
    if not kibana_only:
        with new_client(settings.elasticsearch, settings=settings) as client:
            kafka = kafka_connection(settings)
            if not wait_for_topics(kafka, [], stop):
                return 128 + (stop.signal or 0)
            if not wait_for_elasticsearch(client, settings.elasticsearch, stop):
                return 128 + (stop.signal or 0)
            admin = new_admin(kafka)
            changes += set_up_topics(admin, settings.partitions)
            changes += set_up_kafka_access(admin, settings.kafka_secrets_dir)
            changes += set_up_elasticsearch(client, settings, note or structlog.get_logger().info)
    if settings.kibana is not None:
        if not wait_for_kibana(settings.kibana, kibana_login, stop):
            return 128 + (stop.signal or 0)
        changes += import_objects(settings.kibana, kibana_login)
    for change in changes:
        report(change)
    if not changes:
        report("everything is set up already")
    return 0


def wait_for_elasticsearch(client: Elasticsearch, url: str, stop: Stop) -> bool:
    """Wait until the cluster answers; returns False if a stop came first.

    Raises
    ------
    TapewatchError
        It rejects the credentials, its certificate is not trusted, or it is another product or version.
    """

    def ask() -> None:
        check_product(client, url)
        client.cluster.health(timeout="1s")

    with explain_rejection("to tell its health"):
        return wait_for_cluster(ask, url, stop)


def set_up_elasticsearch(
    client: Elasticsearch, settings: SetupSettings, note: Callable[[str], None]
) -> list[str]:
    """Make policies, templates, roles and users as they should be; returns one line for each change.

    Safe while the services run: no step takes away what an earlier one or a service needs.

    Parameters
    ----------
    client
        Client of the cluster.
    settings
        How long indices are kept, and the folder of the users' passwords.
    note
        Called with what was left out because this cluster lacks it, and with what old indices cannot do.

    Raises
    ------
    TapewatchError
        Elasticsearch rejected the request.
    """
    abilities = find_abilities(client)
    changes = []
    if abilities.lifecycle:
        changes += set_up_lifecycle(client, settings)  # before the templates that name the policies
    else:
        note("this Elasticsearch has no lifecycle policies: indices stay until they are deleted by hand")
    changes += set_up_templates(client, abilities)
    try:
        if old := whole_size_indices(client):
            note(describe_whole_sizes(old))
    except ApiError as error:  # which takes a right that nothing else here needs
        note(f"the mappings of existing indices were not checked: {error}")
    if abilities.security:
        changes += set_up_roles(client) + set_up_users(client, settings.secrets_dir)
    else:
        note("this Elasticsearch has security disabled: anyone who can reach it can read and write")
    return changes
