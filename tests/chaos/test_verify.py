from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.chaos.verify import (
    EXAMPLES,
    Document,
    Record,
    Trade,
    Violation,
    anomalies_index,
    check_dead_letters,
    check_logs,
    compare_anomalies,
    compare_documents,
    compare_places,
    compare_trades,
    trades_index,
)


def trade(number: int, symbol: str = "NVDA", **changes: object) -> Trade:
    fields = {"trade_id": f"t{number}", "symbol": symbol, "price": 1.5, "size": number} | changes
    return Trade(f"t{number}", symbol, orjson.dumps(fields))


def records(trades: list[Trade]) -> list[Record]:
    return [Record(2, offset, one.symbol.encode(), one.value) for offset, one in enumerate(trades)]


def anomaly_records(*anomalies: dict[str, Any]) -> list[Record]:
    """Return records as the detector writes them: where `records(DAY)` has their trades."""
    of_day = {trade.trade_id: record for trade, record in zip(DAY, records(DAY), strict=True)}
    found: list[Record] = []
    for fields in anomalies:
        own = of_day.get(fields["trade_id"], of_day["t1"])
        found.append(Record(2, len(found), own.key, orjson.dumps(fields), str(own.offset).encode()))
    return found


def documents(anomalies: list[dict[str, Any]], index: str = "anomalies-2024.12") -> list[Document]:
    return [Document(index, fields["trade_id"], fields) for fields in anomalies]


def kinds(violations: list[Violation]) -> dict[str, int]:
    return {violation.kind: violation.count for violation in violations}


def anomaly(number: int, **changes: object) -> dict[str, Any]:
    fields = {"@timestamp": "2024-12-02T14:30:00Z", "trade_id": f"t{number}", "symbol": "NVDA"}
    return fields | {"score": 0.1 + number, "detected_at": "then"} | changes


DAY = [trade(1), trade(2, "AMD"), trade(3), trade(4, "AMD"), trade(5)]
ANOMALIES = {f"t{number}": anomaly(number) for number in (1, 3)}


def test_topic_with_the_files_trades_has_no_violation_in_whatever_order_the_symbols_mix() -> None:
    by_symbol = sorted(DAY, key=lambda one: one.symbol)
    assert compare_trades(DAY, records(by_symbol)) == []


def test_lost_trade_is_named() -> None:
    (violation,) = compare_trades(DAY, records([*DAY[:2], *DAY[3:]]))
    assert (violation.where, violation.kind, violation.count) == ("topic trades", "lost", 1)
    assert violation.examples == ("t3",)


def test_doubled_trade_is_named_with_its_count() -> None:
    (violation,) = compare_trades(DAY, records([*DAY, DAY[1], DAY[1]]))
    assert (violation.kind, violation.count, violation.examples) == ("doubled", 1, ("t2 3 times",))


def test_unknown_trade_is_named() -> None:
    assert kinds(compare_trades(DAY, records([*DAY, trade(6)]))) == {"unknown": 1}


def test_changed_field_is_named_with_both_values() -> None:
    (violation,) = compare_trades(DAY, records([trade(1, price=1.25), *DAY[1:]]))
    assert (violation.kind, violation.examples) == ("different", ("t1 (price: 1.25 instead of 1.5)",))


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (b'{"symbol":"NVDA","trade_id":"t1","price":1.5,"size":1}', "the order of its fields"),
        (b'{"trade_id": "t1","symbol":"NVDA","price":1.5,"size":1}', "other bytes"),
        (b'{"trade_id":"t1","symbol":"NVDA","price":1.5,"size":1,"x":null}', "x: null instead of nothing"),
    ],
)
def test_same_values_in_other_bytes_differ(value: bytes, what: str) -> None:
    (violation,) = compare_trades(DAY, [Record(2, 0, b"NVDA", value), *records(DAY[1:])])
    assert violation.kind == "different"
    assert what in violation.examples[0]


def test_wrong_key_is_a_difference() -> None:
    wrong = Record(2, 0, b"AMD", DAY[0].value)
    assert kinds(compare_trades(DAY, [wrong, *records(DAY[1:])])) == {"different": 1}


def test_swapped_trades_of_a_symbol_are_out_of_order() -> None:
    (violation,) = compare_trades(DAY, records([DAY[2], DAY[1], DAY[0], *DAY[3:]]))
    assert (violation.kind, violation.count) == ("out of order", 2)
    assert violation.examples == ("NVDA: t3 where t1 belongs", "NVDA: t1 where t3 belongs")


def test_lost_trade_does_not_count_as_disorder() -> None:
    assert kinds(compare_trades(DAY, records(DAY[1:]))) == {"lost": 1}


def test_anomalies_that_differ_in_their_time_of_detection_only_are_the_same() -> None:
    found = anomaly_records(*(anomaly(number, detected_at="now") for number in (3, 1)))
    assert compare_anomalies(ANOMALIES, found) == []


def test_lost_duplicate_unknown_and_changed_anomalies_are_distinguished() -> None:
    found = [anomaly(3, score=3.1000000000000005), anomaly(3), anomaly(9)]
    violations = compare_anomalies(ANOMALIES, anomaly_records(*found))
    assert kinds(violations) == {"lost": 1, "doubled": 1, "unknown": 1, "different": 1}
    assert violations[-1].examples == ("t3 (score: 3.1000000000000005 instead of 3.1)",)


def test_revisions_of_an_anomaly_come_in_order_without_a_gap_and_the_last_one_counts() -> None:
    grown = {"t3": anomaly(3, revision=3, score=0.9)}
    revisions = [anomaly(3, revision=number, score=number * 0.3) for number in (1, 2)]
    assert compare_anomalies(grown, anomaly_records(*revisions, grown["t3"])) == []
    missing = compare_anomalies(grown, anomaly_records(revisions[0], grown["t3"]))
    assert kinds(missing) == {"revisions missing": 1}
    swapped = compare_anomalies(grown, anomaly_records(revisions[1], revisions[0], grown["t3"]))
    assert kinds(swapped) == {"revisions missing": 1}
    twice = compare_anomalies(grown, anomaly_records(*revisions, revisions[1], grown["t3"]))
    assert kinds(twice) == {"doubled": 1}
    not_last = compare_anomalies(grown, anomaly_records(*revisions))
    assert kinds(not_last) == {"different": 1}


def test_withdrawn_anomaly_is_reported() -> None:
    found = [*anomaly_records(*ANOMALIES.values()), Record(2, 2, b"NVDA", None)]
    assert kinds(compare_anomalies(ANOMALIES, found)) == {"withdrawn": 1}
    assert compare_places(records(DAY), found) == []


def test_anomaly_is_in_the_partition_of_its_trade() -> None:
    assert compare_places(records(DAY), anomaly_records(*ANOMALIES.values())) == []


@pytest.mark.parametrize(
    ("changes", "kind", "example"),
    [
        ({"key": b"AMD"}, "wrong key", "t3: key b'AMD' instead of b'NVDA'"),
        ({"key": None}, "wrong key", "t3: key None instead of b'NVDA'"),
        ({"partition": 4}, "wrong partition", "t3: partition 4 instead of 2"),
        ({"trade_offset": b"3"}, "wrong trade_offset", "t3: b'3' instead of b'2'"),
        ({"trade_offset": None}, "wrong trade_offset", "t3: None instead of b'2'"),
    ],
)
def test_anomaly_with_another_place_than_its_trade_is_named(
    changes: dict[str, Any], kind: str, example: str
) -> None:
    right, wrong = anomaly_records(*ANOMALIES.values())
    (violation,) = compare_places(records(DAY), [right, replace(wrong, **changes)])
    assert (violation.where, violation.kind, violation.count) == ("topic anomalies", kind, 1)
    assert violation.examples == (example,)


def test_documents_are_compared_by_id_and_field() -> None:
    def violations(*found: dict[str, Any]) -> dict[str, int]:
        return kinds(compare_documents("index", ANOMALIES, documents(list(found)), anomalies_index))

    first, second = ANOMALIES.values()
    assert violations(first, second) == {}
    assert violations(second) == {"lost": 1}
    assert violations(first, second, first) == {"doubled": 1}
    assert violations(first, second | {"score": 0}) == {"different": 1}


def test_document_under_the_id_of_another_differs() -> None:
    found = [*documents([anomaly(1)]), Document("anomalies-2024.12", "t3", anomaly(1))]
    assert kinds(compare_documents("index", ANOMALIES, found, anomalies_index)) == {"different": 1}


def test_document_in_the_index_of_another_month_or_day_is_named() -> None:
    found = documents(list(ANOMALIES.values()), "anomalies-2024.11")
    (violation,) = compare_documents("index", ANOMALIES, found, anomalies_index)
    assert (violation.kind, violation.count) == ("wrong index", 2)
    assert violation.examples[0] == "t1: in anomalies-2024.11 instead of anomalies-2024.12"
    found = documents([anomaly(1)], "trades-2024.12.02") + documents([anomaly(3)], "trades-2024.12.03")
    (violation,) = compare_documents("index", ANOMALIES, found, trades_index)
    assert violation.examples == ("t3: in trades-2024.12.03 instead of trades-2024.12.02",)


def test_every_dead_letter_is_reported_with_its_reason() -> None:
    (violation,) = check_dead_letters([({"service": "indexer", "error": "no day"}, b"x")])
    assert str(violation) == "topic dead-letters: unexpected: indexer: no day"
    assert check_dead_letters([]) == []


def test_more_late_trades_in_the_logs_than_in_the_file_are_reported() -> None:
    entries: list[dict[str, Any]] = [{"event": "assigned"}, {"event": "detected", "late_trades": 3}]
    logs: dict[str, list[dict[str, Any]]] = {
        "detector-a-01.log": entries,
        "detector-b-01.log": [{"late_trades": 0}],
    }
    assert check_logs(logs, 3) == []
    (violation,) = check_logs(logs, 2)
    assert (violation.kind, violation.examples) == ("more late trades than 2", ("detector-a-01.log: 3",))


def test_violation_gives_examples_and_their_number() -> None:
    (violation,) = compare_trades([trade(number) for number in range(20)], [])
    assert len(violation.examples) == EXAMPLES
    assert str(violation).endswith("… (20 in all)")
