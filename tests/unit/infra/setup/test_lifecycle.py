from collections.abc import Iterator

import pytest

from infra.setup.lifecycle import set_up_lifecycle
from infra.setup.settings import SetupSettings
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError
from tests.unit.infra.full_cluster import FullCluster

TRADES = "/_ilm/policy/tapewatch-trades"


@pytest.fixture
def cluster() -> Iterator[FullCluster]:
    with FullCluster(security=False) as running:
        yield running


@pytest.fixture
def client(cluster: FullCluster) -> Iterator[Elasticsearch]:
    with new_client(cluster.url) as client:
        yield client


def test_policies_delete_by_age_and_do_nothing_else(cluster: FullCluster, client: Elasticsearch) -> None:
    assert set_up_lifecycle(client, SetupSettings(trades_kept_days=5)) == [
        "created lifecycle policy tapewatch-trades (5 days)",
        "created lifecycle policy tapewatch-anomalies (365 days)",
    ]
    phases = cluster.kept[TRADES]["policy"]["phases"]
    assert list(phases) == ["delete"]
    assert phases["delete"]["min_age"] == "5d"
    assert list(phases["delete"]["actions"]) == ["delete"]


def test_a_second_run_changes_nothing(cluster: FullCluster, client: Elasticsearch) -> None:
    set_up_lifecycle(client, SetupSettings())
    before = len(cluster.changes)
    assert set_up_lifecycle(client, SetupSettings()) == []
    assert len(cluster.changes) == before


def test_another_number_of_days_changes_only_that_policy(client: Elasticsearch) -> None:
    set_up_lifecycle(client, SetupSettings())
    assert set_up_lifecycle(client, SetupSettings(trades_kept_days=90)) == [
        "changed lifecycle policy tapewatch-trades (90 days)"
    ]


def test_a_policy_that_would_block_writes_is_set_right(cluster: FullCluster, client: Elasticsearch) -> None:
    set_up_lifecycle(client, SetupSettings())
    cluster.kept[TRADES]["policy"]["phases"]["warm"] = {"min_age": "1d", "actions": {"readonly": {}}}
    assert set_up_lifecycle(client, SetupSettings()) == [
        "changed lifecycle policy tapewatch-trades (30 days)"
    ]
    assert list(cluster.kept[TRADES]["policy"]["phases"]) == ["delete"]


def test_a_rejection_is_an_error_and_not_a_missing_feature(
    cluster: FullCluster, client: Elasticsearch
) -> None:
    cluster.refuses["/_ilm/policy/"] = 403
    with pytest.raises(TapewatchError, match="rejected the lifecycle policy tapewatch-trades") as caught:
        set_up_lifecycle(client, SetupSettings())
    assert "manage_ilm" in caught.value.hint


def test_less_than_a_day_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_TRADES_KEPT_DAYS", "0")
    with pytest.raises(TapewatchError, match="TAPEWATCH_TRADES_KEPT_DAYS is '0'"):
        SetupSettings()
