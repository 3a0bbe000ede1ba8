"""Waits for Elasticsearch, and rejects to work where documents would be lost or kept wrongly."""

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ApiError
from services.common.elastic.preflight import check_indices, missing_templates, wait_for_cluster
from services.common.elastic.product import check_product
from services.common.errors import TapewatchError
from services.common.observability.health import Health
from services.common.process.shutdown import Stop

CHECK_TIMEOUT_S = 3.0
"""A stop has to wait for the end of a call."""


def wait_until_set_up(client: Elasticsearch, url: str, stop: Stop, health: Health) -> bool:
    """See `Sink.wait_until_ready`.

    Parameters
    ----------
    client
        Client of the cluster.
    url
        Where it is.
    stop
        Ends the waiting.
    health
        Told that the service waits.
    """
    health.detail = elasticsearch = f"Elasticsearch at {url}"
    quick = client.options(request_timeout=CHECK_TIMEOUT_S)

    def ask() -> None:
        check_product(quick, url)
        # Without its template an index would be created with guessed types, and stay wrong.
        for name in missing_templates(quick):
            raise TapewatchError(
                f"{elasticsearch} has no index template {name}.",
                "Run `tapewatch setup` to create the templates.",
            )
        check_indices(quick)

    try:
        return wait_for_cluster(ask, url, stop, health.beat)
    except ApiError as error:
        raise TapewatchError(
            f"{elasticsearch} does not show its settings: {error}.", "Check the service's rights."
        ) from error
