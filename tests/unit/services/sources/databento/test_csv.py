from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.sources import lines
from services.sources.base import RejectedRow
from services.sources.databento.csv import DatabentoCsv
from tests.samples import HEADER, integer_row, row, write_csv


def read(path: Path) -> tuple[pl.DataFrame, list[RejectedRow]]:
    chunks = list(DatabentoCsv(path).chunks())
    return pl.concat([chunk.trades for chunk in chunks]), [bad for chunk in chunks for bad in chunk.rejected]


def test_readable_row_keeps_every_digit(tmp_path: Path) -> None:
    trades, rejected = read(write_csv(tmp_path / "day.csv", [row(1, price="137.970000001")]))
    assert not rejected
    trade = trades.row(0, named=True)
    assert trade["price"] == 137_970_000_001
    assert trade["ts_event"] == 1_733_149_801_000_000_007
    assert trade["ts_recv"] - trade["ts_event"] == 200_000
    assert (trade["size"], trade["side"], trade["sequence"], trade["line"]) == (100, "B", 1001, 2)


@pytest.mark.parametrize("name", ["day.csv", "day.csv.zst", "misnamed.txt"])
def test_integer_and_readable_files_give_the_same_trades(tmp_path: Path, name: str) -> None:
    numbers = range(1, 50)
    readable = read(write_csv(tmp_path / f"r-{name}", [row(n) for n in numbers]))
    integers = read(write_csv(tmp_path / f"i-{name}", [integer_row(n) for n in numbers]))
    assert readable[0].equals(integers[0])
    assert readable[1] == integers[1] == []


@pytest.mark.parametrize("digits", [range(10), [9] * 9 + [3], [3] * 9 + [9], [0] * 10, [6] * 10])
def test_times_may_have_any_number_of_digits(tmp_path: Path, digits: list[int]) -> None:
    times = [
        f"2024-12-02T14:30:0{n}.{'123456789'[:count]}".rstrip(".") + "Z" for n, count in enumerate(digits)
    ]
    trades, rejected = read(
        write_csv(tmp_path / "day.csv", [row(n, ts_event=at) for n, at in enumerate(times)])
    )
    whole_ns = 1_733_149_800_000_000_000
    fractions_ns = [int("123456789"[:count].ljust(9, "0")) for count in digits]
    assert trades["ts_event"].to_list() == [whole_ns + n * 10**9 + ns for n, ns in enumerate(fractions_ns)]
    assert not rejected


def test_windows_line_ends_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(f"{HEADER}\r\n{row(1)}\r\n\r\n{row(2)}\r\n".encode())
    trades, rejected = read(path)
    assert trades["line"].to_list() == [2, 4]
    assert not rejected


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"size": "many"}, "size is not a number: 'many'"),
        ({"size": "-3"}, "size is negative: -3"),
        ({"size": "4294967295"}, "size is undefined"),
        ({"size": ""}, "size is empty"),
        ({"price": "abc"}, "price is not a number: 'abc'"),
        ({"price": "nan"}, "price is undefined"),
        ({"price": ""}, "price is empty"),
        ({"price": "9223372036854775807"}, "price is undefined"),
        (
            {"price": "137970000000"},
            "price looks like a whole number of 1e-9 among readable ones: '137970000000'",
        ),
        ({"ts_event": "yesterday"}, "ts_event is not an ISO 8601 time: 'yesterday'"),
        ({"ts_event": "2024-13-02T14:30:00.000000000Z"}, "ts_event is out of range"),
        ({"ts_event": "1600-06-01T14:30:00.000000000Z"}, "ts_event is out of range"),
        ({"ts_event": "2555-06-01T14:30:00.000000000Z"}, "ts_event is out of range"),
        ({"ts_event": "2262-01-01T00:00:00.000000000Z"}, "ts_event is out of range"),
        ({"ts_event": "18446744073709551615"}, "ts_event is undefined"),
        ({"ts_recv": "18446744073709551615"}, "ts_recv is undefined"),
        ({"side": "X"}, "side is not one of A, B, N: 'X'"),
        ({"symbol": ""}, "symbol is empty"),
        ({"symbol": 'NV"DA'}, "symbol is not plain text"),
        ({"sequence": "99999999999999999999"}, "sequence is out of range"),
        ({"flags": "x"}, "flags is not a number: 'x'"),
        ({"flags": "1.5"}, "flags is not a whole number: '1.5'"),
    ],
)
def test_bad_row_is_reported_with_its_line_and_the_rest_is_read(
    tmp_path: Path, changes: dict[str, str], error: str
) -> None:
    bad = row(2, **changes)
    trades, rejected = read(write_csv(tmp_path / "day.csv.zst", [row(1), bad, row(3)]))
    assert trades["sequence"].to_list() == [1001, 1003]
    [found] = rejected
    assert (found.line, found.raw) == (3, bad.encode())
    assert found.reason.startswith(error)


FAULTS = {
    "ts_recv": [("", "ts_recv is empty"), ("18446744073709551615", "ts_recv is undefined")],
    "ts_event": [
        ("noon", "ts_event is not an ISO 8601 time: 'noon'"),
        ("2024-13-02T14:30:00Z", "ts_event is out of range: 2024-13-02T14:30:00Z"),
        ("1950-01-02T14:30:00Z", "ts_event is out of range: 1950-01-02T14:30:00Z"),
    ],
    "instrument_id": [("NVDA", "instrument_id is not a number: 'NVDA'")],
    "action": [("T" * 257, f"action is not plain text of 1 to 256 characters: '{'T' * 257}'")],
    "side": [("b", "side is not one of A, B, N: 'b'"), ("", "side is empty")],
    "price": [("1e3x", "price is not a number: '1e3x'"), ("9223372036854775807", "price is undefined")],
    "size": [("-3", "size is negative: -3"), ("9999999999", "size is out of range: 9999999999")],
    "sequence": [("9" * 20, f"sequence is out of range: {'9' * 20}")],
    "symbol": [("\t", "symbol is empty")],
}


@settings(max_examples=25, deadline=None)
@given(
    names=st.permutations(HEADER.split(",")),
    picks=st.lists(st.dictionaries(st.sampled_from(sorted(FAULTS)), st.integers(0, 5)), max_size=40),
)
def test_of_several_faults_in_a_row_the_first_column_is_reported(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], picks: list[dict[str, int]]
) -> None:
    wanted = {}
    rows = [row(1)] * 100  # they decide which form times and prices have
    for pick in picks:
        faults = {name: FAULTS[name][at % len(FAULTS[name])] for name, at in pick.items()}
        rows.append(row(2, **{name: text for name, (text, _) in faults.items()}))
        if faults:
            first = min(faults, key=names.index)
            wanted[len(rows) + 1] = faults[first][1]
    places = [HEADER.split(",").index(name) for name in names]
    cells = [line.split(",") for line in rows]
    path = write_csv(
        tmp_path_factory.mktemp("csv") / "day.csv",
        [",".join(line[place] for place in places) for line in cells],
        header=",".join(names),
    )
    trades, rejected = read(path)
    assert {bad.line: bad.reason for bad in rejected} == wanted
    assert len(trades) + len(rejected) == len(rows)


def test_undefined_integer_price_is_a_bad_row(tmp_path: Path) -> None:
    rows = [
        integer_row(1),
        integer_row(2, price="9223372036854775807"),
        integer_row(3, price="137.97"),
        integer_row(4),
    ]
    trades, rejected = read(write_csv(tmp_path / "day.csv", rows))
    assert len(trades) == 2
    assert [bad.reason for bad in rejected] == [
        "price is undefined",
        "price is not a whole number of 1e-9: '137.97'",
    ]


def test_missing_column_in_a_row_is_reported(tmp_path: Path) -> None:
    trades, rejected = read(write_csv(tmp_path / "day.csv", [row(1), "1,2,3", row(3) + ",more"]))
    assert len(trades) == 1
    assert [(bad.line, bad.reason) for bad in rejected] == [
        (3, "3 columns where the header has 14"),
        (4, "15 columns where the header has 14"),
    ]


def test_bytes_that_are_not_utf8_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(f"{HEADER}\n{row(1)}\n".encode() + b"\xff\xfe,1\n" + f"{row(2)}\n".encode())
    trades, [bad] = read(path)
    assert trades["line"].to_list() == [2, 4]
    assert (bad.line, bad.raw) == (3, b"\xff\xfe,1")
    assert bad.reason.startswith("not UTF-8 text")


def test_negative_price_is_a_number(tmp_path: Path) -> None:
    trades, rejected = read(write_csv(tmp_path / "day.csv", [row(1, price="-0.250000000")]))
    assert trades["price"].to_list() == [-250_000_000]
    assert not rejected


@pytest.mark.parametrize("price", ["-9223372036.854775808", "-9223372036.854775807", "9223372036.854775806"])
def test_a_readable_price_as_large_as_whole_numbers_of_1e9_is_a_bad_row(tmp_path: Path, price: str) -> None:
    trades, rejected = read(write_csv(tmp_path / "day.csv", [row(1), row(2, price=price)]))
    assert len(trades) == 1
    assert [bad.line for bad in rejected] == [3]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_truncated_zstd_file_keeps_what_was_before_the_cut(tmp_path: Path, keep: float) -> None:
    whole = write_csv(
        tmp_path / "whole.csv.zst", [row(n, price=f"{n * 7919 % 1000}.5") for n in range(200_000)]
    )
    cut = tmp_path / "cut.csv.zst"
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * keep)])
    trades, rejected = read(cut)
    assert 0 < len(trades) < 200_000
    assert rejected[-1].reason == "the file is truncated: its compressed data ends in the middle"
    assert rejected[-1].line == trades["line"][-1] + 1
    assert len(rejected) == 1


def test_damaged_zstd_file_is_reported(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv.zst", [row(n) for n in range(10)])
    path.write_bytes(path.read_bytes() + b"\x28\xb5\x2f\xfd garbage")
    trades, rejected = read(path)
    assert len(trades) == 10
    assert "damaged" in rejected[-1].reason


def test_zstd_file_of_several_frames_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "day.csv.zst"
    path.write_bytes(
        zstandard.compress(f"{HEADER}\n{row(1)}\n".encode()) + zstandard.compress(f"{row(2)}\n".encode())
    )
    trades, rejected = read(path)
    assert len(trades) == 2
    assert not rejected


@pytest.mark.parametrize("cut_bytes", [1, 3, 8, 40])
def test_plain_file_cut_inside_its_last_row_publishes_nothing_of_it(tmp_path: Path, cut_bytes: int) -> None:
    path = tmp_path / "day.csv"
    text = f"{HEADER}\n{row(1)}\n{row(2)}"
    path.write_bytes(text[:-cut_bytes].encode())
    trades, [bad] = read(path)
    assert trades["line"].to_list() == [2]
    assert bad.line == 3


def test_last_row_without_line_end_counts_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(f"{HEADER}\n{row(1)}\n{row(2)}")
    trades, rejected = read(path)
    assert len(trades) == 2
    assert not rejected


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        ("name,age", "none of a trade's columns"),
        (HEADER.replace(",price", "").replace(",size", ""), "lacks the columns price, size"),
        (HEADER.replace(",symbol", ""), "no column 'symbol'"),
        (HEADER + ",bid_px_00,ask_px_00", "not of the schema 'trades'"),
    ],
)
def test_file_that_is_not_trades_fails_at_once(tmp_path: Path, header: str, cause: str) -> None:
    with pytest.raises(TapewatchError, match=cause):
        DatabentoCsv(write_csv(tmp_path / "other.csv", [], header=header))


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    names = HEADER.split(",")
    cells = row(1).split(",")
    path = write_csv(tmp_path / "day.csv", [",".join(reversed(cells))], header=",".join(reversed(names)))
    trades, rejected = read(path)
    assert not rejected
    assert trades["price"].to_list() == [137_970_000_000]


@settings(max_examples=25, deadline=None)
@given(
    bad_lines=st.sets(st.integers(0, 59), max_size=20),
    chunk_bytes=st.integers(200, 9_000),
    chunk_lines=st.integers(1, 70),
    line_end=st.sampled_from(["\n", "\r\n"]),
    last_end=st.booleans(),
)
def test_result_does_not_depend_on_how_the_file_is_cut_into_chunks(
    tmp_path_factory: pytest.TempPathFactory,
    bad_lines: set[int],
    chunk_bytes: int,
    chunk_lines: int,
    line_end: str,
    last_end: bool,
) -> None:
    rows = [row(n, size="x" if n in bad_lines else "5") for n in range(60)]
    path = tmp_path_factory.mktemp("csv") / "day.csv"
    text = line_end.join((HEADER, *rows)) + (line_end if last_end else "")
    path.write_bytes(text.encode())
    whole = read(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(lines, "CHUNK_LINES", chunk_lines)
        patch.setattr("services.sources.compression.PIECE_BYTES", chunk_bytes)
        cut = read(path)
    assert whole[0].equals(cut[0])
    assert whole[1] == cut[1]
    assert [bad.line - 2 for bad in whole[1]] == sorted(bad_lines)
