from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.alert import AlertState, encode
from services.contracts.correction import Correction, encode_correction
from services.contracts.feed_event import FeedEvent, encode_feed_event
from services.indexer.sinks.base import Entry, RejectedRecordError
from services.indexer.sinks.elasticsearch import documents
from services.indexer.sinks.elasticsearch.documents import bulk_body
from tests.alerts import ALERT, DELIVERY, SILENCE
from tests.narrow import present
from tests.samples import kafka_record, trade_json


def to_document(topic: str, value: bytes | None) -> Entry:
    return documents.to_document(kafka_record(topic, value=value))


def to_retraction(headers: list[tuple[str, bytes | None]] | None) -> Entry:
    return documents.to_document(kafka_record("anomalies", headers=headers))


def index_of(document: Entry) -> str:
    return target_of(document)["_index"]


def target_of(document: Entry) -> dict[str, str]:
    target: dict[str, str] = orjson.loads(document[0])["index"]
    return target


def test_trade_goes_to_the_index_of_its_day_under_its_id() -> None:
    document = to_document("trades", trade_json(1))
    assert target_of(document) == {"_index": "trades-2024.12.02", "_id": "2-11667-20241202-1"}
    assert document[1] == trade_json(1)


def test_anomaly_goes_to_the_index_of_its_month() -> None:
    assert index_of(to_document("anomalies", trade_json(1))) == "anomalies-2024.12"


def correction_json(**changed: object) -> bytes:
    given: dict[str, Any] = {
        "timestamp": "2026-04-06T14:25:06.542305024Z",
        "correction_id": "alpaca-EEM-20260406-M-5201-c1",
        "trade_id": "alpaca-EEM-20260406-M-5201",
        "symbol": "EEM",
        "action": "cancel",
        "source": "alpaca",
    }
    return encode_correction(Correction(**given | changed))


def test_correction_goes_to_the_index_of_its_month_under_its_own_id() -> None:
    document = to_document("corrections", correction_json())
    assert target_of(document) == {
        "_index": "corrections-2026.04",
        "_id": "alpaca-EEM-20260406-M-5201-c1",
    }
    assert document[1] == correction_json()


def test_correction_of_no_known_trade_is_indexed_too() -> None:
    assert target_of(to_document("corrections", correction_json(trade_id=None)))["_index"]


def test_correction_without_an_id_is_rejected() -> None:
    with pytest.raises(RejectedRecordError, match="correction_id is not a text"):
        to_document("corrections", trade_json(1))


EVENT = encode_feed_event(
    FeedEvent("2026-11-29T10:03:12.000001Z", "coinbase", "gap_opened", "BTC-USD", 11, 19, 9, "no print came")
)


def test_event_of_a_feed_goes_to_the_index_of_its_month() -> None:
    document = to_document("feed-events", EVENT)
    assert index_of(document) == "feed-events-2026.11"
    assert document[1] == EVENT


def test_the_same_event_is_one_document_and_another_is_another() -> None:
    first, again = (target_of(to_document("feed-events", EVENT)) for _ in range(2))
    other = target_of(to_document("feed-events", EVENT.replace(b"000001Z", b"000002Z")))
    assert first == again
    assert len(first["_id"]) == 32
    assert other["_id"] != first["_id"]


def test_event_that_another_program_wrote_is_found_by_its_fields() -> None:
    value = orjson.dumps({"venue": "x", "event": "halt", "@timestamp": "2026-11-29T10:03:12Z"})
    assert index_of(to_document("feed-events", value)) == "feed-events-2026.11"


def test_alert_goes_to_the_index_of_its_month_and_every_revision_under_one_id() -> None:
    later = msgspec.structs.replace(
        ALERT, revision=2, state=AlertState.CLOSED, decided_at="2040-01-01T00:00:00Z"
    )
    targets = [target_of(to_document("alerts", encode(one))) for one in (ALERT, later)]
    assert targets == [{"_index": "alerts-2039.12", "_id": ALERT.alert_id}] * 2


def test_each_try_to_send_is_a_document_of_its_own() -> None:
    first, again = (target_of(to_document("alert-deliveries", encode(DELIVERY))) for _ in range(2))
    other = target_of(to_document("alert-deliveries", encode(msgspec.structs.replace(DELIVERY, attempt=3))))
    assert first == again
    assert first["_index"] == other["_index"] == "alert-deliveries-2039.12"
    assert first["_id"] != other["_id"]


def test_silences_are_in_one_index_whenever_they_were_made() -> None:
    later = msgspec.structs.replace(SILENCE, timestamp="2040-01-01T00:00:00Z")
    targets = [target_of(to_document("silences", encode(one))) for one in (SILENCE, later)]
    assert targets == [{"_index": "silences", "_id": "lunch"}] * 2


@pytest.mark.parametrize("topic", ["alerts", "silences"])
def test_alert_or_silence_without_an_id_is_rejected(topic: str) -> None:
    with pytest.raises(RejectedRecordError, match="_id is not a text"):
        to_document(topic, trade_json(1))


def test_other_order_of_fields_and_escapes_are_parsed() -> None:
    value = orjson.dumps({"trade_id": 'a"b', "@timestamp": "2024-12-02T14:30:00Z"})
    assert target_of(to_document("trades", value))["_id"] == 'a"b'


def test_line_ends_inside_a_document_do_not_cut_the_request() -> None:
    value = orjson.dumps(orjson.loads(trade_json(1)), option=orjson.OPT_INDENT_2)
    source = present(to_document("trades", value)[1])
    assert b"\n" not in source
    assert orjson.loads(source) == orjson.loads(value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\xff", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"{}", "trade_id is not a text"),
        (trade_json(trade_id=5), "trade_id is not a text"),
        (trade_json(trade_id=""), "trade_id is not a text"),
        (trade_json(trade_id="x" * 513), "trade_id is not a text of 1 to 512 bytes"),
        (trade_json(**{"@timestamp": 1733149800000}), "@timestamp is not an ISO 8601 time"),
        (trade_json(**{"@timestamp": "soon"}), "@timestamp is not an ISO 8601 time"),
        (trade_json(**{"@timestamp": "2024-13-02T14:30:00Z"}), "@timestamp is not an ISO 8601 time"),
        (trade_json(**{"@timestamp": "2024-12-32T14:30:00Z"}), "@timestamp is not an ISO 8601 time"),
        (trade_json(**{"@timestamp": "\u0662024-12-02T14:30:00Z"}), "@timestamp is not an ISO 8601 time"),
        (trade_json(1).replace(b"-11667-", b"-\xff-"), "not JSON"),
        (trade_json(1)[:-1] + rb',"\ud800":1}', "not JSON"),
        (trade_json(1)[:-1] + rb',"note":"\ud800"}', "not JSON"),
        (trade_json(1)[:-1] + b',"deep":\n' + b"[" * 300 + b"]" * 300 + b"}", "not JSON that can be written"),
        (trade_json(**{"@timestamp": "2024-02-31T14:30:00Z"}), "no calendar has the day 2024-02-31"),
        (trade_json(**{"@timestamp": "1969-12-31T14:30:00Z"}), "the day 1969-12-31 is not from 1970 to 2261"),
    ],
)
def test_message_without_id_or_day_is_rejected(value: bytes | None, error: str) -> None:
    with pytest.raises(RejectedRecordError, match=error):
        to_document("trades", value)


def test_retraction_is_about_the_same_target_as_its_anomaly() -> None:
    target, anomaly = to_document("anomalies", trade_json(1))
    headers: list[tuple[str, bytes | None]] = [
        ("timestamp", b"2024-12-02T14:30:01.000000007Z"),
        ("trade_id", b"2-11667-20241202-1"),
    ]
    retraction = to_retraction(headers)
    assert retraction == (target, None)
    deletion = b'{"delete":%s}\n' % orjson.dumps(target_of(retraction))
    assert bulk_body([retraction]) == deletion
    assert bulk_body([retraction, (target, anomaly)]) == deletion + target + b"\n" + present(anomaly) + b"\n"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        (None, "trade_id is not a text"),
        ([], "trade_id is not a text"),
        ([("trade_id", None), ("timestamp", b"2024-12-02T14:30:01Z")], "trade_id is not a text"),
        ([("trade_id", b"x" * 513), ("timestamp", b"2024-12-02T14:30:01Z")], "1 to 512 bytes"),
        ([("trade_id", b"\xff"), ("timestamp", b"2024-12-02T14:30:01Z")], "a header is not UTF-8"),
        ([("trade_id", b"1")], "the header timestamp is not an ISO 8601 time"),
        ([("trade_id", b"1"), ("timestamp", b"1733149800")], "the header timestamp is not an ISO 8601 time"),
    ],
)
def test_retraction_without_usable_headers_is_rejected(
    headers: list[tuple[str, bytes | None]] | None, error: str
) -> None:
    with pytest.raises(RejectedRecordError, match=error):
        to_retraction(headers)


@given(trade_id=st.text(min_size=1, max_size=40), note=st.text(max_size=20))
def test_any_id_survives_the_bulk_request(trade_id: str, note: str) -> None:
    try:
        value = trade_json(1, trade_id=trade_id, note=note)
    except TypeError:  # a lone surrogate has no UTF-8
        return
    lines = bulk_body([to_document("trades", value)] * 2).split(b"\n")
    assert len(lines) == 5
    assert lines[-1] == b""
    assert orjson.loads(lines[0])["index"]["_id"] == trade_id
    assert orjson.loads(lines[1]) == orjson.loads(value)
