"""Primary shards and replicas of indices: what was asked for, checked against what is there."""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_rejection
from services.common.errors import TapewatchError
from services.contracts import indices

_OURS = (
    indices.TRADES_INDICES,
    indices.ANOMALIES_INDICES,
    indices.CORRECTIONS_INDICES,
    indices.FEED_EVENTS_INDICES,
    indices.ALERTS_INDICES,
    indices.ALERT_DELIVERIES_INDICES,
    indices.SILENCES_INDEX,
    indices.PROFILES_INDEX,
    indices.VIEWS_INDEX,
    indices.VERDICTS_INDEX,
    indices.CASES_INDEX,
)


@dataclass(frozen=True)
class ShardLayout:
    """What is asked for.

    Attributes
    ----------
    shards
        Primary shards of each new index of trades; None for one. All others are small and have one.
    replicas
        Replicas of each shard; None for one where there is a second node.
    """

    shards: int | None = None
    replicas: int | None = None


def check_nodes(client: Elasticsearch, layout: ShardLayout) -> None:
    """Check that every replica could have a node of its own.

    Raises
    ------
    TapewatchError
        There are fewer nodes, or the cluster rejected the question.
    """
    if not layout.replicas:
        return
    with explain_rejection("to tell its health"):
        nodes = client.cluster.health()["number_of_data_nodes"]
    if nodes <= layout.replicas:
        raise TapewatchError(
            f"Elasticsearch has {nodes} data node{'' if nodes == 1 else 's'}, and TAPEWATCH_REPLICAS is "
            f"{layout.replicas}: a shard and its replicas are on different nodes, so some would stay "
            "unassigned.",
            f"Start more nodes, or set TAPEWATCH_REPLICAS to {nodes - 1} at most.",
        )


def set_up_shards(client: Elasticsearch, layout: ShardLayout, note: Callable[[str], None]) -> list[str]:
    """Give existing indices the replicas asked for; returns one line if that changed any.

    Parameters
    ----------
    client
        Client of the cluster.
    layout
        What is asked for.
    note
        Told which indices keep another number of primary shards, which cannot be changed.

    Raises
    ------
    TapewatchError
        The cluster rejected the request.
    """
    if layout.shards is not None:
        with explain_rejection("the settings of the indices of trades"):
            found = client.indices.get_settings(index=indices.TRADES_INDICES, flat_settings=True)
        other = sorted(
            name
            for name, answer in found.items()
            if int(answer["settings"]["index.number_of_shards"]) != layout.shards
        )
        if other:
            note(
                f"{_named(other)} keep their number of primary shards, which is chosen when an index is "
                f"created: only new indices of trades get {layout.shards}; reindex those that need it"
            )
    if layout.replicas is None:
        return []
    wanted = str(layout.replicas)
    with explain_rejection("the settings of the indices"):
        found = client.indices.get_settings(index=list(_OURS), flat_settings=True, ignore_unavailable=True)
        differing = sorted(
            name
            for name, answer in found.items()
            if answer["settings"].get("index.number_of_replicas") != wanted
            or answer["settings"].get("index.auto_expand_replicas", "false") != "false"
        )
        for name in differing:
            client.indices.put_settings(
                index=name,
                settings={"auto_expand_replicas": "false", "number_of_replicas": layout.replicas},
            )
    return [f"changed the replicas of each shard to {wanted}: {_named(differing)}"] if differing else []


def _named(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
