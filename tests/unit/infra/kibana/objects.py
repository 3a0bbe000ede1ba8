"""Reads saved objects as Kibana does: their content, and the fields and data views they refer to."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from infra.kibana.generate import FILE

ELASTICSEARCH = Path("infra/elasticsearch")

Saved = dict[str, Any]

OBJECTS: list[Saved] = [json.loads(line) for line in FILE.read_text().splitlines()]
BY_KEY = {(one["type"], one["id"]): one for one in OBJECTS}
CHARTS = [one for one in OBJECTS if one["type"] == "lens"]
SEARCHES = [one for one in OBJECTS if one["type"] == "search"]
DASHBOARDS = [one for one in OBJECTS if one["type"] == "dashboard"]
DATA_VIEWS = [one for one in OBJECTS if one["type"] == "index-pattern"]

_KQL = re.compile(r'(?P<negated>not )?"?(?P<field>[@\w.]+)"?: (?:"(?P<value>[^"]+)"|(?P<any>\*))')


class Query(NamedTuple):
    """One condition in KQL."""

    field: str
    value: str | None
    """None for any value."""
    negated: bool

    def as_filter(self) -> dict[str, Any]:
        """Return it as an Elasticsearch query."""
        field = {"exists": {"field": self.field}}
        inner = field if self.value is None else {"term": {self.field: self.value}}
        return {"bool": {"must_not": inner}} if self.negated else inner

    def fits(self, document: dict[str, Any]) -> bool:
        """Tell whether a document matches."""
        found = self.field in document if self.value is None else document[self.field] == self.value
        return found != self.negated


def kql(query: dict[str, str] | None) -> list[Query]:
    """Parse a query; fail on syntax that the objects do not use."""
    if not query or not query["query"]:
        return []
    assert query["language"] == "kuery"
    found = _KQL.fullmatch(query["query"])
    assert found, query
    return [Query(found["field"], found["value"], bool(found["negated"]))]


def view_id(one: Saved) -> str:
    """Return the one data view of a chart or a search."""
    ids: set[str] = {
        reference["id"] for reference in one["references"] if reference["type"] == "index-pattern"
    }
    (found,) = ids
    return found


def layer(chart: Saved) -> dict[str, Any]:
    """Return a chart's one layer."""
    layers: dict[str, dict[str, Any]] = chart["attributes"]["state"]["datasourceStates"]["formBased"][
        "layers"
    ]
    (found,) = layers.values()
    return found


def search_source(one: Saved) -> dict[str, Any]:
    """Return query and filters."""
    source: dict[str, Any] = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    return source


def panels(dashboard: Saved) -> list[dict[str, Any]]:
    """Return a dashboard's panels."""
    found: list[dict[str, Any]] = json.loads(dashboard["attributes"]["panelsJSON"])
    return found


def controls(dashboard: Saved) -> Iterator[tuple[str, str]]:
    """Yield data view and field of each control."""
    references = {reference["name"]: reference["id"] for reference in dashboard["references"]}
    chosen = json.loads(dashboard["attributes"]["controlGroupInput"]["panelsJSON"])
    for name, control in chosen.items():
        assert control["explicitInput"]["id"] == name
        yield references[f"controlGroup_{name}:optionsListDataView"], control["explicitInput"]["fieldName"]


def mapping(data_view_id: str) -> dict[str, dict[str, Any]]:
    """Return the mapped fields of a data view's indices, nested names with dots."""
    pattern = BY_KEY["index-pattern", data_view_id]["attributes"]["title"]
    fields: dict[str, dict[str, Any]] = {}
    for path in (ELASTICSEARCH / "templates").glob("*.json"):
        template = json.loads(path.read_text())
        if template["index_patterns"] == [pattern]:
            for name in template["composed_of"]:
                part = ELASTICSEARCH / "components" / f"{name.removeprefix('tapewatch-')}.json"
                if part.exists():
                    mappings = json.loads(part.read_text())["template"].get("mappings", {})
                    fields |= _flat(mappings.get("properties", {}), "")
    assert fields, f"no template for {pattern}"
    return fields


def _flat(properties: dict[str, Any], prefix: str) -> dict[str, dict[str, Any]]:
    fields: dict[str, Any] = {}
    for name, field in properties.items():
        if "properties" in field:
            fields |= _flat(field["properties"], f"{prefix}{name}.")
        else:
            fields[prefix + name] = field
    return fields
