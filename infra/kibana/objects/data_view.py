"""Data views, and how they show fields."""

from collections.abc import Mapping
from typing import Any

from infra.kibana.objects.saved_object import TIME_FIELD, SavedObject, saved, text

Format = dict[str, Any]

NANOSECONDS: Format = {"id": "date_nanos", "params": {"pattern": "YYYY-MM-DD HH:mm:ss.SSSSSSSSS"}}
DAY: Format = {"id": "date", "params": {"pattern": "YYYY-MM-DD", "timezone": "UTC"}}
"""A day, not a moment: in another time zone it would be shown as the day before."""


def data_view(
    view_id: str,
    name: str,
    pattern: str,
    formats: Mapping[str, Format],
    computed: Mapping[str, str] | None = None,
) -> SavedObject:
    """Return a data view.

    Parameters
    ----------
    formats
        A format for each field that needs one.
    computed
        Numbers that Elasticsearch computes when they are asked for: a Painless script by field.
    """
    scripts = {
        field: {"type": "double", "script": {"source": one}} for field, one in (computed or {}).items()
    }
    attributes = {
        "title": pattern,
        "name": name,
        "timeFieldName": TIME_FIELD,
        "fieldFormatMap": text(formats),
        "fieldAttrs": "{}",
        "fields": "[]",
        "runtimeFieldMap": text(scripts),
        "sourceFilters": "[]",
        "typeMeta": "{}",
        "allowNoIndex": True,  # it may be imported before the first document is indexed
    }
    return saved("index-pattern", view_id, attributes, [], "8.0.0", named_by="name")


def number(pattern: str) -> Format:
    """Return a format for numbers, by a pattern of numeral.js."""
    return {"id": "number", "params": {"pattern": pattern}}


def link(url: str) -> Format:
    """Return a format that shows a value as a link; `{{value}}` in the URL is the value, encoded."""
    return {"id": "url", "params": {"type": "a", "urlTemplate": url, "labelTemplate": "{{value}}"}}


def words(names: Mapping[str, str]) -> Format:
    """Return a format that shows words in place of codes; what has no word stays as it is."""
    entries = [{"key": code, "value": word} for code, word in names.items()]
    return {"id": "static_lookup", "params": {"lookupEntries": entries, "unknownKeyValue": ""}}


def painted(colors: Mapping[str, str]) -> Format:
    """Return a format that puts each text on a background of its color."""
    entries = [
        {"regex": f"^{value}$", "range": "-Infinity:Infinity", "text": "#ffffff", "background": color}
        for value, color in colors.items()
    ]
    return {"id": "color", "params": {"fieldType": "string", "colors": entries}}
