"""An empty index of each kind until there is another: without one, Kibana's panels show errors."""

from services.common.elastic.client import Elasticsearch
from services.common.elastic.mappings import new_indices
from services.contracts import indices

_PATTERNS = {
    indices.TRADES_INDEX_PREFIX: indices.TRADES_INDICES,
    indices.ANOMALIES_INDEX_PREFIX: indices.ANOMALIES_INDICES,
    indices.CORRECTIONS_INDEX_PREFIX: indices.CORRECTIONS_INDICES,
    indices.FEED_EVENTS_INDEX_PREFIX: indices.FEED_EVENTS_INDICES,
    indices.ALERTS_INDEX_PREFIX: indices.ALERTS_INDICES,
    indices.ALERT_DELIVERIES_INDEX_PREFIX: indices.ALERT_DELIVERIES_INDICES,
}


def create_first_indices(client: Elasticsearch) -> list[str]:
    """Create an index for documents of now of each kind that has none; returns one line for each.

    Passes on errors.
    """
    changes = []
    for name in [*(index.name for index in new_indices()), indices.CASES_INDEX, indices.VERDICTS_INDEX]:
        kind = next((pattern for start, pattern in _PATTERNS.items() if name.startswith(start)), name)
        if not client.indices.exists(index=kind, allow_no_indices=False):
            client.indices.create(index=name)
            changes.append(f"created index {name}")
    return changes
