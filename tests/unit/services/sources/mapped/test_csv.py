from pathlib import Path
from typing import Any

import orjson
import pytest

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.files import open_source
from services.sources.mapped.mapping import read_mapping
from services.sources.options import FileOptions


def read(path: Path, spec: str | None) -> tuple[list[dict[str, Any]], list[RejectedRow]]:
    source = open_source(path, FileOptions(None if spec is None else read_mapping(spec)))
    trades: list[dict[str, Any]] = []
    rejected: list[RejectedRow] = []
    for chunk in source.chunks():
        trades += map(orjson.loads, source.to_json(chunk.trades))
        rejected += chunk.rejected
    return trades, rejected


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_columns_are_found_by_the_names_that_the_mapping_gives(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", "n,ts,ticker,px,qty", "1,1767369600123,ACME,99.99,1", "2,1767369600124,B,1e2,5"
    )
    trades, rejected = read(path, "time=ts,symbol=ticker,price=px,size=qty,side=-")
    assert not rejected
    assert trades == [
        {
            "@timestamp": "2026-01-02T16:00:00.123000000Z",
            "trade_id": "mapped-ACME-1767369600123000000",
            "symbol": "ACME",
            "price": 99.99,
            "size": 1,
            "side": "N",
            "source": "mapped",
        },
        {
            "@timestamp": "2026-01-02T16:00:00.124000000Z",
            "trade_id": "mapped-B-1767369600124000000",
            "symbol": "B",
            "price": 100.0,
            "size": 5,
            "side": "N",
            "source": "mapped",
        },
    ]


def test_semicolons_quotes_decimal_commas_zones_and_side_words_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "when;name;px;qty;how",
        "02.01.2026 16:00:00,5;ACME;99,99;1;Buy",
        '02.01.2026 16:00:00,5;"AC;ME";99,98;1,5;SELL',
        "02.01.2026 16:00:00,5;ACME;99,99;1;",
    )
    spec = "time=when,symbol=name,price=px,size=qty,side=how,decimal=comma,zone=Europe/Berlin"
    trades, rejected = read(path, spec)
    assert not rejected
    assert [trade["@timestamp"] for trade in trades] == ["2026-01-02T15:00:00.500000000Z"] * 3
    assert [(trade["symbol"], trade["price"], trade["size"], trade["side"]) for trade in trades] == [
        ("ACME", 99.99, 1, "B"),
        ("AC;ME", 99.98, 1.5, "A"),
        ("ACME", 99.99, 1, "N"),
    ]
    assert [trade["trade_id"] for trade in trades] == [
        "mapped-ACME-1767366000500000000",
        "mapped-AC;ME-1767366000500000000",
        "mapped-ACME-1767366000500000000-2",
    ]


def test_each_bad_row_keeps_its_line_its_bytes_and_the_reason(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "ts,sym,px,qty,how",
        "2026-01-02T16:00:00Z,A,abc,1,B",
        "2026-01-02T16:00:00Z,A,1,1,what",
        "soon,A,1,1,B",
        "2026-01-02T16:00:00Z,A,,1,B",
        "2026-01-02T16:00:00Z,A,1,-1,B",
        "2026-01-02T16:00:00Z,A,1",
        '2026-01-02T16:00:00Z,A,1,1,"B',
        "2026-01-02T16:00:00Z,A,1,1,B",
    )
    trades, rejected = read(path, "time=ts,symbol=sym,price=px,size=qty,side=how")
    assert len(trades) == 1
    assert [(row.line, row.reason) for row in rejected] == [
        (2, "price (px) is not a number: 'abc'"),
        (3, "side (how) has no meaning: 'what' (buy and sell say which texts mean what)"),
        (4, "time (ts) is not a time that can be read: 'soon' (unit, zone and order say how it is written)"),
        (5, "price (px) is empty"),
        (6, "size (qty) is negative: '-1'"),
        (7, "3 columns where there should be 5"),
        (8, "a quote is not closed"),
    ]
    assert rejected[0].raw == b"2026-01-02T16:00:00Z,A,abc,1,B"


def test_ids_sequences_venues_and_extra_columns_are_taken_over(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "ts,px,qty,no,mic,note",
        "1767369600,1.5,1,77,XPAR,a b",
        "1767369600,1.5,1,78,XPAR,",
    )
    spec = 'time=ts,symbol="BTC-USD",price=px,size=qty,id=no,sequence=no,venue=mic,extra=note,source=broker'
    trades, rejected = read(path, spec)
    assert not rejected
    assert [trade["trade_id"] for trade in trades] == [
        "broker-XPAR-BTC-USD-20260102-77",
        "broker-XPAR-BTC-USD-20260102-78",
    ]
    assert [(trade["sequence"], trade["venue"]) for trade in trades] == [(77, "XPAR"), (78, "XPAR")]
    assert trades[0]["extra"] == {"note": "a b"}


def test_an_id_that_stands_at_different_trades_stops_the_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ts,px,qty,no", "1767369600,1.5,1,77", "1767369600,1.5,1,77")
    spec = 'time=ts,symbol="A",price=px,size=qty,id=no'
    assert len(read(path, spec)[0]) == 2  # the same trade, read twice
    path = write(tmp_path / "a.csv", "ts,px,qty,no", "1767369600,1.5,1,77", "1767369601,1.5,1,77")
    with pytest.raises(TapewatchError, match="The column 'no' is no id: mapped-A-20260102-77"):
        read(path, spec)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_line_ends_comments_and_repeated_headers_are_no_obstacle(
    tmp_path: Path, encoding: str, line_end: str
) -> None:
    rows = ["# exported", "ts\tsym\tpx\tqty\tnote", "1767369600\tA\t1,5\t1\t", ""]
    rows += ["ts\tsym\tpx\tqty\tnote", "1767369601\tÄ\t1,25\t1\t"]
    path = tmp_path / "a.csv"
    path.write_bytes(line_end.join([*rows, ""]).encode(encoding))
    trades, rejected = read(path, "time=ts,symbol=sym,price=px,size=qty")
    assert not rejected
    assert [(trade["symbol"], trade["price"]) for trade in trades] == [("A", 1.5), ("Ä", 1.25)]


def test_prices_may_be_whole_numbers_of_a_billionth(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ts,sym,px,qty", "1767369600,A,137970000000,1")
    [trade], _ = read(path, "time=ts,symbol=sym,price=px,size=qty,prices=fixed")
    assert trade["price"] == 137.97


def test_a_file_without_a_header_is_read_by_positions(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "20260102|160000.250|ACME|99.5|10", "20260102|160001.250|ACME|99.6|10")
    trades, rejected = read(path, "time=#1+#2,symbol=#3,price=#4,size=#5")
    assert not rejected
    assert [(trade["@timestamp"], trade["price"]) for trade in trades] == [
        ("2026-01-02T16:00:00.250000000Z", 99.5),
        ("2026-01-02T16:00:01.250000000Z", 99.6),
    ]


def test_a_constant_completes_a_date(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "day,sym,px,qty", "2026-01-02,A,1,1")
    spec = "time=day+'15:30:00',symbol=sym,price=px,size=qty,zone=Asia/Kolkata"
    [trade], _ = read(path, spec)
    assert trade["@timestamp"] == "2026-01-02T10:00:00.000000000Z"


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1767369600", "000000000"),
        ("1767369600123", "123000000"),
        ("1767369600123456", "123456000"),
        ("1767369600123456789", "123456789"),
        ("1767369600.5", "500000000"),
    ],
)
def test_the_unit_of_a_counted_time_follows_from_its_length(tmp_path: Path, text: str, nanos: str) -> None:
    path = write(tmp_path / "a.csv", "ts,sym,px,qty", f"{text},A,1,1")
    [trade], _ = read(path, "time=ts,symbol=sym,price=px,size=qty")
    assert trade["@timestamp"] == f"2026-01-02T16:00:00.{nanos}Z"


def test_a_last_line_without_line_end_is_kept_unless_a_needed_number_ends_it(tmp_path: Path) -> None:
    spec = "time=ts,symbol=sym,price=px,size=qty"
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    whole.write_text("ts,sym,px,qty,note\n1767369600,A,1,100,x\n1767369601,A,1,100,x")
    cut.write_text("ts,sym,px,qty\n1767369600,A,1,100\n1767369601,A,1,1")
    assert len(read(whole, spec)[0]) == 2
    trades, rejected = read(cut, spec)
    assert len(trades) == 1
    assert [row.line for row in rejected] == [3]


def test_a_column_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ts,sym,px,qty", "1767369600,A,1,1")
    with pytest.raises(TapewatchError, match="has no column 'ticker', which the mapping names") as raised:
        read(path, "time=ts,symbol=ticker,price=px,size=qty")
    assert raised.value.hint == "Its columns are ts, sym, px, qty."
