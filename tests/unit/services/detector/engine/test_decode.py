import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.detector.engine.decode import decode_trades
from tests.samples import trade_json

RIGHT: list[bytes] = [
    trade_json(1),
    trade_json(2, price=0, size=0),
    trade_json(3, price=-37.63, size=0.25),
    trade_json(4, price=1e18, size=2**63 - 1),
    trade_json(5, price=1e-18, size=1e-18, reconciled=True),
    trade_json(6, symbol="Ä\n", trade_id="é", extra={"a": [1, {}]}),
    trade_json(7, tape_time="2024-02-29T00:00:00Z", sequence=0, ts_recv="not looked at"),
    trade_json(8, sequence=0, ts_recv="2024-02-29T00:00:00.1Z"),
    trade_json(9, ts_recv="not looked at"),
    b" " + trade_json(10) + b"\r\n",
]
WRONG: list[bytes | None] = [
    None,
    b"",
    b" ",
    b"{",
    b"[]",
    b"\xff",
    b"[" * 100_000,
    trade_json(1) + trade_json(2),
    trade_json(1) + b"\n" + trade_json(2),
    trade_json(price="5"),
    trade_json(price=1e19),
    trade_json(price=-1e308),
    trade_json(price=5e-324),
    trade_json(size=-1),
    trade_json(size=-0.25),
    trade_json(size=1e-19),
    trade_json(size=2**63),
    trade_json(side="S"),
    trade_json(trade_id=""),
    trade_json(symbol=""),
    trade_json(**{"@timestamp": "2024-02-30T10:00:00Z"}),
    trade_json(**{"@timestamp": "1969-12-31T23:59:59Z"}),
    trade_json(tape_time="yesterday"),
    trade_json(sequence=0, ts_recv="2262-01-01T00:00:00Z"),
    trade_json(1).replace(b'"side"', b'"\\ud800": 1, "side"'),
    trade_json(1).replace(b"NVDA", b"\\ud800"),
]


def one_by_one(values: list[bytes | None]) -> tuple[list[Trade], dict[int, str]]:
    trades, rejected = [], {}
    for at, value in enumerate(values):
        try:
            trades.append(decode_trade(value))
        except NotATradeError as error:
            rejected[at] = str(error)
    return trades, rejected


@given(st.lists(st.sampled_from(RIGHT)))
def test_right_messages_are_decoded_as_one_by_one(values: list[bytes | None]) -> None:
    assert decode_trades(values) == one_by_one(values)
    assert not decode_trades(values).rejected


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_message_is_rejected_with_its_reason_and_the_others_are_decoded(wrong: bytes | None) -> None:
    values = [RIGHT[0], wrong, RIGHT[1]]
    assert decode_trades(values) == one_by_one(values)
    assert list(decode_trades(values).rejected) == [1]


@given(st.lists(st.sampled_from([*RIGHT, *WRONG])))
def test_any_messages_are_decoded_as_one_by_one(values: list[bytes | None]) -> None:
    assert decode_trades(values) == one_by_one(values)


@given(st.binary() | st.recursive(st.none() | st.booleans() | st.floats(), st.lists).map(msgspec.json.encode))
def test_anything_is_decoded_as_by_itself(value: bytes) -> None:
    assert decode_trades([value]) == one_by_one([value])
