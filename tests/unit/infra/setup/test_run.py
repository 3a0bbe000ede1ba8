import contextlib
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from infra.setup import run
from infra.setup.run import set_up_elasticsearch, wait_for_elasticsearch
from infra.setup.settings import SetupSettings
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from tests.stops import AskedFor, CountedStop
from tests.unit.infra.full_cluster import ADMIN, FullCluster


def as_admin(**given: Any) -> SetupSettings:
    return SetupSettings(elasticsearch_user=ADMIN[0], elasticsearch_password=ADMIN[1], **given)


class Patience(CountedStop):
    """Makes the cluster ready at the second wait."""

    def __init__(self, cluster: FullCluster, most_waits: int = 1_000) -> None:
        super().__init__(most_waits)
        self._cluster = cluster

    def wait(self, timeout_s: float) -> bool:
        if len(self.waits_s) == 1:
            self._cluster.refuses.clear()
        return super().wait(timeout_s)


def test_a_full_cluster_gets_everything_once_and_in_an_order_that_always_works(tmp_path: Path) -> None:
    (tmp_path / "tapewatch-reader.password").write_text("for-the-reader")
    settings = as_admin(secrets_dir=tmp_path)
    notes: list[str] = []
    with FullCluster() as cluster, new_client(cluster.url, settings=settings) as client:
        changes = set_up_elasticsearch(client, settings, notes.append)
        kinds = [re.split(r" (?:tapewatch-|[a-z-]+(?:-\d{4}\.\d\d.*)?$)", change)[0] for change in changes]
        assert list(dict.fromkeys(kinds)) == [
            "created lifecycle policy",
            "created component template",
            "created index template",
            "created index",
            "created role",
            "created user",
        ]
        assert "created component template tapewatch-compression" in changes
        before = len(cluster.changes)
        assert set_up_elasticsearch(client, settings, notes.append) == []
        assert len(cluster.changes) == before
    assert notes == []


def test_each_missing_feature_is_reported_once_and_not_used() -> None:
    notes: list[str] = []
    with FullCluster(security=False, lifecycle=False) as cluster, new_client(cluster.url) as client:
        set_up_elasticsearch(client, SetupSettings(), notes.append)
        assert not any("/_ilm/policy" in one or "/_security/role" in one for one in cluster.requests)
    assert [next(word for word in ("lifecycle", "security") if word in note) for note in notes] == [
        "lifecycle",
        "security",
    ]


def test_indices_that_keep_whole_sizes_only_are_named() -> None:
    notes: list[str] = []
    kinds = {"trades-2026.01.02": "double", "anomalies-2025.12": "long", "trades-2025.12.31": "long"}
    with FullCluster(size_types=kinds) as cluster, new_client(cluster.url, settings=as_admin()) as client:
        set_up_elasticsearch(client, as_admin(), notes.append)
    [note] = notes
    assert note.startswith("whole sizes only in anomalies-2025.12, trades-2025.12.31, created before")


def test_an_administrator_who_may_not_see_or_make_indices_can_still_set_up() -> None:
    notes: list[str] = []
    refuses = {"/trades-": 403}
    with FullCluster(refuses=refuses) as cluster, new_client(cluster.url, settings=as_admin()) as client:
        assert set_up_elasticsearch(client, as_admin(), notes.append)
    assert notes[0].startswith("no first indices were made")
    assert "were not checked" in notes[1]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_cluster_that_is_not_ready_yet_is_waited_for(status: int) -> None:
    with (
        FullCluster(security=False, refuses={"/_cluster/health": status}) as cluster,
        new_client(cluster.url) as client,
    ):
        patience = Patience(cluster)
        assert wait_for_elasticsearch(client, cluster.url, patience)
        assert len(patience.waits_s) == 2


def test_a_stop_ends_the_waiting() -> None:
    with (
        contextlib.closing(new_client("http://127.0.0.1:9")) as client,
        FullCluster() as unused,
    ):
        assert not wait_for_elasticsearch(client, "http://127.0.0.1:9", Patience(unused, most_waits=3))


@pytest.mark.parametrize(("settings", "status"), [(SetupSettings(), None), (as_admin(), 403)])
def test_wrong_credentials_end_it_at_once(settings: SetupSettings, status: int | None) -> None:
    with FullCluster() as cluster, new_client(cluster.url, settings=settings) as client:
        if status:
            cluster.refuses["/_cluster/health"] = status
        with pytest.raises(TapewatchError, match="administrator"):
            wait_for_elasticsearch(client, cluster.url, Patience(cluster))


def test_kibana_alone_is_set_up_without_kafka_and_without_an_elasticsearch_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait = Mock(return_value=True)
    monkeypatch.setattr(run, "wait_for_kibana", wait)
    given: dict[str, Any] = {}

    def import_objects(*_: object, **options: Any) -> list[str]:
        given.update(options)
        return ["created in Kibana: dashboard"]

    monkeypatch.setattr(run, "import_objects", import_objects)
    for name in ("wait_for_topics", "wait_for_elasticsearch", "set_up_topics", "set_up_elasticsearch"):
        monkeypatch.setattr(run, name, lambda *_: pytest.fail("not of Kibana"))
    changes: list[str] = []
    notes: list[str] = []
    settings = SetupSettings(
        kibana="http://kibana:5601",
        elasticsearch="http://127.0.0.1:9",
        dashboard_url="http://tape:8501",
    )
    assert (
        run.run_setup(settings, changes.append, AskedFor(), notes.append, kibana_only=True, overwrite=True)
        == 0
    )
    assert given == {"times": None, "dashboard_url": "http://tape:8501", "overwrite": True}
    assert "the newest session is not known: Elasticsearch does not answer" in notes[0]
    assert wait.call_args[0][:2] == ("http://kibana:5601", None)
    assert changes == ["created in Kibana: dashboard"]


def test_kibana_alone_needs_its_address() -> None:
    with pytest.raises(TapewatchError, match="No Kibana is given"):
        run.run_setup(SetupSettings(), print, AskedFor(), kibana_only=True)


def test_postgres_alone_is_set_up_without_kafka_elasticsearch_and_kibana(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = ("wait_for_topics", "wait_for_elasticsearch", "wait_for_kibana", "set_up_topics", "new_client")
    for name in others:
        monkeypatch.setattr(run, name, lambda *_, **__: pytest.fail("not of Postgres"))
    set_up = Mock(return_value=["ran migration 1"])
    monkeypatch.setattr(run, "load_with_extra", lambda *_, **__: set_up)
    settings = SetupSettings(postgres_admin="postgresql://postgres@db/tapewatch", kibana="http://kibana:5601")
    changes: list[str] = []
    stop = AskedFor()
    assert run.run_setup(settings, changes.append, stop, postgres_only=True) == 0
    assert changes == ["ran migration 1"]
    set_up.assert_called_once_with(settings, stop)


def test_kibana_alone_leaves_postgres_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "wait_for_kibana", lambda *_: False)
    monkeypatch.setattr(run, "load_with_extra", lambda *_, **__: pytest.fail("not of Kibana"))
    settings = SetupSettings(postgres_admin="postgresql://postgres@db/tapewatch", kibana="http://kibana:5601")
    assert run.run_setup(settings, print, AskedFor(), kibana_only=True) >= 128


def test_postgres_alone_needs_its_address_and_no_kibana() -> None:
    with pytest.raises(TapewatchError, match="No Postgres is given"):
        run.run_setup(SetupSettings(), print, AskedFor(), postgres_only=True)
    with pytest.raises(TapewatchError, match="were both asked for"):
        run.run_setup(SetupSettings(), print, AskedFor(), postgres_only=True, kibana_only=True)
