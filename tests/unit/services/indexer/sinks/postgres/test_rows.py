"""From messages to lines; tests/integration checks what Postgres makes of them."""

import json
from typing import Any

import orjson
import pytest

from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC
from services.indexer.sinks.base import RejectedRecordError
from services.indexer.sinks.postgres.rows import (
    ALERTS,
    ANOMALIES,
    CORRECTIONS,
    TRADE_COLUMNS,
    Table,
    to_retraction,
    to_row,
    trade_row,
)
from tests.samples import kafka_record, trade_json
from tests.unit.services.indexer.sinks.postgres.messages import alert, anomaly, correction
from tests.unit.services.indexer.sinks.postgres.test_csv import read


def trade(value: bytes) -> dict[str, str]:
    trade_id, line = trade_row(value)
    row = dict(zip(TRADE_COLUMNS, read(line), strict=True))
    assert row["trade_id"].encode() == trade_id
    return row


def other(topic: str, table: Table, value: bytes, **headers: bytes) -> dict[str, str]:
    record = kafka_record(topic, 3, 17, value=value, headers=list(headers.items()))
    return dict(zip(table.columns, read(to_row(record, "topic-id").line), strict=True))


def test_each_field_of_a_trade_is_in_its_column() -> None:
    row = trade(
        trade_json(
            1,
            size=0.25,
            ts_recv="2024-12-02T14:30:01.000200007Z",
            tape_time="2024-12-02T14:30:02Z",
            conditions=["odd_lot", 'a "b"'],
            price_eligible=False,
            extra={"depth": 1.5, "who": "x\\y"},
        )
    )
    assert (row["day"], row["time"]) == ("2024-12-02", "2024-12-02T14:30:01.000000Z")
    assert row["ts_ns"] == "1733149801000000007"
    assert row["ts_recv_ns"] == "1733149801000200007"
    assert row["tape_time_ns"] == "1733149802000000000"
    assert (row["price"], row["size"], row["price_eligible"]) == ("137.97", "0.25", "false")
    assert row["conditions"] == '{"odd_lot","a \\"b\\""}'
    assert json.loads(row["extra"]) == {"depth": 1.5, "who": "x\\y"}
    assert row["venue"] == row["reconciled"] == "null"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "not a trade"),
        (trade_json(price="137"), "not a trade"),
        (trade_json(size=None), "not a trade"),
        (trade_json(color="red"), "unknown field `color`"),
        (trade_json(sequence=7).replace(b":7", b":18446744073709551616"), "not a trade"),
        (trade_json(trade_id=""), "not a trade"),
        (trade_json(trade_id="é" * 300), "more than 512 bytes"),
        (trade_json(**{"@timestamp": "yesterday"}), "@timestamp is not"),
        (trade_json(ts_recv="yesterday"), "ts_recv is not"),
        (b'{"@timestamp":"\xff"}', "not JSON"),
        (b'{"extra":' * 2000, "not JSON"),
    ],
)
def test_what_is_no_trade_is_rejected_with_the_reason(value: bytes, reason: str) -> None:
    with pytest.raises(RejectedRecordError, match=reason):
        trade_row(value)


def test_an_anomaly_has_columns_for_what_one_asks_by_and_the_rest_beside_them() -> None:
    row = other(ANOMALIES_TOPIC, ANOMALIES, anomaly(revision=3, ts_recv="2024-12-02T14:30:01.000200007Z"))
    assert (row["label"], row["severity"], row["revision"]) == ("Burst", "high", "3")
    assert row["labels"] == '{"Burst","Unusual Size"}'
    assert json.loads(row["detections"])[0]["detector"] == "burst"
    assert row["profile"] == "0123456789ab"
    assert json.loads(row["rest"])["ts_recv"] == "2024-12-02T14:30:01.000200007Z"
    assert (row["kafka_topic_id"], row["kafka_partition"], row["kafka_offset"]) == ("topic-id", "3", "17")
    assert row["judged_again"] == "false"


def test_an_anomaly_that_cannot_grow_is_its_first_revision() -> None:
    row = other(ANOMALIES_TOPIC, ANOMALIES, anomaly(), judged_again=b"1")
    assert (row["revision"], row["judged_again"]) == ("1", "true")


def test_corrections_and_alerts_are_rows() -> None:
    row = other(CORRECTIONS_TOPIC, CORRECTIONS, correction(trade_id=None))
    assert (row["correction_id"], row["trade_id"], row["action"]) == ("c-1", "null", "cancel")
    row = other(ALERTS_TOPIC, ALERTS, alert(revision=2))
    assert (row["alert_group"], row["revision"], row["last_time"]) == (
        "price",
        "2",
        "2024-12-02T14:30:09.000000Z",
    )
    assert json.loads(row["rest"])["worst"]["trade"]["price"] == 137.97


@pytest.mark.parametrize("topic", [ANOMALIES_TOPIC, CORRECTIONS_TOPIC, ALERTS_TOPIC])
@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"{}", b"\xff"])
def test_what_is_no_row_is_rejected(topic: str, value: bytes | None) -> None:
    with pytest.raises(RejectedRecordError):
        to_row(kafka_record(topic, value=value), "topic-id")


def test_versions_of_a_row_have_one_key_and_those_of_others_another() -> None:
    def key(topic: str, value: bytes) -> str:
        return to_row(kafka_record(topic, value=value), "topic-id").key

    assert key(ANOMALIES_TOPIC, anomaly(revision=1)) == key(ANOMALIES_TOPIC, anomaly(revision=2))
    assert key(ALERTS_TOPIC, alert(revision=1)) != key(ALERTS_TOPIC, alert(revision=2))


def test_a_retraction_has_the_key_of_its_anomaly() -> None:
    fields: dict[str, Any] = orjson.loads(anomaly())
    gone = to_retraction(
        [("trade_id", fields["trade_id"].encode()), ("timestamp", fields["@timestamp"].encode())]
    )
    assert gone.key == to_row(kafka_record(ANOMALIES_TOPIC, value=anomaly()), "topic-id").key


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [("trade_id", b"a")],
        [("trade_id", b"\xff"), ("timestamp", b"2024-12-02T14:30:01Z")],
        [("trade_id", b"a\0"), ("timestamp", b"2024-12-02T14:30:01Z")],
        [("trade_id", b""), ("timestamp", b"2024-12-02T14:30:01Z")],
    ],
)
def test_a_retraction_of_nothing_is_rejected(headers: list[tuple[str, bytes | None]] | None) -> None:
    with pytest.raises(RejectedRecordError):
        to_retraction(headers)
