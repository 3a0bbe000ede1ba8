"""Reads saved objects as Kibana does: their content, and the fields and data views they refer to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.kibana.asking.kql import EVERYTHING, Query, parse
from infra.kibana.content.all_objects import all_objects
from infra.kibana.objects.saved_object import RECENT

ELASTICSEARCH = Path("infra/elasticsearch")

Saved = dict[str, Any]

DASHBOARD_URL = "http://127.0.0.1:8501"
OBJECTS: list[Saved] = json.loads(json.dumps(all_objects(RECENT, DASHBOARD_URL)))
BY_KEY = {(one["type"], one["id"]): one for one in OBJECTS}
CHARTS = [one for one in OBJECTS if one["type"] == "lens"]
SEARCHES = [one for one in OBJECTS if one["type"] == "search"]
DASHBOARDS = [one for one in OBJECTS if one["type"] == "dashboard"]
DATA_VIEWS = [one for one in OBJECTS if one["type"] == "index-pattern"]


def kql(query: dict[str, str] | None) -> Query:
    """Parse a query; fail on syntax that the objects do not use."""
    if not query:
        return EVERYTHING
    assert query["language"] == "kuery"
    return parse(query["query"])


def view_id(one: Saved) -> str:
    """Return the data view of a chart's numbers or of a search."""
    names = {"kibanaSavedObjectMeta.searchSourceJSON.index", "indexpattern-datasource-layer-main"}
    (found,) = (reference["id"] for reference in one["references"] if reference["name"] in names)
    return str(found)


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


def control_panels(dashboard: Saved) -> dict[str, Any]:
    """Return a dashboard's controls by their names."""
    found: dict[str, Any] = json.loads(dashboard["attributes"]["controlGroupInput"]["panelsJSON"])
    return found


def controls(dashboard: Saved) -> Iterator[tuple[str, str]]:
    """Yield data view and field of each control."""
    references = {reference["name"]: reference["id"] for reference in dashboard["references"]}
    for name, control in control_panels(dashboard).items():
        assert control["explicitInput"]["id"] == name
        yield references[f"controlGroup_{name}:optionsListDataView"], control["explicitInput"]["fieldName"]


def mapping(data_view_id: str) -> dict[str, dict[str, Any]]:
    """Return the mapped fields of a data view's indices, nested names with dots, and those it computes."""
    attributes = BY_KEY["index-pattern", data_view_id]["attributes"]
    pattern = attributes["title"]
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
    computed: dict[str, dict[str, Any]] = json.loads(attributes["runtimeFieldMap"])
    assert not fields.keys() & computed.keys()
    return fields | computed


def types(data_view_id: str) -> dict[str, str]:
    """Return the types of a data view's fields."""
    return {name: field["type"] for name, field in mapping(data_view_id).items() if "type" in field}


def _flat(properties: dict[str, Any], prefix: str) -> dict[str, dict[str, Any]]:
    fields: dict[str, Any] = {}
    for name, field in properties.items():
        if "properties" in field:
            fields |= _flat(field["properties"], f"{prefix}{name}.")
        else:
            fields[prefix + name] = field
    return fields
