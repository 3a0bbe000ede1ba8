"""Dumps whose files name no symbol, and bars."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from services.common.errors import TapewatchError
from services.contracts.trade import decode_trade
from services.sources.files import open_source


def read(path: Path, *lines: str) -> list[dict[str, Any]]:
    path.write_text("".join(f"{line}\n" for line in lines))
    source = open_source(path)
    [chunk] = source.chunks()
    assert not chunk.rejected
    return [orjson.loads(value) for value in source.to_json(chunk.trades)]


@pytest.mark.parametrize(
    ("name", "lines", "trade_id", "side"),
    [
        (
            "BTCUSDT-trades-2024-01-02.csv",
            ["7,93000.1,0.5,9.3,1704211200123,True,True"],
            "binance-BTCUSDT-20240102-7",
            "A",
        ),
        (
            "BTCUSDT-trades-2026-01-02.csv",
            ["7,93000.1,0.5,9.3,1767369600123456,False,True"],
            "binance-BTCUSDT-20260102-7",
            "B",
        ),
        (
            "BTCUSDT-aggTrades-2026-01-02.csv",
            ["7,93000.1,0.5,70,71,1767369600123456,True,True"],
            "binance-agg-BTCUSDT-20260102-7",
            "A",
        ),
        (
            "BTCUSDT-trades-2026-01.csv",
            ["id,price,qty,quote_qty,time,is_buyer_maker", "7,93000.1,0.5,9.3,1767369600123,false"],
            "binance-futures-BTCUSDT-20260102-7",
            "B",
        ),
        (
            "BTCUSDT-aggTrades-2026-01.csv",
            [
                "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
                "7,93000.1,0.5,70,71,1767369600123,true",
            ],
            "binance-futures-agg-BTCUSDT-20260102-7",
            "A",
        ),
    ],
)
def test_binances_dumps_of_every_market_and_time(
    tmp_path: Path, name: str, lines: list[str], trade_id: str, side: str
) -> None:
    [trade] = read(tmp_path / name, *lines)
    assert (trade["trade_id"], trade["side"], trade["sequence"]) == (trade_id, side, 7)
    assert (trade["symbol"], trade["price"], trade["size"]) == ("BTCUSDT", 93000.1, 0.5)


def test_krakens_dump_has_prints_of_the_same_second_under_their_own_ids(tmp_path: Path) -> None:
    trades = read(tmp_path / "XBTUSD.csv", *["1767369600,93000.1,0.5"] * 3)
    assert [trade["trade_id"] for trade in trades] == [
        f"kraken-XBTUSD-1767369600000000000{ordinal}" for ordinal in ("", "-2", "-3")
    ]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("7,93000.1,0.5,9.3,1704211200123,True,True", "BTCUSDT-trades-2026-01-02.csv"),
        ("1767369600,93000.1,0.5", "XBTUSD.csv"),
    ],
)
def test_a_dump_under_another_name_is_rejected_with_the_name_it_needs(
    tmp_path: Path, line: str, hint: str
) -> None:
    path = tmp_path / "my download.csv"
    path.write_text(f"{line}\n")
    with pytest.raises(TapewatchError) as raised:
        open_source(path)
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    "header",
    ["symbol,timestamp,open,high,low,close,volume,anomaly", "Ticker,Date,Open,High,Low,Close,Volume,anomaly"],
)
def test_a_bar_is_one_print_at_its_end(tmp_path: Path, header: str) -> None:
    [bar] = read(tmp_path / "bars.csv", header, "AAPL,2026-01-02 14:31:00,187.1,187.4,187.05,187.31,51200,1")
    assert (bar["kind"], bar["price"], bar["size"]) == ("bar", 187.31, 51200)
    assert bar["extra"] == {"open": 187.1, "high": 187.4, "low": 187.05, "anomaly": "1"}
    assert decode_trade(orjson.dumps(bar)).kind == "bar"
