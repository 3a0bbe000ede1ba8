"""The same tape in every way of writing that is supported: the same trades, and the same print found."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.databento import trade_ids
from services.sources.databento.csv import DatabentoCsv
from services.sources.files import open_sources
from services.sources.options import FileOptions, PriceForm
from services.sources.values import NUMBER
from tests.cases.backtest import run
from tests.cases.tape import CASES, COUNT, OFF_MARKET, like_float, short, tape, text

COLUMNS = ("line", "ts_event", "ts_recv", "symbol", "price", "size", "side", "sequence", "trade_id")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, prices: PriceForm | None = None) -> tuple[pl.DataFrame, list[RejectedRow]]:
    [source] = open_sources([str(path)], FileOptions(prices=prices))
    chunks = list(source.chunks())
    rejected = [row for chunk in chunks for row in chunk.rejected]
    return pl.concat([chunk.trades for chunk in chunks]).select(COLUMNS), rejected


@pytest.mark.parametrize("name", CASES)
def test_every_way_to_write_the_tape_gives_the_same_trades(tmp_path: Path, name: str) -> None:
    plain, _ = read(write(tmp_path / "plain.csv", CASES["plain"]))
    trades, rejected = read(write(tmp_path / "other.csv", CASES[name]))
    assert rejected == []
    assert_frame_equal(trades.drop("line"), plain.drop("line"))


@pytest.mark.parametrize("name", ["plain", "pandas", "german spreadsheet", "UTF-16", "carriage returns"])
def test_backtest_finds_the_print(tmp_path: Path, name: str) -> None:
    result = run([write(tmp_path / "tape.csv", CASES[name])], tmp_path)
    assert (result.trades, result.rejected) == (COUNT, 0)
    assert [anomaly["price"] for anomaly in result.anomalies] == [OFF_MARKET]


@pytest.mark.parametrize("sequence", ["0", "", "NaN"])
@pytest.mark.parametrize("ties", [1, 3])
def test_trades_without_sequences_have_ids_of_their_own(tmp_path: Path, sequence: str, ties: int) -> None:
    rows = tape()
    for at, row in enumerate(rows):
        row |= {"ts_event": rows[at - at % ties]["ts_event"], "sequence": sequence}
    trades, rejected = read(write(tmp_path / "tape.csv", text(rows)))
    assert rejected == []
    assert trades["trade_id"].n_unique() == COUNT


def test_file_without_a_column_for_sequences_is_read(tmp_path: Path) -> None:
    rows = [{name: cell for name, cell in row.items() if name != "sequence"} for row in tape()]
    trades, _ = read(write(tmp_path / "tape.csv", text(rows, names=list(rows[0]))))
    assert trades["trade_id"].n_unique() == COUNT
    assert set(trades["sequence"]) == {0}


@pytest.mark.parametrize("publisher", trade_ids.NUMBERS_PACKETS_IDS[:3])
def test_prints_of_one_packet_have_ids_of_their_own(tmp_path: Path, publisher: int) -> None:
    path = write(
        tmp_path / "tape.csv", text(publisher_id=lambda _: str(publisher), sequence=lambda text: text[:2])
    )
    trades, _ = read(path)
    assert trades["trade_id"].n_unique() == COUNT


@pytest.mark.parametrize("form", [str, like_float, "{}E0".format])
def test_sizes_with_decimals_are_read_exactly(tmp_path: Path, form: type[str]) -> None:
    path = write(tmp_path / "tape.csv", text(size=lambda size: form(f"0.0{size}")))
    trades, rejected = read(path)
    assert rejected == []
    assert trades.schema["size"] == NUMBER
    assert [str(size.normalize()) for size in trades["size"][:3]] == ["0.01", "0.01", "0.04"]


def test_price_finer_than_a_billionth_is_read_exactly(tmp_path: Path) -> None:
    trades, rejected = read(write(tmp_path / "tape.csv", text(price=lambda price: f"{price}0001")))
    assert rejected == []
    assert trades.schema["price"] == NUMBER
    assert str(trades["price"][0].normalize()) == "99.9800000000001"


@pytest.mark.parametrize("times", [60, 500, 7])
def test_whole_prices_are_read_as_they_are(tmp_path: Path, times: int) -> None:
    def whole(price: str) -> str:
        return str(round(float(price)) * times)

    trades, rejected = read(write(tmp_path / "tape.csv", text(price=whole)))
    assert rejected == []
    assert trades["price"][0] == 100 * times * 10**9


def test_one_point_far_below_proves_prices_readable(tmp_path: Path) -> None:
    rows = tape()
    lines = text(rows * 5, price=lambda price: str(round(float(price)) * 2000)).splitlines()
    lines[-1] = lines[-1].replace(",200000,", ",200000.5,")
    trades, rejected = read(write(tmp_path / "tape.csv", "\n".join([*lines, ""])))
    assert rejected == []
    assert trades["price"][0] == 200_000 * 10**9
    assert trades["price"][-1] == 200_000_500_000_000


def test_prices_that_may_be_either_need_the_flag(tmp_path: Path) -> None:
    path = write(tmp_path / "tape.csv", text(price=lambda price: str(round(float(price)) * 20_000)))
    with pytest.raises(TapewatchError, match=r"whole numbers that may be prices, or units of 1e-9") as caught:
        read(path)
    assert "--prices decimal or --prices fixed" in caught.value.hint
    assert read(path, "decimal")[0]["price"][0] == 2_000_000 * 10**9
    assert read(path, "fixed")[0]["price"][0] == 2_000_000


def test_whole_number_of_billionths_among_readable_prices_is_rejected(tmp_path: Path) -> None:
    rows = tape()
    rows[5]["price"] = "100010000000"
    rows[6]["price"] = "1.0001E+11"
    trades, rejected = read(write(tmp_path / "tape.csv", text(rows)))
    assert len(trades) == COUNT - 2
    assert [row.reason.partition(":")[0] for row in rejected] == [
        "price looks like a whole number of 1e-9 among readable ones"
    ] * 2
    assert len(read(write(tmp_path / "tape.csv", text(rows)), "decimal")[0]) == COUNT


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (text(times=lambda time: f"1/2/2026 {time[11:29]}"), "day and month cannot be told apart: '1/2/2026"),
        (text().encode("utf-32"), "text in UTF-32, which is not supported"),
        (text(times=lambda time: f"{time[14:21]}"), "Nothing in tape.csv is a trade: 60 of 60 rows"),
        (text(times=lambda time: f"{time[14:21]}"), "line 2: ts_recv has no date, as spreadsheets save it"),
        (text(times=lambda _: "1.76849E+18"), "ts_recv was rounded by a spreadsheet: '1.76849E"),
        (text(times=lambda _: "46037.6669"), "ts_recv is a spreadsheet's number of a day: '46037.6669'"),
        (text(price=lambda price: f'"{short(price)},000.0"'), "price is not a number"),
        (text(side=lambda _: "x"), "line 2: side is not one of A, B, N: 'x'"),
        (text(symbol=lambda _: '"ACME'), "its quotes do not match"),
    ],
)
def test_what_is_not_supported_is_named_before_anything_is_read(
    tmp_path: Path, content: str | bytes, cause: str
) -> None:
    with pytest.raises(TapewatchError) as caught:
        open_sources([str(write(tmp_path / "tape.csv", content))])
    assert cause in caught.value.cause


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r"])
def test_rejected_row_keeps_its_line_and_its_bytes(tmp_path: Path, encoding: str, line_end: str) -> None:
    rows = tape()
    rows[9]["size"] = "many"
    content = text(rows, separator=";", line_end=line_end)
    path = write(tmp_path / "tape.csv", f"\ufeff{content}".encode(encoding))
    trades, [bad] = read(path)
    assert len(trades) == COUNT - 1
    assert bad == RejectedRow(
        11, content.split(line_end)[10].encode(encoding), "size is not a number: 'many'"
    )


@pytest.mark.parametrize("name", ["pandas", "UTF-16", "carriage returns", "header again"])
def test_reading_resumes_behind_any_line(tmp_path: Path, name: str) -> None:
    source = DatabentoCsv(write(tmp_path / "tape.csv", CASES[name]))
    [whole] = source.chunks()
    [rest] = source.chunks(30)
    assert_frame_equal(rest.trades, whole.trades.filter(pl.col("line") > 30))
