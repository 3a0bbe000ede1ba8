"""Refuses settings of indices under which documents would be lost or kept out."""

import datetime as dt
from collections.abc import Mapping

from elasticsearch import Elasticsearch

from services.common.errors import TapewatchError
from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX

# index.blocks.read_only_allow_delete is none of these: a full disk sets it, and a freed one takes it away.
_UNSAFE = {
    "index.translog.durability": ("async", "acknowledged documents would be lost in a crash."),
    "index.blocks.write": ("true", "it would refuse every document."),
    "index.blocks.read_only": ("true", "it would refuse every document."),
}
"""By an index's setting: the value that is refused, and what it would do."""


def check_indices(client: Elasticsearch) -> None:
    """Check that neither the indices nor those to come have settings that break what is promised.

    Parameters
    ----------
    client
        A client of the cluster; its errors are passed on.

    Raises
    ------
    TapewatchError
        A setting would lose documents or keep them out.
    """
    patterns = [f"{TRADES_INDEX_PREFIX}*", f"{ANOMALIES_INDEX_PREFIX}*"]
    found = client.indices.get_settings(index=patterns, name=list(_UNSAFE), flat_settings=True)
    for index, answer in found.items():
        if unsafe := unsafe_setting(answer["settings"]):
            setting, effect = unsafe
            raise TapewatchError(
                f"The index {index} has {effect}",
                f'Set it back: PUT /{index}/_settings {{"{setting}": null}}',
            )
    now = dt.datetime.now(dt.UTC)
    for index in (f"{TRADES_INDEX_PREFIX}{now:%Y.%m.%d}", f"{ANOMALIES_INDEX_PREFIX}{now:%Y.%m}"):
        composed = client.indices.simulate_index_template(name=index)["template"]
        if unsafe := unsafe_setting(_flat(composed.get("settings", {}))):
            setting, effect = unsafe
            raise TapewatchError(
                f"The index templates give a new index {index} {effect}",
                f"Take {setting} out of them; GET /_index_template lists them.",
            )


def unsafe_setting(settings: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first refused setting of an index with what it would do, or None.

    Parameters
    ----------
    settings
        By full name.
    """
    for setting, (refused, lost) in _UNSAFE.items():
        if settings.get(setting, "").lower() == refused:
            return setting, f"{setting}={refused}: {lost}"
    return None


def _flat(settings: Mapping[str, object], parent: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{parent}{key}.")
        else:
            flat[f"{parent}{key}"] = str(value)
    return flat
