"""Indices that are never deleted: they outlive their templates, and get the fields that these have gained."""

import json

from infra.setup.templates import FOLDER
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_rejection
from services.contracts.indices import (
    CASES_INDEX,
    PROFILES_INDEX,
    SILENCES_INDEX,
    VERDICTS_INDEX,
    VIEWS_INDEX,
)

COMPONENTS = {
    VERDICTS_INDEX: "verdict-fields",
    CASES_INDEX: "case-fields",
    SILENCES_INDEX: "silence-fields",
    VIEWS_INDEX: "view-fields",
    PROFILES_INDEX: "profile-fields",
}
"""The component with an index's fields."""


def set_up_histories(client: Elasticsearch) -> list[str]:
    """Give the indices that exist the fields that they lack; returns one line for each change.

    Raises
    ------
    TapewatchError
        The cluster rejected the fields.
    """
    changes = []
    for index, component in COMPONENTS.items():
        template = json.loads((FOLDER / "components" / f"{component}.json").read_text())
        wanted = template["template"]["mappings"]["properties"]
        with explain_rejection(f"the fields of the index {index}"):
            found = client.options(ignore_status=404).indices.get_mapping(index=index).body
            if index not in found:
                continue
            missing = wanted.keys() - found[index]["mappings"].get("properties", {}).keys()
            if missing:
                client.indices.put_mapping(index=index, properties={name: wanted[name] for name in missing})
                changes.append(f"added to the index {index}: {', '.join(sorted(missing))}")
    return changes
