from decimal import Decimal
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.contracts.trade import decode_trade
from services.sources.databento.csv import DatabentoCsv
from services.sources.databento.schema import ENCODING
from services.sources.encode import Encoding, to_json
from services.sources.options import PriceForm
from tests.samples import integer_row, row, write_csv


def convert(path: Path, prices: PriceForm | None = None) -> list[bytes]:
    source = DatabentoCsv(path, prices)
    [chunk] = source.chunks()
    return source.to_json(chunk.trades)


def test_trade_has_the_contracts_fields(tmp_path: Path) -> None:
    [value] = convert(write_csv(tmp_path / "day.csv", [row(1)]))
    assert orjson.loads(value) == {
        "@timestamp": "2024-12-02T14:30:01.000000007Z",
        "trade_id": "2-11667-20241202-1001",
        "symbol": "NVDA",
        "price": 137.97,
        "size": 100,
        "side": "B",
        "source": "databento",
        "ts_recv": "2024-12-02T14:30:01.000200007Z",
        "publisher_id": 2,
        "instrument_id": 11667,
        "action": "T",
        "depth": 0,
        "flags": 130,
        "ts_in_delta": 169641,
        "sequence": 1001,
        "rtype": 0,
    }
    decode_trade(value)


def test_every_format_gives_the_same_bytes(tmp_path: Path) -> None:
    readable = convert(write_csv(tmp_path / "r.csv", [row(n, price="-0.050000000") for n in range(9)]))
    integers = convert(
        write_csv(tmp_path / "i.csv.zst", [integer_row(n, price="-50000000") for n in range(9)]), "fixed"
    )
    assert readable == integers


@settings(deadline=None)
@example(nanos=-(2**63))
@given(nanos=st.integers(-(2**63), 2**63 - 2))
def test_price_text_is_exact(nanos: int) -> None:
    trades = pl.DataFrame(
        {
            "line": [2],
            "ts_event": [0],
            "trade_id": ["x"],
            "publisher_id": [2],
            "instrument_id": [1],
            "sequence": [1],
            "symbol": ["A"],
            "price": [nanos],
            "size": [1],
            "side": ["N"],
        }
    )
    [value] = to_json(trades, ENCODING)
    text = value.split(b'"price":')[1].split(b",")[0].decode()
    whole, point, fraction = text.partition(".")
    assert point
    assert 1 <= len(fraction) <= 9
    assert int(whole + fraction.ljust(9, "0")) == nanos
    assert orjson.loads(value)["price"] == float(text)


def test_fields_are_left_out_where_they_are_null() -> None:
    trades = pl.DataFrame(
        {
            "ts_event": [0, 1],
            "trade_id": ["x-1", "x-2"],
            "symbol": ["A", "A"],
            "price": [1, 1],
            "size": [2, 2],
            "side": ["N", "N"],
            "conditions": [["odd_lot", "form_t"], None],
            "price_eligible": [None, False],
            "tape_time": [None, 5],
        },
        schema_overrides={"tape_time": pl.Int64},
    )
    encoding = Encoding("own", ("conditions", "price_eligible", "tape_time"), times=("tape_time",))
    first, second = to_json(trades, encoding)
    assert first.endswith(b'"source":"own","conditions":["odd_lot","form_t"]}')
    assert second.endswith(
        b'"source":"own","price_eligible":false,"tape_time":"1970-01-01T00:00:00.000000005Z"}'
    )
    assert decode_trade(first).price_eligible
    assert not decode_trade(second).price_eligible


@given(
    price=st.decimals(-(10**19), 10**19, places=18, allow_nan=False),
    size=st.decimals(0, 10**19, places=18, allow_nan=False),
)
def test_decimals_are_written_exactly_and_without_further_zeros(price: Decimal, size: Decimal) -> None:
    price_text, size_text = _written(price, size)
    fraction = price_text.partition(".")[2]
    assert Decimal(price_text) == price
    assert fraction == "0" or (fraction and not fraction.endswith("0"))
    assert Decimal(size_text) == size
    assert "." not in size_text if size == int(size) else not size_text.endswith("0")


@pytest.mark.parametrize(("size", "text"), [("100", "100"), ("0", "0"), ("0.25", "0.25"), ("10.50", "10.5")])
def test_whole_sizes_of_a_decimal_column_are_written_as_integers(size: str, text: str) -> None:
    assert _written(Decimal("0.5"), Decimal(size)) == ("0.5", text)


def _written(price: Decimal, size: Decimal) -> tuple[str, str]:
    """Write a trade whose price and size are decimal columns, and return the texts of the two."""
    kinds: dict[str, pl.DataType | type[pl.DataType]] = {
        "ts_event": pl.Int64,
        "price": pl.Decimal(38, 18),
        "size": pl.Decimal(38, 18),
    }
    fields = {"ts_event": 0, "trade_id": "x", "symbol": "A", "price": price, "size": size, "side": "N"}
    frame = pl.DataFrame({name: [value] for name, value in fields.items()}, schema_overrides=kinds)
    [value] = to_json(frame, Encoding("own"))
    price_text, _, rest = value.decode().partition('"price":')[2].partition(',"size":')
    return price_text, rest.partition(",")[0]


def test_a_sources_own_columns_go_into_extra_whatever_they_contain() -> None:
    trades = pl.DataFrame(
        {
            "ts_event": [1_733_149_800_000_000_007],
            "trade_id": ["x-1"],
            "symbol": ["A"],
            "price": [1],
            "size": [2],
            "side": ["N"],
            "sequence": [3],
            "venue": ['Q"\\'],
            "shown": [True],
            "conditions": [["odd_lot", "form_t"]],
            "yield": [None],
        },
        schema_overrides={"yield": pl.Float64},
    )
    [value] = to_json(trades, Encoding("own", extra=("venue", "shown", "conditions", "yield")))
    assert orjson.loads(value) == {
        "@timestamp": "2024-12-02T14:30:00.000000007Z",
        "trade_id": "x-1",
        "symbol": "A",
        "price": 1e-09,
        "size": 2,
        "side": "N",
        "source": "own",
        "sequence": 3,
        "extra": {"venue": 'Q"\\', "shown": True, "conditions": ["odd_lot", "form_t"], "yield": None},
    }
    decode_trade(value)
