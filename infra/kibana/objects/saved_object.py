"""What all of Kibana's saved objects have in common."""

import json
from dataclasses import dataclass
from typing import Any

SavedObject = dict[str, Any]
Reference = dict[str, str]

TIME_FIELD = "@timestamp"
REFRESH = {"pause": False, "value": 10_000}
"""How often what is open asks again, in ms."""

QUERY_REFERENCE = "kibanaSavedObjectMeta.searchSourceJSON.index"

TAG = "tapewatch-tag"
_PREFIX = "Tapewatch: "


@dataclass(frozen=True)
class TimeRange:
    """What a dashboard or a search opens with: ISO 8601, UTC, or relative to the moment."""

    start: str
    end: str


RECENT = TimeRange("now-24h", "now")
"""Where the tape runs, or nothing is known of it."""


def saved(
    kind: str,
    object_id: str,
    attributes: dict[str, Any],
    references: list[Reference],
    version: str,
    *,
    named_by: str = "title",
) -> SavedObject:
    """Return a saved object whose name tells whose it is, in a Kibana that many share; it bears the tag.

    Parameters
    ----------
    version
        Kibana's version of the type's form.
    named_by
        The attribute that people see as its name.
    """
    return {
        "id": object_id,
        "type": kind,
        "attributes": attributes | {named_by: _PREFIX + attributes[named_by]},
        "references": [*references, reference("tag", TAG, f"tag-ref-{TAG}")],
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": version,
    }


def tag(description: str, color: str) -> SavedObject:
    """Return the tag that all other objects bear."""
    return {
        "id": TAG,
        "type": "tag",
        "attributes": {"name": "Tapewatch", "description": description, "color": color},
        "references": [],
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "8.0.0",
    }


def plain_title(one: SavedObject) -> str:
    """Return an object's title without what tells whose it is, for places where that is known."""
    title: str = one["attributes"]["title"]
    return title.removeprefix(_PREFIX)


def reference(kind: str, object_id: str, name: str) -> Reference:
    """Return a reference to another object, by the name that the content uses for it."""
    return {"type": kind, "id": object_id, "name": name}


def kql(query: str) -> dict[str, str]:
    """Return a query in KQL; an empty one matches everything."""
    return {"query": query, "language": "kuery"}


def text(value: object) -> str:
    """Return JSON as text, which is how Kibana keeps many attributes."""
    return json.dumps(value, separators=(",", ":"))
