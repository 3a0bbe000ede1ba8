from collections.abc import Mapping
from typing import Any
from unittest.mock import MagicMock

import pytest

from infra.setup.shards import ShardLayout, check_nodes, set_up_shards
from infra.setup.templates import PREFIX, with_layout
from services.common.errors import TapewatchError
from tests.unit.infra.setup.test_templates import COMPONENTS


def cluster(nodes: int = 1, indices: Mapping[str, dict[str, str]] | None = None) -> MagicMock:
    """Return a client of a cluster with these indices' settings, by name."""
    client = MagicMock()
    client.cluster.health.return_value = {"number_of_data_nodes": nodes}
    client.indices.get_settings.return_value = {
        name: {"settings": {f"index.{setting}": value for setting, value in settings.items()}}
        for name, settings in (indices or {}).items()
    }
    return client


def settings_of(component: str, layout: ShardLayout) -> dict[str, Any]:
    changed = with_layout(COMPONENTS, layout)[f"{PREFIX}{component}"]
    index: dict[str, Any] = changed["template"]["settings"]["index"]
    return index


def test_without_a_wish_templates_are_those_of_the_files() -> None:
    assert with_layout(COMPONENTS, ShardLayout()) == COMPONENTS


def test_shards_are_for_new_indices_of_trades_and_replicas_for_all() -> None:
    layout = ShardLayout(shards=3, replicas=2)
    assert settings_of("trades-shards", layout)["number_of_shards"] == 3
    assert settings_of("settings", layout)["number_of_shards"] == 1
    assert settings_of("settings", layout)["number_of_replicas"] == 2
    assert "auto_expand_replicas" not in settings_of("settings", layout)


@pytest.mark.parametrize(("nodes", "replicas"), [(1, 1), (3, 3)])
def test_more_replicas_than_other_nodes_are_refused(nodes: int, replicas: int) -> None:
    with pytest.raises(TapewatchError, match=f"has {nodes} data node") as caught:
        check_nodes(cluster(nodes), ShardLayout(replicas=replicas))
    assert f"TAPEWATCH_REPLICAS to {nodes - 1} at most" in caught.value.hint


def test_nothing_is_asked_of_the_cluster_without_a_wish() -> None:
    client = cluster()
    check_nodes(client, ShardLayout())
    assert set_up_shards(client, ShardLayout(), pytest.fail) == []
    assert client.mock_calls == []


def test_old_indices_of_trades_keep_their_shards_which_is_said() -> None:
    notes: list[str] = []
    client = cluster(indices={"trades-a": {"number_of_shards": "1"}, "trades-b": {"number_of_shards": "3"}})
    assert set_up_shards(client, ShardLayout(shards=3), notes.append) == []
    assert [note.partition(" keep")[0] for note in notes] == ["trades-a"]
    client.indices.put_settings.assert_not_called()


def test_old_indices_get_the_replicas_that_they_lack() -> None:
    client = cluster(
        indices={
            "alerts-a": {"number_of_replicas": "1", "auto_expand_replicas": "0-1"},
            "trades-a": {"number_of_replicas": "0"},
            "trades-b": {"number_of_replicas": "1"},
        }
    )
    changes = set_up_shards(client, ShardLayout(replicas=1), pytest.fail)
    assert changes == ["changed the replicas of each shard to 1: alerts-a, trades-a"]
    assert [call.kwargs["index"] for call in client.indices.put_settings.mock_calls] == [
        "alerts-a",
        "trades-a",
    ]
