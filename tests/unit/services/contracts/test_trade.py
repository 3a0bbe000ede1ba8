import pytest

from services.contracts.trade import NotATradeError, decode_trade, mean_size_text, size_text
from tests.samples import trade_json


def test_trade_is_decoded() -> None:
    trade = decode_trade(trade_json(3, price=5, extra={"a": 1}))
    assert (trade.price, trade.size, trade.sequence) == (5.0, 100, 3)


@pytest.mark.parametrize("price", [0, -37.63, 1e-18, 1e18])
def test_a_price_may_be_nothing_negative_tiny_or_huge(price: float) -> None:
    assert decode_trade(trade_json(price=price)).price == price


@pytest.mark.parametrize("size", [0, 100, 2**63 - 1, 0.25, 1e-18, 1.5e9])
def test_a_size_may_be_whole_or_have_decimals(size: float) -> None:
    found = decode_trade(trade_json(size=size)).size
    assert (found, type(found)) == (size, type(size))


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (50_000, "50,000"),
        (50_000.0, "50,000"),
        (0.25, "0.25"),
        (1e-9, "0.000000001"),
        (1_234.5678, "1,234.5678"),
    ],
)
def test_a_size_is_written_with_all_its_digits(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("mean", "text"), [(0.0, "0"), (1.4, "1"), (1_234.5, "1,234"), (0.0045678, "0.00457")]
)
def test_a_mean_size_has_no_more_digits_than_matter(mean: float, text: str) -> None:
    assert mean_size_text(mean) == text


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\xff\x00", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a trade: Expected `object`"),
        (b"{}", "missing required field"),
        (trade_json(price="5"), "Expected `float`, got `str` - at `$.price`"),
        (trade_json(price=None), "Expected `float`, got `null`"),
        (trade_json(price=1e19), "the price is out of all bounds (1e+19)"),
        (trade_json(price=-1e308), "the price is out of all bounds"),
        (trade_json(price=5e-324), "the price is out of all bounds (5e-324)"),
        (trade_json(size="1"), "Expected `int | float`, got `str` - at `$.size`"),
        (trade_json(size=-1), "size is negative"),
        (trade_json(publisher_id=2**63), "at `$.publisher_id`"),
        (trade_json(size=-0.25), "size is negative"),
        (trade_json(size=1e-19), "the size is out of all bounds (1e-19)"),
        (trade_json(size=1e19), "Expected `float` <= 9.223372036854776e+18 - at `$.size`"),
        (trade_json(size=2**63), "Expected `int` <= 9223372036854775807 - at `$.size`"),
        (trade_json(side="S"), "Invalid enum value"),
        (trade_json(trade_id=""), "trade_id or symbol is empty"),
        (trade_json(**{"@timestamp": "2024-12-02"}), "not an ISO 8601 UTC time"),
        (trade_json(**{"@timestamp": "2024-12-02T25:00:00Z"}), "not an ISO 8601 UTC time"),
        (trade_json(**{"@timestamp": "2024-12-02T14:00:00+01:00"}), "not an ISO 8601 UTC time"),
        (trade_json(**{"@timestamp": "2024-12-02T14:00:0\u0663Z"}), "not an ISO 8601 UTC time"),
    ],
)
def test_a_message_that_is_not_a_trade_has_a_reason(value: bytes | None, error: str) -> None:
    with pytest.raises(NotATradeError) as caught:
        decode_trade(value)
    assert error in str(caught.value)
