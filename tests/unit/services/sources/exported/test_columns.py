import math
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sources.exported.columns import SCHEMA, to_columns, to_messages
from tests.samples import trade_json

FULL = (
    b'{"@timestamp":"2026-03-02T14:30:00.000000007Z","trade_id":"a-1","symbol":"S","price":137.97,"size":0.5,'
    b'"side":"B","source":"massive","ts_recv":"2026-03-02T14:30:00.000200007Z","publisher_id":2,'
    b'"instrument_id":11667,"action":"T","depth":0,"flags":130,"ts_in_delta":-169641,"sequence":1001,"rtype":0,'
    b'"venue":"XNAS","tape":"C","conditions":["odd_lot","form_t"],"conditions_raw":["I","T"],'
    b'"price_eligible":true,"anchor_eligible":false,"volume_eligible":true,'
    b'"tape_time":"2026-03-02T14:30:00.000000008Z","kind":"bar","extra":{"open":1.50,"a b":["\\"x\\""]},'
    b'"reconciled":true}'
)
ODD = [
    FULL.replace(b"137.97", b"137.970"),
    FULL.replace(b"137.97", b"1e-7"),
    FULL.replace(b"137.97", b"-0.0"),
    FULL.replace(b"0.5", b"0.1234567890123456789012345"),
    FULL.replace(b"0.5", b"9007199254740993"),
    FULL.replace(b'"symbol":"S"', b'"symbol":"S\\"\\u00e9\\\\"'),
    FULL.replace(b".000000007Z", b"Z"),
    FULL.replace(b'"side":"B"', b'"side": "B"'),
    FULL.replace(b'"conditions":["odd_lot","form_t"]', b'"conditions":[]'),
    FULL.replace(b"11667", b"99999999999999999999"),
    FULL.replace(b'"publisher_id":2', b'"publisher_id":"nasdaq"'),
    FULL.replace(b'"a-1"', '"ä-1"'.encode()),
]


def test_every_field_has_its_column_and_needs_no_message() -> None:
    trades, rejected = to_columns([FULL], 1)
    [row] = trades.rows(named=True)
    assert not rejected
    assert row.pop("message") is None
    assert None not in row.values()
    assert (row["price"], row["size"]) == (Decimal("137.97"), Decimal("0.5"))
    assert row["extra"] == '{"open":1.50,"a b":["\\"x\\""]}'
    assert dict(trades.schema) == SCHEMA
    assert to_messages(trades) == [FULL]


def test_a_message_comes_back_to_the_byte_however_it_is_written() -> None:
    documents = ODD
    trades, rejected = to_columns([FULL, *documents], 1)
    assert not rejected
    assert to_messages(trades) == [FULL, *documents]


def test_numbers_in_columns_are_exact_to_18_decimals() -> None:
    prices = ["0.1", "1e-7", "-0.000000000000000001", "1e18", "123456789012345678.25", "5"]
    documents = [FULL.replace(b"137.97", price.encode()) for price in prices]
    trades, _ = to_columns(documents, 1)
    assert trades["price"].to_list() == [Decimal(price) for price in prices]


@given(st.floats(1e-12, 1e12), st.floats(0, 1e12).filter(lambda size: size == 0 or size >= 1e-18))
def test_any_price_and_size_come_back_to_the_byte(price: float, size: float) -> None:
    document = trade_json(1, price=price, size=size)
    trades, _ = to_columns([document], 1)
    assert to_messages(trades) == [document]
    assert math.isclose(float(trades["price"][0]), price, abs_tol=1e-18)


def test_what_is_no_trade_is_rejected_with_its_reason_and_does_not_stop_the_others() -> None:
    bad = trade_json(2, side="X")
    trades, [row] = to_columns([trade_json(1), bad, trade_json(3)], 8)
    assert (row.line, row.raw) == (9, bad)
    assert "side" in row.reason
    assert [orjson.loads(one)["trade_id"][-2:] for one in to_messages(trades)] == ["-1", "-3"]


@pytest.mark.parametrize("documents", [[], [b"{}"]])
def test_a_page_without_trades_has_the_same_columns(documents: list[bytes]) -> None:
    assert dict(to_columns(documents, 1)[0].schema) == SCHEMA
