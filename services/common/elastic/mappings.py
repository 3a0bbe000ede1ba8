"""What mapping a new index would get, and which template gives it."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.indices import (
    ALERT_DELIVERIES_INDEX_PREFIX,
    ALERT_FIELD_TYPES,
    ALERTS_INDEX_PREFIX,
    ANOMALIES_INDEX_PREFIX,
    ANOMALY_FIELD_TYPES,
    CORRECTION_FIELD_TYPES,
    CORRECTIONS_INDEX_PREFIX,
    DELIVERY_FIELD_TYPES,
    FEED_EVENT_FIELD_TYPES,
    FEED_EVENTS_INDEX_PREFIX,
    NEEDED_TEMPLATES,
    PROFILE_FIELD_TYPES,
    PROFILES_INDEX,
    SILENCE_FIELD_TYPES,
    SILENCES_INDEX,
    TRADE_FIELD_TYPES,
    TRADES_INDEX_PREFIX,
)

AUTO_CREATE = "action.auto_create_index"


@dataclass(frozen=True)
class NewIndex:
    """An index that the indexer may create today.

    Attributes
    ----------
    name
        Its name.
    types
        The types that its fields must have.
    """

    name: str
    types: Mapping[str, str]


def new_indices() -> list[NewIndex]:
    """Return an index of each kind for documents of now."""
    now = dt.datetime.now(dt.UTC)
    return [
        NewIndex(f"{TRADES_INDEX_PREFIX}{now:%Y.%m.%d}", TRADE_FIELD_TYPES),
        NewIndex(f"{ANOMALIES_INDEX_PREFIX}{now:%Y.%m}", TRADE_FIELD_TYPES | ANOMALY_FIELD_TYPES),
        NewIndex(f"{CORRECTIONS_INDEX_PREFIX}{now:%Y.%m}", CORRECTION_FIELD_TYPES),
        NewIndex(f"{FEED_EVENTS_INDEX_PREFIX}{now:%Y.%m}", FEED_EVENT_FIELD_TYPES),
        NewIndex(f"{ALERTS_INDEX_PREFIX}{now:%Y.%m}", ALERT_FIELD_TYPES),
        NewIndex(f"{ALERT_DELIVERIES_INDEX_PREFIX}{now:%Y.%m}", DELIVERY_FIELD_TYPES),
        NewIndex(SILENCES_INDEX, SILENCE_FIELD_TYPES),
        NewIndex(PROFILES_INDEX, PROFILE_FIELD_TYPES),
    ]


def check_mapping(client: Elasticsearch, index: NewIndex, mappings: Mapping[str, Any]) -> None:
    """Check the types that a new index would give to its fields.

    Parameters
    ----------
    client
        Client of the cluster.
    index
        The index.
    mappings
        Its mappings, as the cluster would compose them from its templates.

    Raises
    ------
    TapewatchError
        A field would have another type, so that prices lost digits or queries found nothing.
    """
    wrong = wrong_types(index.types, mappings)
    if not wrong:
        return
    template = winning_template(client, index.name) or {"name": "", "index_template": {}}
    name, priority = template["name"], template["index_template"].get("priority", 0)
    raise TapewatchError(
        f"The index template {name} (priority {priority}) would give a new index {index.name} other types "
        f"than Tapewatch's documents need: {'; '.join(wrong)}.",
        "Run `tapewatch setup` to correct the templates, and remove these fields from tapewatch-…@custom."
        if name in NEEDED_TEMPLATES
        else f"Give {name} a lower priority than Tapewatch's templates have (500), or "
        f"index_patterns that do not match {index.name}.",
    )


def wrong_types(types: Mapping[str, str], mappings: Mapping[str, Any]) -> list[str]:
    """Return the fields that have another type, as `price as float, not double`."""
    wrong = []
    for field, needed in types.items():
        found: Mapping[str, Any] = mappings
        for part in field.split("."):
            found = found.get("properties", {}).get(part, {})
        if (kind := found.get("type")) != needed:
            wrong.append(f"{field} {f'as {kind}' if kind else 'without a type'}, not {needed}")
    return wrong


def winning_template(client: Elasticsearch, index: str) -> dict[str, Any] | None:
    """Return the index template that a new index would be made from, as the cluster lists it."""
    listed = client.indices.get_index_template()["index_templates"]
    matching = [
        one
        for one in listed
        if any(matches(pattern, index) for pattern in one["index_template"]["index_patterns"])
    ]
    return max(matching, key=lambda one: one["index_template"].get("priority", 0), default=None)


def matches(pattern: str, index: str) -> bool:
    """Tell whether an index's name matches a pattern of Elasticsearch, in which `*` alone is special."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), index) is not None


def uncreatable_index(client: Elasticsearch) -> str | None:
    """Return a new index that the cluster would not create for a document; None if it would create each.

    The errors of the client are passed on.
    """
    told = client.cluster.get_settings(include_defaults=True, flat_settings=True)
    layers = (told.get("transient", {}), told.get("persistent", {}), told.get("defaults", {}))
    setting = next((str(layer[AUTO_CREATE]) for layer in layers if AUTO_CREATE in layer), "true")
    for index in new_indices():
        template = winning_template(client, index.name)
        allowed = template["index_template"].get("allow_auto_create") if template else None
        if not (is_created(setting, index.name) if allowed is None else allowed):
            return index.name
    return None


def is_created(setting: str, index: str) -> bool:
    """Tell whether `action.auto_create_index` lets a document create an index.

    Parameters
    ----------
    setting
        `true`, `false`, or patterns such as `-secret*,+trades-*`, of which the first that matches decides.
    index
        Its name.
    """
    if setting in ("true", "false"):
        return setting == "true"
    patterns = [each.strip() for each in setting.strip("[]").split(",")]
    return next((each[:1] != "-" for each in patterns if matches(each.lstrip("+-"), index)), False)
