"""The index templates of `infra/elasticsearch/`, put into the cluster."""

import hashlib
import json
from pathlib import Path
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from services.common.errors import TapewatchError

FOLDER = Path(__file__).parent / "elasticsearch"


def set_up_templates(client: Elasticsearch) -> list[str]:
    """Put the index templates that are missing or differ; returns one line for each change.

    Raises
    ------
    TapewatchError
        The cluster refused a template.
    """
    changes = []
    for path in sorted(FOLDER.glob("*.template.json")):
        name = f"tapewatch-{path.name.removesuffix('.template.json')}"
        template = json.loads(path.read_text())
        try:
            current = _current(client, name)
            # The file's hash stands in the template: the cluster returns templates in a form of its own.
            if current.get("_meta") == template["_meta"] | {"hash": _hash(template)}:
                continue
            template["_meta"]["hash"] = _hash(template)
            client.indices.put_index_template(name=name, **_as_arguments(template))
        except ApiError as error:
            raise TapewatchError(
                f"Elasticsearch refused the index template {name}: {error}.",
                f"Check {path.name} and your rights.",
            ) from error
        changes.append(f"{'changed' if current else 'created'} index template {name}")
    return changes


def _current(client: Elasticsearch, name: str) -> dict[str, Any]:
    found = client.options(ignore_status=404).indices.get_index_template(name=name)
    templates = found.get("index_templates", [])
    return templates[0]["index_template"] if templates else {}


def _as_arguments(template: dict[str, Any]) -> dict[str, Any]:
    return {("meta" if key == "_meta" else key): value for key, value in template.items()}


def _hash(template: dict[str, Any]) -> str:
    body = {key: value for key, value in template.items() if key != "_meta"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
