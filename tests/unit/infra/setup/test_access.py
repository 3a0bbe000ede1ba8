from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.setup.access import set_up_roles, set_up_users
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError
from tests.unit.infra.full_cluster import ADMIN, FullCluster

INDEXER = "/_security/user/tapewatch-indexer"
ROLE = "/_security/role/tapewatch-indexer"


@pytest.fixture
def cluster() -> Iterator[FullCluster]:
    with FullCluster() as running:
        yield running


@pytest.fixture
def client(cluster: FullCluster) -> Iterator[Elasticsearch]:
    settings = Settings(elasticsearch_user=ADMIN[0], elasticsearch_password=ADMIN[1])
    with new_client(cluster.url, settings=settings) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tapewatch-indexer.password").write_text("first-password\n")
    return tmp_path


def test_each_role_is_created_once(cluster: FullCluster, client: Elasticsearch) -> None:
    assert set_up_roles(client) == [
        "created role tapewatch-dashboard",
        "created role tapewatch-indexer",
        "created role tapewatch-kibana-reader",
        "created role tapewatch-kibana-setup",
    ]
    before = len(cluster.changes)
    assert set_up_roles(client) == []
    assert len(cluster.changes) == before


def test_a_role_with_the_same_rights_in_another_order_is_not_changed(
    cluster: FullCluster, client: Elasticsearch
) -> None:
    set_up_roles(client)
    role = cluster.kept[ROLE]
    role["cluster"].reverse()
    role["indices"][0]["names"].reverse()
    assert set_up_roles(client) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"cluster": ["all"]},
        {"indices": []},
        {"run_as": ["elastic"]},
        {"indices": [{"names": ["*"], "privileges": ["all"], "allow_restricted_indices": True}]},
    ],
)
def test_a_role_with_other_rights_is_set_right(
    cluster: FullCluster, client: Elasticsearch, wrong: dict[str, object]
) -> None:
    set_up_roles(client)
    right = dict(cluster.kept[ROLE])
    cluster.kept[ROLE] |= wrong
    assert set_up_roles(client) == ["changed role tapewatch-indexer"]
    assert cluster.kept[ROLE] == right


def test_no_role_may_administer_anything(cluster: FullCluster, client: Elasticsearch) -> None:
    set_up_roles(client)
    roles = {path: role for path, role in cluster.kept.items() if path.startswith("/_security/role/")}
    rights = {right for role in roles.values() for right in role["cluster"]} | {
        right for role in roles.values() for one in role["indices"] for right in one["privileges"]
    }
    assert rights == {
        "indices:admin/index_template/get",
        "indices:admin/index_template/simulate_index",
        "auto_configure",
        "create_doc",
        "delete",
        "index",
        "read",
        "view_index_metadata",
    }
    writes = {
        path.rpartition("/")[2]: sorted(
            name
            for one in role["indices"]
            if {"index", "create_doc"} & {*one["privileges"]}
            for name in one["names"]
        )
        for path, role in roles.items()
    }
    assert writes == {
        "tapewatch-dashboard": ["cases", "verdicts", "views"],
        "tapewatch-indexer": [
            "alert-deliveries-*",
            "alerts-*",
            "anomalies-*",
            "corrections-*",
            "feed-events-*",
            "profiles",
            "silences",
            "trades-*",
        ],
        "tapewatch-kibana-reader": [],
        "tapewatch-kibana-setup": [],
    }


def test_the_dashboard_adds_to_histories_but_changes_and_deletes_nothing(
    cluster: FullCluster, client: Elasticsearch
) -> None:
    set_up_roles(client)
    given = cluster.kept["/_security/role/tapewatch-dashboard"]["indices"]
    rights = {name: set(one["privileges"]) for one in given for name in one["names"]}
    assert (
        rights["verdicts"] == rights["cases"] == rights["views"] == {"read", "auto_configure", "create_doc"}
    )
    assert rights["alerts-*"] == rights["alert-deliveries-*"] == rights["silences"] == {"read"}


def test_a_user_is_created_with_role_and_password_once(
    cluster: FullCluster, client: Elasticsearch, folder: Path
) -> None:
    assert set_up_users(client, folder) == ["created user tapewatch-indexer"]
    assert cluster.kept[INDEXER]["roles"] == ["tapewatch-indexer"]
    assert cluster.passwords["tapewatch-indexer"] == "first-password"
    before = len(cluster.changes)
    assert set_up_users(client, folder) == []
    assert len(cluster.changes) == before


def test_a_wrong_password_is_set_right(cluster: FullCluster, client: Elasticsearch, folder: Path) -> None:
    set_up_users(client, folder)
    (folder / "tapewatch-indexer.password").write_text("second-password")
    assert set_up_users(client, folder) == ["changed the password of user tapewatch-indexer"]
    assert cluster.passwords["tapewatch-indexer"] == "second-password"


@pytest.mark.parametrize("wrong", [{"roles": ["superuser"]}, {"enabled": False}])
def test_a_user_with_another_role_or_switched_off_is_set_right_and_keeps_the_password(
    cluster: FullCluster, client: Elasticsearch, folder: Path, wrong: dict[str, object]
) -> None:
    set_up_users(client, folder)
    cluster.kept[INDEXER] |= wrong
    assert set_up_users(client, folder) == ["changed user tapewatch-indexer: role tapewatch-indexer"]
    assert cluster.kept[INDEXER]["roles"] == ["tapewatch-indexer"]
    assert cluster.kept[INDEXER]["enabled"] is True
    assert cluster.passwords["tapewatch-indexer"] == "first-password"


def test_kibanas_own_user_gets_only_its_password(
    cluster: FullCluster, client: Elasticsearch, tmp_path: Path
) -> None:
    (tmp_path / "kibana_system.password").write_text("for-kibana")
    assert set_up_users(client, tmp_path) == ["changed the password of user kibana_system"]
    assert cluster.changes == ["PUT /_security/user/kibana_system/_password"]
    assert set_up_users(client, tmp_path) == []


def test_nobody_else_is_touched(cluster: FullCluster, client: Elasticsearch, tmp_path: Path) -> None:
    (tmp_path / "elastic.password").write_text("not-to-be-set")
    assert set_up_users(client, tmp_path) == []
    assert set_up_users(client, None) == []
    assert cluster.requests == []


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_password_file_is_an_error(client: Elasticsearch, folder: Path, content: str) -> None:
    (folder / "tapewatch-indexer.password").write_text(content)
    with pytest.raises(TapewatchError, match=r"tapewatch-indexer\.password is empty"):
        set_up_users(client, folder)


def test_a_missing_folder_is_an_error(client: Elasticsearch, tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="does not exist"):
        set_up_users(client, tmp_path / "absent")


def test_a_rejection_names_the_user_and_never_the_password(
    cluster: FullCluster, client: Elasticsearch, folder: Path
) -> None:
    cluster.refuses["/_security/user/"] = 403
    with pytest.raises(TapewatchError) as caught:
        set_up_users(client, folder)
    assert caught.value.cause.startswith("Elasticsearch rejected the user tapewatch-indexer: ")
    assert "manage_security" in caught.value.hint
    assert "first-password" not in str(caught.value)
