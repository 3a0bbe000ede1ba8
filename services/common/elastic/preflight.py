"""Waits for the cluster, and rejects index settings that would lose documents or keep them out."""

from collections.abc import Callable, Mapping

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import NOT_NOW, ApiError, ConnectionTimeout, NotReachable, SSLError
from services.common.elastic.mappings import check_mapping, new_indices
from services.common.errors import TapewatchError
from services.common.process.readiness import wait_for_server
from services.common.process.shutdown import Stop
from services.contracts.indices import (
    ALERT_DELIVERIES_INDICES,
    ALERTS_INDICES,
    ANOMALIES_INDICES,
    CORRECTIONS_INDICES,
    FEED_EVENTS_INDICES,
    NEEDED_TEMPLATES,
    PROFILES_INDEX,
    SILENCES_INDEX,
    TRADES_INDICES,
)

# Not index.blocks.read_only_allow_delete: a full disk sets it, and free space removes it.
_UNSAFE = {
    "index.translog.durability": ("async", "acknowledged documents would be lost in a crash."),
    "index.blocks.write": ("true", "it would reject every document."),
    "index.blocks.read_only": ("true", "it would reject every document."),
}
"""By index setting: the unsafe value, and what it would do."""


def wait_for_cluster(
    ask: Callable[[], object], url: str, stop: Stop, beat: Callable[[], None] = lambda: None
) -> bool:
    """Send the cluster a request until it answers.

    Parameters
    ----------
    ask
        Sends the request; it must pass the client's errors on.
    url
        Address of the cluster, for the log.
    stop
        Ends the waiting.
    beat
        Called before each try, as by `Health.beat`.

    Returns
    -------
    bool
        False if a stop came first.

    Raises
    ------
    TapewatchError
        The cluster's certificate is not trusted.
    ApiError
        The cluster rejected the request for good.
    """

    def try_once() -> None:
        try:
            ask()
        except SSLError as error:
            raise TapewatchError(
                f"No secure connection to Elasticsearch at {url}: {error.message}.",
                "Set TAPEWATCH_ELASTICSEARCH_CA to the CA certificate that signed "
                "Elasticsearch's certificate.",
            ) from error
        except ApiError as error:
            if error.status_code in NOT_NOW:
                raise NotReachable(str(error)) from error
            raise

    return wait_for_server(try_once, (NotReachable, ConnectionTimeout), f"Elasticsearch at {url}", stop, beat)


def missing_templates(client: Elasticsearch) -> list[str]:
    """Return those of the index templates that the cluster does not have; its errors are passed on."""
    return [name for name in NEEDED_TEMPLATES if not client.indices.exists_index_template(name=name)]


def check_indices(client: Elasticsearch) -> None:
    """Check that no index has, and none would get, what loses documents or digits.

    Parameters
    ----------
    client
        A client of the cluster; its errors are passed on.

    Raises
    ------
    TapewatchError
        A setting would lose documents or keep them out, or a template would change the types of fields.
    """
    patterns = [
        TRADES_INDICES,
        ANOMALIES_INDICES,
        CORRECTIONS_INDICES,
        FEED_EVENTS_INDICES,
        ALERTS_INDICES,
        ALERT_DELIVERIES_INDICES,
        SILENCES_INDEX,
        PROFILES_INDEX,
    ]
    found = client.indices.get_settings(
        index=patterns,
        name=list(_UNSAFE),
        flat_settings=True,
        ignore_unavailable=True,  # the index without a date is no pattern
    )
    for index, answer in found.items():
        if unsafe := unsafe_setting(answer["settings"]):
            setting, effect = unsafe
            raise TapewatchError(
                f"The index {index} has {effect}",
                f'Set it back: PUT /{index}/_settings {{"{setting}": null}}',
            )
    for index in new_indices():
        composed = client.indices.simulate_index_template(name=index.name)["template"]
        if unsafe := unsafe_setting(_flat(composed.get("settings", {}))):
            setting, effect = unsafe
            raise TapewatchError(
                f"The index templates give a new index {index.name} {effect}",
                f"Remove {setting} from them; GET /_index_template lists them.",
            )
        check_mapping(client, index, composed.get("mappings", {}))


def unsafe_setting(settings: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first unsafe setting of an index and its effect, or None.

    Parameters
    ----------
    settings
        Values by full name of the setting.
    """
    for setting, (unsafe, effect) in _UNSAFE.items():
        if settings.get(setting, "").lower() == unsafe:
            return setting, f"{setting}={unsafe}: {effect}"
    return None


def _flat(settings: Mapping[str, object], parent: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{parent}{key}.")
        else:
            flat[f"{parent}{key}"] = str(value)
    return flat
