from pathlib import Path

import orjson
import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.sources.databento.csv import DatabentoCsv
from services.sources.file import FileSource
from services.sources.files import open_source
from services.sources.mapped.mapping import read_mapping
from services.sources.options import FileOptions
from tests.samples import integer_row, row, write_csv

TIME_NS = 1_767_369_600_123_456_789


def texts(source: FileSource) -> list[bytes]:
    return [value for chunk in source.chunks() for value in source.to_json(chunk.trades)]


def test_our_own_names_need_no_mapping_and_floats_are_read_by_their_shortest_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(
        {
            "ts_event": pl.Series([TIME_NS, TIME_NS]).cast(pl.Datetime("ns", "UTC")),
            "symbol": ["A", "A"],
            "price": [0.1, 1e-7],
            "size": [3.0, 1.0],
            "side": ["B", None],
        }
    ).write_parquet(path)
    first, second = map(orjson.loads, texts(open_source(path)))
    assert first == {
        "@timestamp": "2026-01-02T16:00:00.123456789Z",
        "trade_id": f"mapped-A-{TIME_NS}",
        "symbol": "A",
        "price": 0.1,
        "size": 3,
        "side": "B",
        "source": "mapped",
    }
    assert (second["trade_id"], second["price"], second["side"]) == (f"mapped-A-{TIME_NS}-2", 1e-7, "N")


@pytest.mark.parametrize("time_zone", ["UTC", "America/New_York", None])
def test_databentos_columns_give_the_bytes_of_its_csv(tmp_path: Path, time_zone: str | None) -> None:
    day = write_csv(tmp_path / "day.csv", [row(n, price=f"137.{n:09}") for n in range(9)])
    frame = pl.read_csv(day, schema_overrides={"price": pl.Float64})
    times = [
        pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns").dt.replace_time_zone("UTC")
        for name in ("ts_event", "ts_recv")
    ]
    if time_zone is None:
        frame = frame.with_columns(one.dt.epoch("ns") for one in times)
        frame = frame.with_columns(pl.Series("price", [137_000_000_000 + n for n in range(9)]))
    else:
        frame = frame.with_columns(one.dt.convert_time_zone(time_zone) for one in times)
    frame.write_parquet(tmp_path / "day.parquet")
    assert texts(open_source(tmp_path / "day.parquet")) == texts(DatabentoCsv(day))


def test_databentos_bad_rows_are_rejected_with_their_column(tmp_path: Path) -> None:
    day = write_csv(tmp_path / "day.csv", [integer_row(1), integer_row(2)])
    pl.read_csv(day).with_columns(pl.Series("price", [1, 2**63 - 1])).write_parquet(tmp_path / "a.parquet")
    [chunk] = open_source(tmp_path / "a.parquet").chunks()
    assert len(chunk.trades) == 1
    assert [(bad.line, bad.reason) for bad in chunk.rejected] == [(2, "price cannot be read")]


def test_a_mapping_names_the_columns_of_any_other_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(
        {"when": [TIME_NS // 1000, None], "what": ["A", "B"], "px": [2, 3], "qty": ["1.5", "2"], "x": [1, 2]}
    ).write_parquet(path)
    source = open_source(path, FileOptions(read_mapping("time=when,symbol=what,price=px,size=qty,extra=x")))
    [chunk] = source.chunks()
    [trade] = map(orjson.loads, source.to_json(chunk.trades))
    assert (trade["@timestamp"], trade["price"]) == ("2026-01-02T16:00:00.123456000Z", 2.0)
    assert trade["extra"] == {"x": 1}
    [bad] = chunk.rejected
    assert (bad.line, bad.reason) == (2, "time (when) is empty")
    assert orjson.loads(bad.raw) == {"when": None, "what": "B", "px": 3, "qty": "2", "x": 2}


def test_ids_do_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    count = 50
    pl.DataFrame(
        {
            "ts_event": [TIME_NS] * count,
            "symbol": ["A", "B"] * (count // 2),
            "price": [1.5] * count,
            "size": [1] * count,
        }
    ).write_parquet(path, row_group_size=7)
    whole = texts(open_source(path))
    monkeypatch.setattr("services.sources.parquet.BATCH_ROWS", 3)
    assert texts(open_source(path)) == whole
    assert len(set(whole)) == count


@pytest.mark.parametrize("fault", ["cut", "damaged", "other names"])
def test_what_cannot_be_read_is_named(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"ts": [1], "px": [1.5]}).write_parquet(path)
    whole = path.read_bytes()
    if fault == "cut":
        path.write_bytes(whole[:-20])
    elif fault == "damaged":
        path.write_bytes(whole[:4] + b"x" * 40 + whole[-4:])
    with pytest.raises(TapewatchError) as raised:
        open_source(path)
    expected = {
        "cut": "is truncated",
        "damaged": "cannot be read as Parquet",
        "other names": "has no column that",
    }
    assert expected[fault] in raised.value.cause


def test_ids_of_exported_trades_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    exported = {
        "@timestamp": ["2026-01-02T16:00:00.123456789Z"] * 2,
        "trade_id": ["2-11667-20260102-1001", "2-11667-20260102-1002"],
        "symbol": ["NVDA"] * 2,
        "price": [137.97, 137.98],
        "size": [100, 200],
    }
    pl.DataFrame(exported).write_parquet(path)
    trades = list(map(orjson.loads, texts(open_source(path))))
    assert [trade["trade_id"] for trade in trades] == exported["trade_id"]
    pl.DataFrame(exported | {"trade_id": ["same"] * 2}).write_parquet(path)
    with pytest.raises(TapewatchError, match="'trade_id' is no id"):
        texts(open_source(path))


def test_bare_numbers_get_symbol_and_day_before_them(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    trades = {
        "time": ["2026-01-02T16:00:00Z"] * 2,
        "trade_id": [1001, 1001],
        "symbol": ["BTC", "ETH"],
        "price": [9.0, 3.0],
        "size": [1, 1],
    }
    pl.DataFrame(trades).write_parquet(path)
    found = [orjson.loads(value)["trade_id"] for value in texts(open_source(path))]
    assert found == ["mapped-BTC-20260102-1001", "mapped-ETH-20260102-1001"]
