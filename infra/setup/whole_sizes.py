"""Indices of before sizes had decimals: their mapping keeps whole numbers only, and cannot be changed."""

from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES


def whole_size_indices(client: Elasticsearch) -> list[str]:
    """Return the indices whose field `size` is not a `double`, sorted by name; passes on errors.

    Such an index accepts a document with a size of 0.25 and returns it as it is, but searches, sorts and sums
    it as 0.
    """
    found = client.indices.get_field_mapping(index=f"{TRADES_INDICES},{ANOMALIES_INDICES}", fields="size")
    kinds = {
        index: answer["mappings"].get("size", {}).get("mapping", {}).get("size", {}).get("type", "double")
        for index, answer in found.items()
    }
    return sorted(index for index, kind in kinds.items() if kind != "double")


def describe_whole_sizes(indices: list[str]) -> str:
    """Say what such indices do, and what to do about it."""
    named = ", ".join(indices[:3]) + (f" and {len(indices) - 3} more" if len(indices) > 3 else "")
    return (
        f"whole sizes only in {named}, created before sizes had decimals: a size of 0.25 is kept in the "
        "document, but counts as 0 in sums, sorts and filters; reindex those that receive sizes with decimals"
    )
