"""The templates of `infra/elasticsearch/`, put into the cluster."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.setup.cluster import Abilities
from infra.setup.shards import ShardLayout
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_rejection

FOLDER = Path(__file__).parents[1] / "elasticsearch"
PREFIX = "tapewatch-"

_FOR_FULL_CLUSTERS = frozenset({"compression", "trades-lifecycle", "anomalies-lifecycle"})
"""Components that only a cluster with lifecycle policies takes; the index templates do without, too."""

Template = dict[str, Any]


def set_up_templates(
    client: Elasticsearch, abilities: Abilities | None = None, layout: ShardLayout | None = None
) -> list[str]:
    """Put the templates that are missing or differ; returns one line for each change.

    Indices that exist already stay as they are.

    Parameters
    ----------
    client
        Client of the cluster.
    abilities
        What the cluster can do; None for no more than every server does.
    layout
        Shards and replicas of new indices; None for one, and one where there is a second node.

    Raises
    ------
    TapewatchError
        The cluster rejected a template.
    """
    left_out = frozenset() if abilities and abilities.lifecycle else _FOR_FULL_CLUSTERS
    changes = []
    for name, template in with_layout(_read("components"), layout or ShardLayout()).items():
        if name.removeprefix(PREFIX) in left_out:
            continue
        current = _current_component(client, name)
        if not _is_in(template, current):
            with explain_rejection(f"the component template {name}"):
                client.cluster.put_component_template(name=name, **_as_arguments(template))
            changes.append(f"{'changed' if current else 'created'} component template {name}")
    for name, template in _read("templates").items():
        current = _current_template(client, name)
        if not _is_in(template, current):
            with explain_rejection(f"the index template {name}"):
                client.indices.put_index_template(name=name, **_as_arguments(template))
            changes.append(f"{'changed' if current else 'created'} index template {name}")
    return changes


def with_layout(components: Mapping[str, Template], layout: ShardLayout) -> dict[str, Template]:
    """Return component templates with the shards and replicas that are asked for."""
    changed = copy.deepcopy(dict(components))
    if layout.shards is not None:
        changed[f"{PREFIX}trades-shards"]["template"]["settings"]["index"]["number_of_shards"] = layout.shards
    if layout.replicas is not None:
        index = changed[f"{PREFIX}settings"]["template"]["settings"]["index"]
        del index["auto_expand_replicas"]
        index["number_of_replicas"] = layout.replicas
    return changed


def _read(folder: str) -> dict[str, Template]:
    files = sorted((FOLDER / folder).glob("*.json"))
    return {f"{PREFIX}{path.stem}": json.loads(path.read_text()) for path in files}


def _current_component(client: Elasticsearch, name: str) -> Template:
    with explain_rejection(f"to show the component template {name}"):
        found = client.options(ignore_status=404).cluster.get_component_template(name=name)
    templates = found.get("component_templates", [])
    return templates[0]["component_template"] if templates else {}


def _current_template(client: Elasticsearch, name: str) -> Template:
    with explain_rejection(f"to show the index template {name}"):
        found = client.options(ignore_status=404).indices.get_index_template(name=name)
    templates = found.get("index_templates", [])
    return templates[0]["index_template"] if templates else {}


def _as_arguments(template: Template) -> Template:
    return {("meta" if key == "_meta" else key): value for key, value in template.items()}


def _is_in(template: Template, current: Template) -> bool:
    """Whether the cluster has exactly this template; it adds its own dates to our keys."""
    ours = {key: value for key, value in current.items() if key in (*template, "template")}
    return _comparable(template) == _comparable(ours)


def _comparable(value: object) -> object:
    """Write a template as the cluster does, which makes text of a setting's numbers and truth values."""
    if isinstance(value, Mapping):
        return {key: _comparable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_comparable(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool | int) else value
