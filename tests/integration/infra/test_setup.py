"""`tapewatch setup` against the real servers, and how its templates treat documents."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson
import pytest
from elasticsearch import BadRequestError, Elasticsearch

from infra.embedded.stack import EmbeddedStack
from infra.setup.histories import set_up_histories
from infra.setup.templates import set_up_templates
from services.common.elastic.client import new_client
from services.contracts.alert import Alert, Delivery, Silence, encode
from services.indexer.sinks.elasticsearch.documents import to_document
from tests.alerts import ALERT, DELIVERY, SILENCE
from tests.integration.pipeline import log_lines, tapewatch
from tests.narrow import present
from tests.samples import kafka_record, trade_json

TRADES = "trades-1998.05.05"
ANOMALIES = "anomalies-1998.05"

TRADE = orjson.loads(trade_json()) | {
    "ts_recv": "2024-12-02T14:30:01.000200007Z",
    "publisher_id": 2,
    "instrument_id": 4_294_967_295,
    "action": "T",
    "depth": 0,
    "flags": 255,
    "ts_in_delta": -169_641,
    "sequence": 9_007_199_254_740_993,
    "rtype": 0,
    "price": -0.000000001,
}
ANOMALY = TRADE | {
    "anomalies": ["High Volume", "Z-Score"],
    "score": 0.75,
    "severity": "critical",
    "message": "NVDA: 100 shares, where 10 were expected.",
    "detections": [
        {
            "detector": "z_score",
            "label": "Z-Score",
            "score": 0.75,
            "value": 4.0,
            "expected": 0.0,
            "threshold": 3.0,
            "reason": "because " * 10_000,  # longer than Elasticsearch takes for a keyword it would search
        }
    ],
    "contributions": {"return_z": 0.25, "volume_z": 0.75},
    "features": {"return_z": 4, "volume_z": 1.5},
    "session": "2024-12-02",
    "model": {"name": "tapewatch", "version": "1", "profile": "abc"},
    "detected_at": "2024-12-02T14:30:02.000000001Z",
}


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as client:
        set_up_templates(client)
        yield client
        client.indices.delete(index=[TRADES, ANOMALIES], ignore_unavailable=True)


def put(client: Elasticsearch, index: str, document: dict[str, Any], document_id: str = "1") -> None:
    client.index(index=index, id=document_id, document=document, refresh=True)


def change_settings_component(client: Elasticsearch) -> None:
    found = client.cluster.get_component_template(name="tapewatch-settings")
    template = found["component_templates"][0]["component_template"]["template"]
    template["settings"]["index"]["refresh_interval"] = "7s"
    client.cluster.put_component_template(name="tapewatch-settings", template=template)


def test_setup_reports_its_changes_and_a_second_run_changes_nothing(
    stack: EmbeddedStack, client: Elasticsearch
) -> None:
    tapewatch(stack, "setup")
    client.indices.delete_index_template(name="tapewatch-verdicts")
    change_settings_component(client)
    changed = tapewatch(stack, "setup")
    assert changed.stdout.splitlines() == [
        "changed component template tapewatch-settings",
        "created index template tapewatch-verdicts",
    ]
    again = tapewatch(stack, "setup")
    assert again.stdout == "everything is set up already\n"
    events = [json.loads(line)["event"] for line in again.stderr.splitlines() if line.startswith("{")]
    assert len([event for event in events if "lifecycle" in event]) == 1
    assert len([event for event in events if "security" in event]) == 1
    assert log_lines(again.stderr, "everything is set up already") == []


@pytest.mark.parametrize(
    "damage", [{"priority": 1}, {"template": {"settings": {"index": {"blocks": {"write": True}}}}}]
)
def test_what_somebody_changed_in_a_template_is_set_right(
    client: Elasticsearch, damage: dict[str, Any]
) -> None:
    found = client.indices.get_index_template(name="tapewatch-trades")
    template = found["index_templates"][0]["index_template"]
    known = {key: template[key] for key in ("index_patterns", "composed_of", "priority")}
    optional = template["ignore_missing_component_templates"]
    client.indices.put_index_template(
        name="tapewatch-trades", ignore_missing_component_templates=optional, **(known | damage)
    )
    assert set_up_templates(client) == ["changed index template tapewatch-trades"]
    assert set_up_templates(client) == []


def test_setup_does_not_change_the_component_for_custom_settings(client: Elasticsearch) -> None:
    client.cluster.put_component_template(
        name="tapewatch-trades@custom", template={"settings": {"index": {"number_of_shards": 3}}}
    )
    try:
        assert set_up_templates(client) == []
        composed = client.indices.simulate_index_template(name=TRADES)["template"]["settings"]["index"]
        assert composed["number_of_shards"] == "3"
    finally:
        client.cluster.delete_component_template(name="tapewatch-trades@custom")


@pytest.mark.parametrize(("index", "document"), [(TRADES, TRADE), (ANOMALIES, ANOMALY)])
def test_every_field_comes_back_unchanged(
    client: Elasticsearch, index: str, document: dict[str, Any]
) -> None:
    put(client, index, document)
    assert client.get(index=index, id="1")["_source"] == document
    assert client.search(index=index)["hits"]["hits"][0]["_source"] == document


@pytest.mark.parametrize("name", TRADE)
def test_each_field_of_a_trade_can_be_filtered_by(client: Elasticsearch, name: str) -> None:
    put(client, TRADES, TRADE)
    assert client.count(index=TRADES, query={"term": {name: TRADE[name]}})["count"] == 1


def test_a_field_that_nobody_declared_is_rejected(client: Elasticsearch) -> None:
    for index, document in ((TRADES, TRADE), (ANOMALIES, ANOMALY)):
        with pytest.raises(BadRequestError, match="strict_dynamic_mapping_exception"):
            put(client, index, document | {"nobodys": "field"})


@pytest.mark.parametrize("name", ["features", "contributions"])
def test_a_new_feature_can_be_averaged(client: Elasticsearch, name: str) -> None:
    put(client, ANOMALIES, ANOMALY | {name: {"brand_new": 3}}, "a")
    put(client, ANOMALIES, ANOMALY | {name: {"brand_new": 1.5}}, "b")
    aggs = {"mean": {"avg": {"field": f"{name}.brand_new"}}}
    answer = client.search(index=ANOMALIES, aggs=aggs, size=0)
    assert answer["aggregations"]["mean"]["value"] == 2.25


@pytest.mark.parametrize("name", ["features", "contributions"])
@pytest.mark.parametrize("value", ["high", "1.5", "2024-12-02", True, {"inner": 1}, ["a"], [1, "a"]])
def test_a_feature_that_is_no_number_is_rejected_and_leaves_no_field(
    client: Elasticsearch, name: str, value: object
) -> None:
    put(client, ANOMALIES, ANOMALY)
    before = client.indices.get_mapping(index=ANOMALIES)
    with pytest.raises(BadRequestError):
        put(client, ANOMALIES, ANOMALY | {name: {"brand_new": value}}, "2")
    assert client.indices.get_mapping(index=ANOMALIES).body == before.body


def test_more_features_than_anybody_reads_are_rejected(client: Elasticsearch) -> None:
    put(client, ANOMALIES, ANOMALY | {"features": {f"feature_{n}": n for n in range(50)}}, "a")
    put(client, ANOMALIES, ANOMALY | {"contributions": {f"feature_{n}": n for n in range(50)}}, "b")
    with pytest.raises(BadRequestError, match="Limit of total fields"):
        put(client, ANOMALIES, ANOMALY | {"features": {f"other_{n}": n for n in range(400)}}, "c")


def test_verdicts_have_their_fields(client: Elasticsearch) -> None:
    composed = client.indices.simulate_index_template(name="verdicts")["template"]["mappings"]
    assert composed["dynamic"] == "strict"
    assert {name: field["type"] for name, field in composed["properties"].items()} == {
        "trade_id": "keyword",
        "number": "long",
        "symbol": "keyword",
        "@timestamp": "date_nanos",
        "verdict": "keyword",
        "replaces": "keyword",
        "comment": "text",
        "recorded_at": "date",
        "recorded_by": "keyword",
        "signed_in": "boolean",
        "blind": "boolean",
    }


@pytest.mark.parametrize(
    ("topic", "value"),
    [("alerts", ALERT), ("alert-deliveries", DELIVERY), ("silences", SILENCE)],
)
def test_what_is_told_is_indexed_with_every_field(
    client: Elasticsearch, topic: str, value: Alert | Delivery | Silence
) -> None:
    target, content = to_document(kafka_record(topic, value=encode(value)))
    index, document_id = orjson.loads(target)["index"].values()
    try:
        put(client, index, orjson.loads(present(content)), document_id)
        document = client.get(index=index, id=document_id)["_source"]
        assert msgspec.convert(document, type(value)) == value
        mapping = client.indices.get_mapping(index=index)[index]["mappings"]
        assert mapping["dynamic"] == "strict"
        assert mapping["properties"].keys() == document.keys()
        with pytest.raises(BadRequestError, match="strict_dynamic_mapping_exception"):
            put(client, index, document | {"nobodys": "field"})
    finally:
        client.indices.delete(index=index)


def test_an_index_of_verdicts_from_before_gets_the_new_fields_and_keeps_its_documents(
    client: Elasticsearch,
) -> None:
    old = {"trade_id": {"type": "keyword"}, "verdict": {"type": "keyword"}}
    client.indices.delete(index="verdicts", ignore_unavailable=True)
    client.indices.create(index="verdicts")
    try:
        whole = client.indices.get_mapping(index="verdicts")["verdicts"]["mappings"]["properties"]
        assert set_up_histories(client) == []
        client.indices.delete(index="verdicts")
        client.indices.delete_index_template(name="tapewatch-verdicts")
        client.indices.create(index="verdicts", mappings={"dynamic": "strict", "properties": old})
        put(client, "verdicts", {"trade_id": "a", "verdict": "confirmed"}, "a")
        (change,) = set_up_histories(client)
        assert change.startswith("added to the index verdicts: @timestamp, blind, comment, number, ")
        assert client.indices.get_mapping(index="verdicts")["verdicts"]["mappings"]["properties"] == whole
        assert client.get(index="verdicts", id="a")["_source"]["verdict"] == "confirmed"
        assert set_up_histories(client) == []
    finally:
        client.indices.delete(index="verdicts")
        set_up_templates(client)


def test_no_document_is_rejected_while_setup_runs(client: Elasticsearch) -> None:
    for number in range(5):
        change_settings_component(client)
        put(client, f"trades-1997.01.0{number + 1}", TRADE)
        assert set_up_templates(client) == ["changed component template tapewatch-settings"]
        put(client, f"trades-1997.01.0{number + 1}", TRADE, "2")
    assert client.count(index="trades-1997.01.*")["count"] == 10
    client.indices.delete(index=[f"trades-1997.01.0{number + 1}" for number in range(5)])
