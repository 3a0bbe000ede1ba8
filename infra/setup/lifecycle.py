"""Lifecycle policies: after how long the cluster deletes an index."""

from typing import Any

from infra.setup.settings import SetupSettings
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_rejection


def set_up_lifecycle(client: Elasticsearch, settings: SetupSettings) -> list[str]:
    """Put the policies that are missing or differ; returns one line for each change.

    A change holds for existing indices, too.

    Raises
    ------
    TapewatchError
        The cluster rejected a policy.
    """
    changes = []
    kept_days = {
        "tapewatch-trades": settings.trades_kept_days,
        "tapewatch-anomalies": settings.anomalies_kept_days,
    }
    for name, days in kept_days.items():
        phases = _phases(days)
        with explain_rejection(f"the lifecycle policy {name}"):
            found = client.options(ignore_status=404).ilm.get_lifecycle(name=name).body
            current = found.get(name, {}).get("policy", {}).get("phases")
            if current == phases:
                continue
            client.ilm.put_lifecycle(name=name, policy={"phases": phases})
        changes.append(f"{'changed' if current else 'created'} lifecycle policy {name} ({days} days)")
    return changes


def _phases(days: int) -> dict[str, Any]:
    """Return a policy's phases, defaults included, as the cluster tells them.

    Deleting is all: force merging or shrinking by policy would block writes, and any day may be replayed.
    The age counts from an index's creation, so a day of years ago that is replayed today is kept as long.
    """
    return {"delete": {"min_age": f"{days}d", "actions": {"delete": {"delete_searchable_snapshot": True}}}}
