"""The queries of one anomaly's page against real Elasticsearch."""

from collections.abc import Iterator

import pytest

from dashboard.pages.anomaly import queries as anomaly_queries
from dashboard.server import one_anomaly
from dashboard.server.elastic import open_client
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from tests.browser.one_anomaly import ITSELF, Document, indexed

Documents = tuple[list[Document], list[Document]]


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def documents(client: Elasticsearch) -> Iterator[Documents]:
    with indexed(client) as made:
        yield made


@pytest.fixture
def anomaly(client: Elasticsearch, documents: Documents) -> Document:
    found = one_anomaly.find_anomaly(client, ITSELF)
    assert found is not None
    return found


def test_an_anomaly_is_found_with_all_its_fields(anomaly: Document, documents: Documents) -> None:
    assert anomaly == documents[1][2]


@pytest.mark.parametrize("trade_id", ["", "*", "look-*", "nosuch", 'look-100" OR "', "x" * 5000])
def test_what_is_no_id_finds_nothing(client: Elasticsearch, documents: Documents, trade_id: str) -> None:
    assert one_anomaly.find_anomaly(client, trade_id) is None


def test_the_neighbours_are_the_nearest_trades_in_the_order_traded(
    client: Elasticsearch, anomaly: Document, documents: Documents
) -> None:
    around = one_anomaly.find_trades_around(client, anomaly, 5, 5)
    assert around["place"].tolist() == list(range(-5, 6))
    assert around["trade_id"].tolist() == [f"look-{number}" for number in range(95, 106)]
    assert around["price"].tolist() == [trade["price"] for trade in documents[0][95:106]]
    assert around["severity"].tolist() == [""] * 5 + ["critical", "low"] + [""] * 4
    assert around["label"].tolist() == [""] * 5 + ["Off-Market Price"] * 2 + [""] * 4
    assert around["time"][0].nanosecond == 7


def test_at_the_ends_of_the_day_there_are_fewer(
    client: Elasticsearch, anomaly: Document, documents: Documents
) -> None:
    around = one_anomaly.find_trades_around(client, anomaly, 150, 150)
    assert (around["place"].min(), around["place"].max()) == (-100, 100)


def test_earlier_ones_are_of_the_same_label_and_before_it(client: Elasticsearch, anomaly: Document) -> None:
    earlier = anomaly_queries.find_earlier(client, anomaly)
    assert (earlier.label, earlier.total) == ("Off-Market Price", 1)
    assert earlier.rows["trade_id"].tolist() == ["look-60"]


def test_without_trades_only_the_anomaly_is_shown(client: Elasticsearch, anomaly: Document) -> None:
    around = one_anomaly.find_trades_around(client, anomaly | {"symbol": "NOSUCH"}, 5, 5)
    assert around["trade_id"].tolist() == [ITSELF]


def test_without_an_index_there_is_nothing(
    client: Elasticsearch, anomaly: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_anomaly, "TRADES_INDICES", "no-such-index-*")
    monkeypatch.setattr(one_anomaly, "ANOMALIES_INDICES", "no-such-index-*")
    monkeypatch.setattr(anomaly_queries, "ANOMALIES_INDICES", "no-such-index-*")
    assert one_anomaly.find_anomaly(client, ITSELF) is None
    assert len(one_anomaly.find_trades_around(client, anomaly, 5, 5)) == 1
    assert anomaly_queries.find_earlier(client, anomaly).rows.empty
