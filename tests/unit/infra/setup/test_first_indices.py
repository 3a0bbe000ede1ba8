from infra.setup.first_indices import create_first_indices
from services.common.elastic.client import new_client
from tests.unit.infra.full_cluster import FullCluster


def test_each_kind_of_index_is_there_before_the_first_trade() -> None:
    with FullCluster(security=False) as cluster, new_client(cluster.url) as client:
        changes = create_first_indices(client)
        assert len(changes) == 10
        for kind in ("trades", "anomalies", "corrections", "feed-events", "alerts", "alert-deliveries"):
            assert any(change.startswith(f"created index {kind}-") for change in changes)
        for name in ("silences", "profiles", "cases", "verdicts"):
            assert f"created index {name}" in changes
        assert create_first_indices(client) == []


def test_a_kind_that_has_an_index_gets_no_other() -> None:
    with FullCluster(security=False) as cluster, new_client(cluster.url) as client:
        cluster.kept |= {"/trades-2025.06.04": {}, "/verdicts": {}}
        changes = create_first_indices(client)
    assert len(changes) == 8
    assert not any("trades-" in change or "verdicts" in change for change in changes)
