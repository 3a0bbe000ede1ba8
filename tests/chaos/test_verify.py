import orjson
import pytest

from tests.chaos.verify import (
    EXAMPLES,
    Trade,
    check_dead_letters,
    check_logs,
    compare_anomalies,
    compare_documents,
    compare_trades,
)


def trade(number: int, symbol: str = "NVDA", **changes: object) -> Trade:
    fields = {"trade_id": f"t{number}", "symbol": symbol, "price": 1.5, "size": number} | changes
    return Trade(f"t{number}", symbol, orjson.dumps(fields))


def records(trades: list[Trade]) -> list[tuple[bytes, bytes]]:
    return [(one.symbol.encode(), one.value) for one in trades]


def kinds(violations: list) -> dict[str, int]:
    return {violation.kind: violation.count for violation in violations}


def anomaly(number: int, **changes: object) -> dict[str, object]:
    return {"trade_id": f"t{number}", "score": 0.1 + number, "detected_at": "then"} | changes


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
    (violation,) = compare_trades(DAY, [(b"NVDA", value), *records(DAY[1:])])
    assert violation.kind == "different"
    assert what in violation.examples[0]


def test_wrong_key_is_a_difference() -> None:
    assert kinds(compare_trades(DAY, [(b"AMD", DAY[0].value), *records(DAY[1:])])) == {"different": 1}


def test_swapped_trades_of_a_symbol_are_out_of_order() -> None:
    (violation,) = compare_trades(DAY, records([DAY[2], DAY[1], DAY[0], *DAY[3:]]))
    assert (violation.kind, violation.count) == ("out of order", 2)
    assert violation.examples == ("NVDA: t3 where t1 belongs", "NVDA: t1 where t3 belongs")


def test_lost_trade_does_not_count_as_disorder() -> None:
    assert kinds(compare_trades(DAY, records(DAY[1:]))) == {"lost": 1}


def test_anomalies_that_differ_in_their_time_of_detection_only_are_the_same() -> None:
    found = [orjson.dumps(anomaly(number, detected_at="now")) for number in (3, 1)]
    assert compare_anomalies(ANOMALIES, found) == []


def test_lost_doubled_unknown_and_changed_anomalies_are_told_apart() -> None:
    found = [anomaly(3, score=3.1000000000000005), anomaly(3), anomaly(9)]
    violations = compare_anomalies(ANOMALIES, map(orjson.dumps, found))
    assert kinds(violations) == {"lost": 1, "doubled": 1, "unknown": 1, "different": 1}
    assert violations[-1].examples == ("t3 (score: 3.1000000000000005 instead of 3.1)",)


def test_withdrawn_anomaly_is_told() -> None:
    assert kinds(compare_anomalies(ANOMALIES, [*map(orjson.dumps, ANOMALIES.values()), None])) == {
        "withdrawn": 1
    }


def test_documents_are_compared_by_id_and_field() -> None:
    same = list(ANOMALIES.items())
    assert compare_documents("index", ANOMALIES, same) == []
    assert kinds(compare_documents("index", ANOMALIES, same[1:])) == {"lost": 1}
    assert kinds(compare_documents("index", ANOMALIES, [*same, same[0]])) == {"doubled": 1}
    assert kinds(compare_documents("index", ANOMALIES, [same[0], ("t3", anomaly(3, score=0))])) == {
        "different": 1
    }
    assert kinds(compare_documents("index", ANOMALIES, [same[0], ("t3", anomaly(1))])) == {"different": 1}


def test_every_dead_letter_is_told_with_its_reason() -> None:
    (violation,) = check_dead_letters([({"service": "indexer", "error": "no day"}, b"x")])
    assert str(violation) == "topic dead-letters: unexpected: indexer: no day"
    assert check_dead_letters([]) == []


def test_late_trades_in_a_log_are_told() -> None:
    entries = [{"event": "assigned"}, {"event": "detected", "late_trades": 3}]
    (violation,) = check_logs({"detector-a-01.log": entries, "detector-b-01.log": [{"late_trades": 0}]})
    assert violation.examples == ("detector-a-01.log: 3 late trades",)


def test_violation_gives_some_examples_and_says_how_many_there_are() -> None:
    (violation,) = compare_trades([trade(number) for number in range(20)], [])
    assert len(violation.examples) == EXAMPLES
    assert str(violation).endswith("… (20 in all)")
