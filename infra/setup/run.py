"""`tapewatch setup`: topics, templates, tables, access, Kibana's objects, made or brought up to date."""

import datetime as dt
from collections.abc import Callable

import structlog

from infra.kibana.import_objects import import_objects, wait_for_kibana
from infra.kibana.objects.saved_object import TimeRange
from infra.kibana.opening import opening_times
from infra.setup.access import set_up_roles, set_up_users
from infra.setup.cluster import find_abilities
from infra.setup.first_indices import create_first_indices
from infra.setup.histories import set_up_histories
from infra.setup.kafka_access import set_up_kafka_access
from infra.setup.lifecycle import set_up_lifecycle
from infra.setup.settings import SetupSettings
from infra.setup.shards import check_nodes, set_up_shards
from infra.setup.templates import set_up_templates
from infra.setup.topics import set_up_topics
from infra.setup.whole_sizes import describe_whole_sizes, whole_size_indices
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.errors import ApiError, explain_rejection
from services.common.elastic.preflight import wait_for_cluster
from services.common.elastic.product import check_product
from services.common.errors import TapewatchError
from services.common.extras import load_with_extra
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
    postgres_only: bool = False,
    overwrite: bool = False,
) -> int:
    """Set everything up, waiting for servers that are still starting; a second run changes nothing.

    Parameters
    ----------
    settings
        Addresses of Kafka, Elasticsearch and optionally Postgres and Kibana, and the settings to create.
    report
        Called with one line for each change.
    stop
        Ends the waiting.
    note
        Called with what was left out, and why; None for the log.
    kibana_only
        Leave Kafka and Postgres alone, and only read from Elasticsearch.
    postgres_only
        Leave all else alone.
    overwrite
        Replace Kibana's objects, also what people changed in them.

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
    note = note or structlog.get_logger().info
    changes: list[str] = []
    if kibana_only and postgres_only:
        raise TapewatchError("Kibana alone and Postgres alone were both asked for.", "Ask for one at a time.")
    if kibana_only and settings.kibana is None:
        raise TapewatchError("No Kibana is given.", "Set TAPEWATCH_KIBANA to its URL.")
    if postgres_only and settings.postgres_admin is None:
        raise TapewatchError(
            "No Postgres is given.", "Set TAPEWATCH_POSTGRES_ADMIN to the URL of the database with its user."
        )
    if not (kibana_only or postgres_only):
        with new_client(settings.elasticsearch, settings=settings) as client:
            kafka = kafka_connection(settings)
            if not wait_for_topics(kafka, [], stop):
                return 128 + (stop.signal or 0)
            if not wait_for_elasticsearch(client, settings.elasticsearch, stop):
                return 128 + (stop.signal or 0)
            admin = new_admin(kafka)
            changes += set_up_topics(admin, settings.topic_layout(), note)
            changes += set_up_kafka_access(admin, settings.kafka_secrets_dir)
            changes += set_up_elasticsearch(client, settings, note)
    if settings.postgres_admin is not None and not kibana_only:
        postgres_changes = _set_up_postgres(settings, stop)
        if postgres_changes is None:
            return 128 + (stop.signal or 0)
        changes += postgres_changes
    if settings.kibana is not None and not postgres_only:
        if not wait_for_kibana(settings.kibana, kibana_login, stop):
            return 128 + (stop.signal or 0)
        changes += import_objects(
            settings.kibana,
            kibana_login,
            note,
            times=_opening_times(settings, note),
            dashboard_url=settings.dashboard_url,
            overwrite=overwrite,
        )
    for change in changes:
        report(change)
    if not changes:
        report("everything is set up already")
    return 0


def _set_up_postgres(settings: SetupSettings, stop: Stop) -> list[str] | None:
    """Wait for Postgres and set it up; returns None if a stop came first."""
    # Only now: without a database to set up, its package is not needed.
    set_up = load_with_extra(
        "infra.setup.postgres:set_up_when_ready", "The setup of Postgres needs", extra="postgres"
    )
    changes: list[str] | None = set_up(settings, stop)
    return changes


def _opening_times(settings: SetupSettings, note: Callable[[str], None]) -> TimeRange | None:
    """Return what Kibana opens with; None, and a note, if Elasticsearch does not tell."""
    with new_client(settings.elasticsearch, settings=settings) as client:
        try:
            return opening_times(client, dt.datetime.now(dt.UTC))
        except TapewatchError as error:
            note(f"what Kibana opens with stays as it is, as the newest session is not known: {error}")
            return None


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
    layout = settings.shard_layout()
    check_nodes(client, layout)
    changes = []
    if abilities.lifecycle:
        changes += set_up_lifecycle(client, settings)  # before the templates that name the policies
    else:
        note("this Elasticsearch has no lifecycle policies: indices stay until they are deleted by hand")
    changes += set_up_templates(client, abilities, layout)
    changes += set_up_shards(client, layout, note)
    changes += set_up_histories(client)
    try:
        changes += create_first_indices(client)  # after the templates that they are made from
    except ApiError as error:  # which takes a right that nothing else here needs
        note(f"no first indices were made, and until there are trades, Kibana's panels show errors: {error}")
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
