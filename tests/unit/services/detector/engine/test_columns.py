import orjson
import pytest

from services.contracts.trade import decode_trade
from services.detector.engine.columns import to_columns
from services.detector.engine.sessions import Sessions

BAR = {
    "@timestamp": "2026-03-02T15:00:00Z",
    "trade_id": "A-1",
    "symbol": "A",
    "price": 10.0,
    "size": 5,
    "side": "N",
    "kind": "bar",
}


def bar(**fields: object) -> bytes:
    return orjson.dumps(BAR | fields)


def test_the_range_of_a_bar_reaches_the_detectors() -> None:
    values = [
        bar(trade_id="A-1", extra={"open": 9.5, "high": 11, "low": 9.25}),
        bar(trade_id="A-2"),
        bar(trade_id="A-3", kind="trade", extra={"high": 11.0, "low": 9.0}),
    ]
    columns = to_columns([decode_trade(value) for value in values], "America/New_York")
    [piece] = Sessions(endless=False).pieces(columns)
    assert piece.batch.high == pytest.approx([11.0, float("nan"), float("nan")], nan_ok=True)
    assert piece.batch.low == pytest.approx([9.25, float("nan"), float("nan")], nan_ok=True)
    assert piece.batch[:1].high.tolist() == [11.0]


@pytest.mark.parametrize(
    "extra",
    [b"null", b'"x"', b"[1]", b"{}", b'{"high":"x","low":null}', b'{"high":1e999,"low":-%s}' % (b"9" * 400)],
)
def test_a_bar_whose_source_says_something_else_has_no_range(extra: bytes) -> None:
    value = bar().removesuffix(b"}") + b',"extra":' + extra + b"}"
    columns = to_columns([decode_trade(value)], "UTC")
    assert columns.high == pytest.approx([float("nan")], nan_ok=True)
    assert columns.low == pytest.approx([float("nan")], nan_ok=True)
