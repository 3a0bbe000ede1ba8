import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.sources.exported.columns import to_columns
from services.sources.exported.layout import UNFINISHED, partition_path
from services.sources.files import open_source, open_sources
from services.sources.inspection import inspect_file
from services.sources.mapped.mapping import read_mapping
from services.sources.options import FileOptions
from tests.samples import trade_json

DAYS = (dt.date(2024, 12, 2), dt.date(2024, 12, 3))
SYMBOLS = ("A/B", "NVDA")


def trade(number: int, day: dt.date, symbol: str) -> bytes:
    return trade_json(
        number, symbol=symbol, trade_id=f"{symbol}-{number}", **{"@timestamp": f"{day}T15:00:00.000000007Z"}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for day in DAYS:
        for symbol in SYMBOLS:
            path = partition_path(tmp_path / "out", day, symbol)
            path.parent.mkdir(parents=True)
            to_columns([trade(number, day, symbol) for number in range(4)], 1)[0].write_parquet(path)
    return tmp_path / "out"


def test_a_folder_is_a_source_for_each_day_with_the_trades_symbol_after_symbol(folder: Path) -> None:
    sources = open_sources([str(folder)])
    assert [source.name for source in sources] == [f"day={day}" for day in DAYS]
    for source, day in zip(sources, DAYS, strict=True):
        values = [value for chunk in source.chunks() for value in source.to_json(chunk.trades)]
        assert values == [trade(number, day, symbol) for symbol in SYMBOLS for number in range(4)]
        *_, last = source.chunks()
        assert (last.cursor, last.position) == (8, source.size)
        assert not source.in_time_order
    assert len({source.identity for source in sources}) == 2


def test_a_day_is_resumed_behind_any_trade(folder: Path) -> None:
    [source] = open_sources([str(folder / f"day={DAYS[0]}")])
    rest = [value for chunk in source.chunks(5) for value in source.to_json(chunk.trades)]
    assert rest == [trade(number, DAYS[0], "NVDA") for number in range(1, 4)]


def test_one_file_is_recognised_by_its_columns_under_any_name(folder: Path, tmp_path: Path) -> None:
    path = partition_path(folder, DAYS[0], "A/B").rename(tmp_path / "some.parquet")
    source = open_source(path)
    assert [value for chunk in source.chunks() for value in source.to_json(chunk.trades)] == [
        trade(number, DAYS[0], "A/B") for number in range(4)
    ]


def test_a_day_can_be_inspected(folder: Path) -> None:
    lines, is_readable = inspect_file(str(folder), None)
    assert is_readable
    assert lines[0] == f"{folder}/day=2024-12-02: a day of exported trades."


def test_folders_that_are_not_whole_exports_are_errors_that_say_why(folder: Path, tmp_path: Path) -> None:
    day = folder / f"day={DAYS[0]}"
    with pytest.raises(TapewatchError, match="is exported trades, which need no mapping"):
        open_source(
            day, FileOptions(read_mapping("time=ts_event,symbol=symbol,price=price,size=size,side=-"))
        )
    pl.DataFrame({"a": [1]}).write_parquet(day / "symbol=NVDA" / "trades.parquet")
    with pytest.raises(TapewatchError, match=r"NVDA/trades\.parquet does not have the columns of exported"):
        list(open_source(day).chunks())
    (day / "symbol=NEW").mkdir()  # where a run was ended
    assert open_source(day).size
    (day / "notes.txt").touch()
    with pytest.raises(TapewatchError, match=r"holds something else than exported trades: notes\.txt"):
        open_source(day)
    (folder / UNFINISHED).mkdir()
    with pytest.raises(TapewatchError, match=r"is not finished\. Finish it: tapewatch export --parquet"):
        open_sources([str(folder)])
    with pytest.raises(TapewatchError, match="is a folder"):
        open_sources([str(tmp_path)])
