import pytest

from infra.setup.cluster import Abilities, find_abilities
from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from tests.unit.infra.full_cluster import ADMIN, FullCluster

AS_ADMIN = Settings(elasticsearch_user=ADMIN[0], elasticsearch_password=ADMIN[1])


@pytest.mark.parametrize("security", [True, False])
@pytest.mark.parametrize("lifecycle", [True, False])
def test_the_servers_features_are_recognised(security: bool, lifecycle: bool) -> None:
    with (
        FullCluster(security=security, lifecycle=lifecycle) as cluster,
        new_client(cluster.url, settings=AS_ADMIN) as client,
    ):
        assert find_abilities(client) == Abilities(lifecycle=lifecycle, security=security)


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(elasticsearch_user="elastic", elasticsearch_password="not-the-password")],
)
def test_with_wrong_credentials_no_feature_counts_as_missing(settings: Settings) -> None:
    with (
        FullCluster() as cluster,
        new_client(cluster.url, settings=settings) as client,
        pytest.raises(TapewatchError) as caught,
    ):
        find_abilities(client)
    assert "does not accept these credentials" in caught.value.cause
    assert "TAPEWATCH_ELASTICSEARCH_PASSWORD_FILE" in caught.value.hint
    assert "not-the-password" not in str(caught.value)


@pytest.mark.parametrize(("status", "hint"), [(403, "manage_ilm"), (500, "Elasticsearch's log")])
@pytest.mark.parametrize("path", ["/_ilm/status", "/_security/_authenticate"])
def test_a_rejection_does_not_count_as_a_missing_feature(path: str, status: int, hint: str) -> None:
    with (
        FullCluster(refuses={path: status}) as cluster,
        new_client(cluster.url, settings=AS_ADMIN) as client,
        pytest.raises(TapewatchError) as caught,
    ):
        find_abilities(client)
    assert hint in caught.value.hint
